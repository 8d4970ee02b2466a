import { basename, extname } from 'node:path'
import { SmaltiError } from '../contract/errors.ts'
import { isAddress } from '../contract/sources.ts'

/** Where the bytes of an image are. A path is never read as an address, whatever characters it has. */
export type Location =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'address'; readonly url: URL }

/** A file of this computer. */
export const fileAt = (path: string): Location => ({ kind: 'file', path })

/** What a catalogue, or a person, calls the place of an image. @throws UnreadableImage where an address is malformed */
export function locationOf(source: string): Location {
  if (!isAddress(source)) return fileAt(source)
  if (!URL.canParse(source))
    throw new SmaltiError('UnreadableImage', { path: source, reason: 'it is not a valid address' })
  return { kind: 'address', url: new URL(source) }
}

/** What a location is called in a sentence. */
export const nameOf = (location: Location): string => (location.kind === 'file' ? location.path : location.url.href)

/** The name of the file at a location, as a person reads it. */
export function fileNameOf(location: Location): string {
  if (location.kind === 'file') return basename(location.path)
  const name = basename(location.url.pathname)
  try {
    return decodeURIComponent(name) || location.url.href
  } catch {
    // An address may have a % that stands for itself.
    return name
  }
}

/** Whether the image there is read as a TIFF: by its ending, or because servers are asked for nothing else. */
export const isTiff = (location: Location): boolean =>
  location.kind === 'address' || /^\.tiff?$/i.test(extname(location.path))
