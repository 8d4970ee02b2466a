/** Parts into which an image's rows are binned, from top to bottom. */
export const ROW_BINS = 8

/**
 * Measures how much the appearance of pixels depends on their row, η²: for each z-scored feature, the mean in a bin
 * less the image's own mean, averaged over images and squared, less the square expected by chance; averaged over bins
 * and, where above 0, over features. Near 0 for images from above, 0.02 and more for upright photographs.
 *
 * @param images  for each image and bin, the means of the features
 */
export function rowEffect(images: readonly (readonly (readonly number[])[])[]): number {
  const count = images.length
  const [bins, features] = [images[0].length, images[0][0].length]
  let total = 0
  for (let f = 0; f < features; f++) {
    let effect = 0
    for (let b = 0; b < bins; b++) {
      const values = images.map((image) => image[b][f] - image.reduce((sum, bin) => sum + bin[f], 0) / bins)
      const mean = values.reduce((a, value) => a + value, 0) / count
      const variance = values.reduce((a, value) => a + (value - mean) ** 2, 0) / count
      effect += (mean * mean - variance / (count - 1)) / bins
    }
    total += Math.max(0, effect)
  }
  return total / features
}
