import type { ViewRecipe } from '../../contract/recipe.ts'
import { type Uniform, normalFrom } from '../random.ts'
import { changeColours, sampleColourChange } from './colour.ts'
import { gaussianBlur } from './geometricSteps.ts'

/** Changes a planar square image of values 0…1, in place. */
export type PhotometricChange = (picture: Float32Array) => void

/** Mean grey level around which contrast is stretched. */
const MIDDLE_GREY = 0.45
const VISIBLE_BANDS = 3

/**
 * Draws the colour changes of one view. Red, green and blue change as colours; other bands, such as near infrared or
 * elevation, change only by gain and offset; blur and noise affect all bands.
 *
 * @param coloured  whether the first three bands are red, green and blue
 */
export function samplePhotometricChanges(
  recipe: ViewRecipe,
  bands: number,
  coloured: boolean,
  side: number,
  uniform: Uniform
): PhotometricChange[] {
  const plane = side * side
  const visible = coloured ? VISIBLE_BANDS : 0
  const changes: PhotometricChange[] = []
  const { jitter, hsv, gain, offset, blur, noise } = recipe
  if (visible > 0 && Object.values(jitter).some((strength) => strength > 0)) {
    const change = sampleColourChange(jitter, MIDDLE_GREY, uniform)
    changes.push((picture) => changeColours(change, picture.subarray(0, visible * plane)))
  }
  if (visible > 0 && hsv > 0) {
    const added = [0, 1, 2].map(() => hsv * (2 * uniform() - 1))
    changes.push((picture) => addHsv(picture.subarray(0, visible * plane), added))
  }
  for (let band = visible; band < bands; band++) {
    if (gain === 0 && offset === 0) break
    const [factor, summand] = [1 + gain * (2 * uniform() - 1), offset * (2 * uniform() - 1)]
    changes.push((picture) => {
      for (let i = band * plane; i < (band + 1) * plane; i++) picture[i] = picture[i] * factor + summand
    })
  }
  if (blur > 0) {
    const deviation = blur * uniform()
    changes.push((picture) => {
      for (let band = 0; band < bands; band++) {
        const part = picture.subarray(band * plane, (band + 1) * plane)
        if (deviation > 0) part.set(gaussianBlur(part, side, deviation))
      }
    })
  }
  if (noise > 0) {
    const deviation = noise * uniform()
    const normal = normalFrom(uniform)
    changes.push((picture) => picture.forEach((value, i) => (picture[i] = value + deviation * normal())))
  }
  return changes
}

/** Adds to hue (turns, around the circle), saturation and value of a planar RGB image; §3.3.2 of the 2018 paper. */
export function addHsv(picture: Float32Array, [hue, saturation, value]: readonly number[]): void {
  const plane = picture.length / VISIBLE_BANDS
  const bounded = (x: number): number => Math.min(Math.max(x, 0), 1)
  for (let i = 0; i < plane; i++) {
    const [r, g, b] = [picture[i], picture[i + plane], picture[i + 2 * plane]]
    const most = Math.max(r, g, b)
    const range = most - Math.min(r, g, b)
    const sixth =
      range === 0 ? 0 : most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range
    const h = 6 * ((((sixth / 6 + hue) % 1) + 1) % 1)
    const s = bounded((most > 0 ? range / most : 0) + saturation)
    const v = bounded(most + value)
    for (const [band, turn] of [5, 3, 1].entries()) {
      const k = (turn + h) % 6
      picture[i + band * plane] = v - v * s * Math.max(0, Math.min(k, 4 - k, 1))
    }
  }
}
