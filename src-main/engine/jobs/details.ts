import { SmaltiError } from '../../contract/errors.ts'
import type { ImageDetails } from '../../contract/details.ts'
import type { SkippedFile } from '../../contract/imagery.ts'
import { listImages } from '../../imagery/catalogue.ts'
import { detailsOf } from '../../imagery/details.ts'
import type { Job } from '../job.ts'

/** Returns what the headers and sidecar files of images say about them. */
export const detailsJob: Job<'details'> = async ({ sources, page }, { signal, onProgress }) => {
  const listed = await listImages(sources)
  const images: ImageDetails[] = []
  const skipped: SkippedFile[] = []
  for (const [done, { path, file }] of listed.entries()) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    try {
      images.push(await detailsOf({ path, file }, page, signal))
    } catch (fault) {
      if (!(fault instanceof SmaltiError) || fault.name !== 'UnreadableImage') throw fault
      skipped.push({ path, reason: String(fault.details.reason) })
    }
    onProgress({ stage: 'Reading images', share: (done + 1) / listed.length })
  }
  if (images.length === 0)
    throw new SmaltiError('NoReadableImages', {
      path: sources.join(', '),
      files: Math.max(listed.length, 1),
      reason: skipped[0] && `${skipped[0].path}: ${skipped[0].reason}.`
    })
  return { images, skipped }
}
