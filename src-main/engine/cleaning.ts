import { rm } from 'node:fs/promises'
import { clusterColours } from '../classes/palette.ts'
import { SmaltiError } from '../contract/errors.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import type { CleanUp } from '../contract/labels.ts'
import { georeferenceOfFile } from '../imagery/openRaster.ts'
import { cleaned } from '../labels/cleaned.ts'
import { openLabels } from '../labels/source.ts'
import { NO_LABEL, tileSide } from '../labels/tiffFile.ts'
import { writeLabels } from '../labels/writeLabels.ts'
import type { Labeller } from './labelling.ts'

/** Where labels are kept until they are cleaned up. */
export const rawPath = (path: string): string => path.replace(/\.tif$/, '.raw.tif')

/** Writes the rasters of an image cleaned up, and removes them as the network gave them. */
export async function cleanRasters(rasters: Record<string, string>, { key, model }: Labeller, image: CatalogueImage, cleanUp: CleanUp, signal: AbortSignal): Promise<void> {
  const tags = (await georeferenceOfFile(image))?.tags ?? []
  for (const [head, path] of Object.entries(rasters)) {
    const { clusters } = model.architecture.heads.find(({ name }) => name === head)!
    const raw = await openLabels(rawPath(path))
    try {
      const labels = cleaned(raw, cleanUp, image.gsd)
      await writeLabels(path, { width: image.width, height: image.height, tile: tileSide(image), key, notes: { tags, colours: clusterColours(clusters), nodata: NO_LABEL } }, (window) => labels.read(window, signal), signal)
    } catch (fault) {
      if (fault instanceof SmaltiError && fault.name === 'UnreadableImage') throw new SmaltiError('LabelsUnreadable', { path: image.path, reason: fault.details.reason })
      throw fault
    } finally {
      await raw.close()
    }
    await rm(rawPath(path), { force: true })
  }
}
