import { SmaltiError } from '../../contract/errors.ts'
import { sidecarGeoreferenceOf } from '../georeference.ts'
import { type Location, fileAt, isTiff, nameOf } from '../location.ts'
import { tiledCopy } from '../reading/tiledCopy.ts'
import { scoped } from '../scoped.ts'
import type { ImageFormat } from './format.ts'
import { WHOLE_PIXELS, inspectPhotograph, openPhotograph } from './photograph.ts'
import { openTiff } from './tiff/tiff.ts'

const tiff: ImageFormat = {
  matches: isTiff,
  open: (location, { signal, page }) => openTiff(location, { signal, page }),
  async header(location, { signal, page }, use) {
    await using raster = scoped(await openTiff(location, { signal, page }))
    return await use(raster)
  }
}

/** PNG, JPEG and WebP. A large one is first copied into tiles, as a stream. */
const photograph: ImageFormat = {
  matches: (location) => location.kind === 'file' && /\.(png|jpe?g|webp)$/i.test(location.path),
  async open(location, { copies, signal, page, stored }) {
    const path = nameOf(location)
    const { width, height } = await inspectPhotograph(path, page)
    if (width * height <= WHOLE_PIXELS) return openPhotograph(path, stored)
    if (!copies)
      throw new SmaltiError('UnreadableImage', { path, reason: 'it is too large to read without a tiled copy' })
    return openTiff(fileAt(await tiledCopy(path, width * height, copies, signal)), { signal, beside: path })
  },
  async header(location, { page, alone }, use) {
    const path = nameOf(location)
    const { width, height, roles, type, gaps } = await inspectPhotograph(path, page)
    return use({
      width,
      height,
      bands: roles.map((role) => ({ role, type })),
      gaps,
      levels: [{ width, height }],
      georeference: async () => (alone ? undefined : sidecarGeoreferenceOf(path))
    })
  },
  position: (location) => sidecarGeoreferenceOf(nameOf(location)),
  shrinks: true
}

/** The image formats. A new format is one file in this folder and one line here. */
const FORMATS: readonly ImageFormat[] = [tiff, photograph]

/** Whether a file's extension belongs to an image format that Smalti reads. */
export const isImageName = (path: string): boolean => FORMATS.some(({ matches }) => matches(fileAt(path)))

/** Returns the format of an image by its name. libvips knows its formats by their content, so it gets all others. */
export const formatOf = (location: Location): ImageFormat =>
  FORMATS.find(({ matches }) => matches(location)) ?? photograph
