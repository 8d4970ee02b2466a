import { SmaltiError } from '../../contract/errors.ts'
import type { ImageDetails } from '../../contract/details.ts'
import { listImages } from '../../imagery/catalogue.ts'
import { detailsOf } from '../../imagery/details.ts'
import type { Job } from '../job.ts'

export const detailsJob: Job<'details'> = async ({ sources, page }, { signal, onProgress }) => {
  const listed = await listImages(sources)
  if (listed.length === 0) throw new SmaltiError('NoReadableImages', { path: sources.join(', '), files: sources.length })
  const images: ImageDetails[] = []
  for (const [done, image] of listed.entries()) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    images.push(await detailsOf(image, page, signal))
    onProgress({ stage: 'Reading the images', share: (done + 1) / listed.length })
  }
  return { images }
}
