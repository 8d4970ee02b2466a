import { basename, extname } from 'node:path'
import { SmaltiError } from '../contract/errors.ts'
import { isAddress } from '../contract/sources.ts'

/** Where an image's bytes are. A path is never read as an address, whatever characters it contains. */
export type Location =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'address'; readonly url: URL }

/** Returns the location of a file on this computer. */
export const fileAt = (path: string): Location => ({ kind: 'file', path })

/** Parses a path or an address. @throws UnreadableImage when an address is malformed */
export function locationOf(source: string): Location {
  if (!isAddress(source)) return fileAt(source)
  if (!URL.canParse(source)) throw new SmaltiError('UnreadableImage', { path: source, reason: "it isn't a valid URL" })
  return { kind: 'address', url: new URL(source) }
}

/** Returns a location's full name for messages. */
export const nameOf = (location: Location): string => (location.kind === 'file' ? location.path : location.url.href)

/** Returns the name of the file at a location, in readable form. */
export function fileNameOf(location: Location): string {
  if (location.kind === 'file') return basename(location.path)
  const name = basename(location.url.pathname)
  try {
    return decodeURIComponent(name) || location.url.href
  } catch {
    // An address may contain a literal %.
    return name
  }
}

/** Whether the image is read as a TIFF: by its extension, or because TIFF is the only format read from servers. */
export const isTiff = (location: Location): boolean =>
  location.kind === 'address' || /^\.tiff?$/i.test(extname(location.path))
