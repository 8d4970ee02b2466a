import { rm } from 'node:fs/promises'
import { SmaltiError } from '../../contract/errors.ts'
import type { CatalogueImage } from '../../contract/imagery.ts'
import type { CleanUp } from '../../contract/labels.ts'
import { groundAreas } from '../../imagery/crs/groundArea.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'
import { cleaned } from '../../labels/cleaned.ts'
import { openLabels } from '../../labels/source.ts'
import { tileSide } from '../../labels/tiffFile.ts'
import { writeLabels } from '../../labels/writeLabels.ts'
import { type Labeller, notesOf } from './labelling.ts'

/** Path of an image's labels before they are cleaned up. */
export const rawPath = (path: string): string => path.replace(/\.tif$/, '.raw.tif')

/** Writes the cleaned-up rasters of an image, and removes the raw ones. */
export async function cleanRasters(
  rasters: Record<string, string>,
  labeller: Labeller,
  image: CatalogueImage,
  cleanUp: CleanUp,
  signal: AbortSignal
): Promise<void> {
  const ground = cleanUp.sieve?.unit === 'm2' ? groundAreas(await georeferenceOfFile(image, signal), image) : undefined
  for (const [head, path] of Object.entries(rasters)) {
    const raw = await openLabels(rawPath(path))
    try {
      const labels = cleaned(raw, cleanUp, ground)
      await writeLabels(
        path,
        {
          width: image.width,
          height: image.height,
          tile: tileSide(image),
          key: labeller.key,
          notes: await notesOf(labeller, image, head)
        },
        (window) => labels.read(window, signal),
        signal
      )
    } catch (fault) {
      if (fault instanceof SmaltiError && fault.name === 'UnreadableImage')
        throw new SmaltiError('LabelsUnreadable', { path: image.path, reason: fault.details.reason })
      throw fault
    } finally {
      await raw.close()
    }
    await rm(rawPath(path), { force: true })
  }
}
