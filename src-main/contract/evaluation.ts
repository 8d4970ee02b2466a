import { z } from 'zod'
import { plural } from './words/plural.ts'

/** Pixels that an evaluation could not score, by reason; each pixel is counted once. */
export const leftOut = z.object({
  /** Pixels without a label, whatever the truth says. */
  noLabel: z.int(),
  /** Labelled pixels without a true class: nodata, negative or 255, or not in the truth map. */
  noClass: z.int(),
  /** Labelled pixels outside the polygons of the truth. */
  outside: z.int()
})
export type LeftOut = z.infer<typeof leftOut>

/** Returns a phrase for each reason why pixels were left out; none if all were scored. */
export function leftOutText({ noLabel, noClass, outside }: LeftOut): string[] {
  return [
    ...(noClass > 0 ? [`${plural(noClass, 'pixel')} without a reference class`] : []),
    ...(outside > 0 ? [`${plural(outside, 'pixel')} outside the reference polygons`] : []),
    ...(noLabel > 0 ? [`${plural(noLabel, 'pixel')} without a label`] : [])
  ]
}

/** Returns a warning if less than half of the labelled pixels were scored. */
export function coverageWarning(pixels: number, { noClass, outside }: LeftOut): string | undefined {
  const labelled = pixels + noClass + outside
  if (labelled === 0 || pixels >= labelled / 2) return undefined
  const share = Math.floor((100 * pixels) / labelled)
  return `${share < 1 ? 'Less than 1' : `Only ${share}`} % of the labelled pixels were scored. The figures may not represent the rest.`
}
