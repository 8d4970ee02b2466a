import type { ViewRecipe } from '../../contract/recipe.ts'
import type { Uniform } from '../random.ts'

/** `out = matrix · rgb + offset` on values in 0…1: brightness, contrast, saturation and hue are all affine. */
export interface ColourChange {
  matrix: number[]
  offset: number[]
}

const LUMA = [0.299, 0.587, 0.114]

function multiply(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3) * 3, i % 3]
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6]
  })
}

/** Rotates hue around the grey axis by `angle` radians and keeps luma (YIQ rotation). */
function hueRotation(angle: number): number[] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const toYiq = [0.299, 0.587, 0.114, 0.5959, -0.2746, -0.3213, 0.2115, -0.5227, 0.3112]
  const fromYiq = [1, 0.956, 0.619, 1, -0.272, -0.647, 1, -1.106, 1.703]
  return multiply(fromYiq, multiply([1, 0, 0, 0, cos, -sin, 0, sin, cos], toYiq))
}

/**
 * Draws a colour change.
 * @param grey  mean grey level of the image, 0…1, around which contrast is stretched
 */
export function sampleColourChange(jitter: ViewRecipe['jitter'], grey: number, uniform: Uniform): ColourChange {
  const factor = (strength: number): number => 1 + strength * (2 * uniform() - 1)
  const brightness = factor(jitter.brightness)
  const contrast = factor(jitter.contrast)
  const saturation = factor(jitter.saturation)
  const hue = 2 * Math.PI * jitter.hue * (2 * uniform() - 1)
  const saturate = Array.from({ length: 9 }, (_, i) => (1 - saturation) * LUMA[i % 3] + (i % 4 === 0 ? saturation : 0))
  const matrix = multiply(hueRotation(hue), saturate).map((value) => value * brightness * contrast)
  const offset = brightness * grey * (1 - contrast)
  return { matrix, offset: [offset, offset, offset] }
}

/** Applies a colour change to a planar RGB image, in place. */
export function changeColours({ matrix, offset }: ColourChange, picture: Float32Array): void {
  const plane = picture.length / 3
  for (let i = 0; i < plane; i++) {
    const [r, g, b] = [picture[i], picture[i + plane], picture[i + 2 * plane]]
    for (let row = 0; row < 3; row++) {
      picture[i + row * plane] = matrix[3 * row] * r + matrix[3 * row + 1] * g + matrix[3 * row + 2] * b + offset[row]
    }
  }
}
