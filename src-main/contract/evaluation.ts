import { z } from 'zod'

/** Pixels that an evaluation could not score, by the reason; each is counted once. */
export const leftOut = z.object({
  /** They have no label, whatever the truth says. */
  noLabel: z.int(),
  /** They have a label, and the truth has no class: nodata, negative or 255, or not in the truth map. */
  noClass: z.int(),
  /** They have a label and lie outside the polygons of the truth. */
  outside: z.int()
})
export type LeftOut = z.infer<typeof leftOut>

const pixelsText = (pixels: number): string => `${pixels.toLocaleString('en')} ${pixels === 1 ? 'pixel' : 'pixels'}`

/** Tells which pixels were left out and why, a phrase a reason; none where all were scored. */
export function leftOutText({ noLabel, noClass, outside }: LeftOut): string[] {
  return [
    ...(noClass > 0 ? [`${pixelsText(noClass)} without a class in the truth`] : []),
    ...(outside > 0 ? [`${pixelsText(outside)} outside the polygons of the truth`] : []),
    ...(noLabel > 0 ? [`${pixelsText(noLabel)} without a label`] : [])
  ]
}

/** Warns where less than half of the labelled pixels were scored. */
export function coverageWarning(pixels: number, { noClass, outside }: LeftOut): string | undefined {
  const labelled = pixels + noClass + outside
  if (labelled === 0 || pixels >= labelled / 2) return undefined
  const share = Math.floor((100 * pixels) / labelled)
  return `${share < 1 ? 'Less than 1' : `Only ${share}`} % of the labelled pixels were scored. The figures may not represent the rest.`
}
