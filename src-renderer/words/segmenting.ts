import { duration } from '../../src-main/contract/words/duration.ts'
import { common, fileSize, number } from './common.ts'

/** Segmenting the images. */
export const segmenting = {
  section: '2 · Segment',
  note: (images: number, partial: boolean) => `${common.images(images)}${partial ? ' · cancelled' : ''}`,
  segment: 'Segment',
  segmentAgain: 'Segment again',
  saveProbabilities: 'Save probabilities',
  saveProbabilitiesSize: (bytes: number) => `(≤ ${fileSize(bytes)})`,
  saveProbabilitiesHint: 'Needed for heatmaps, confidence and exported probabilities. Labels alone take less space.',
  probabilitiesMissing: 'Turn on Save probabilities, then segment again.',
  segmented: (images: number, seconds: number, before: number) =>
    `Segmented ${common.images(images)} in ${duration(seconds)}.` +
    (before > 0 ? ` ${number(before)} ${before === 1 ? 'was' : 'were'} already segmented.` : '')
}
