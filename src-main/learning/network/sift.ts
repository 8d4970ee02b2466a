import * as tf from '@tensorflow/tfjs-core'

/** Orientations, cells along each side of a descriptor, and pixels along each side of a cell. */
const [ORIENTATIONS, CELLS, CELL] = [8, 4, 4]
export const SIFT_CHANNELS = ORIENTATIONS * CELLS * CELLS
/** Input pixels on each side of an output pixel's own square on which its descriptor depends. */
export const SIFT_HALO = 9
/** Standard deviation of the window's Gaussian in pixels: half its width. */
const SIGMA = (CELLS * CELL) / 2
/** Largest share of a descriptor that one orientation may have. */
const CLIP = 0.2
const SMALLEST = 1e-6

/**
 * Dense SIFT descriptors (Lowe 2004, §6) of 16 × 16 pixels, upright and at one scale, around the middle of every 4 × 4.
 * Gradients of the bands' mean are shared linearly between the nearest of 8 orientations and of 4 × 4 cells, and each
 * cell is weighted by the window's Gaussian at its middle (as in VLFeat's `dsift`). Descriptors are normalised to
 * length 1, clipped at 0.2, and normalised again.
 *
 * @param image  float32 [n, h, w, bands], sides multiples of 4; 0 beyond
 * @param valid  1 where a pixel has data, float32 [n, h, w, 1]; gradients that touch pixels without data do not count
 * @returns      float32 [n, h/4, w/4, 128]: cell rows, then columns, then orientations
 */
export function denseSift(image: tf.Tensor4D, valid?: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w] = image.shape
  const [rows, columns] = [h / CELL, w / CELL]
  const allSlopes = tf.conv2d(tf.mean(image, 3, true) as tf.Tensor4D, tf.tensor4d(SLOPES, [3, 3, 1, 2]), 1, 'same')
  const slopes = valid ? (tf.mul(allSlopes, reachesData(valid)) as tf.Tensor4D) : allSlopes
  const [across, down] = [0, 1].map((axis) => tf.slice(slopes, [0, 0, 0, axis], [n, h, w, 1]))
  const length = tf.sqrt(tf.add(tf.add(tf.mul(across, across), tf.mul(down, down)), SMALLEST ** 2))
  const energies = Array.from({ length: ORIENTATIONS }, (_, k) => {
    const angle = (2 * Math.PI * k) / ORIENTATIONS
    const cosine = tf.minimum(
      tf.relu(tf.div(tf.add(tf.mul(across, Math.cos(angle)), tf.mul(down, Math.sin(angle))), length)),
      1
    )
    return tf.mul(length, tf.relu(tf.sub(1, tf.mul(arccosine(cosine), ORIENTATIONS / (2 * Math.PI)))))
  })
  // Each orientation becomes an image, so that one kernel serves all.
  const maps = tf.pad4d(tf.concat(energies, 0) as tf.Tensor4D, [
    [0, 0],
    [CELL, CELL],
    [CELL, CELL],
    [0, 0]
  ])
  const shared = tf.conv2d(
    maps,
    tf.tensor4d(
      TRIANGLE.flatMap((a) => TRIANGLE.map((b) => a * b)),
      [2 * CELL, 2 * CELL, 1, 1]
    ),
    CELL,
    'valid'
  )
  const corners = tf.transpose(
    tf.reshape(shared, [ORIENTATIONS, n, rows + 1, columns + 1]),
    [1, 2, 3, 0]
  ) as tf.Tensor4D
  const around = tf.pad4d(corners, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0]
  ])
  const parts = Array.from({ length: CELLS * CELLS }, (_, cell) => {
    const [row, column] = [Math.floor(cell / CELLS), cell % CELLS]
    return tf.mul(
      tf.slice(around, [0, row, column, 0], [n, rows, columns, ORIENTATIONS]),
      windowWeight(row) * windowWeight(column)
    )
  })
  return ofLengthOne(tf.minimum(ofLengthOne(tf.concat(parts, 3)), CLIP)) as tf.Tensor4D
}

/** 1 where a pixel and its four neighbours have data; pixels beyond the border count as data. */
function reachesData(valid: tf.Tensor4D): tf.Tensor {
  const lacking = tf.conv2d(tf.sub(1, valid) as tf.Tensor4D, tf.tensor4d(NEIGHBOURS, [3, 3, 1, 1]), 1, 'same')
  return tf.relu(tf.sub(1, lacking))
}

const NEIGHBOURS = [0, 1, 0, 1, 1, 1, 0, 1, 0]
/** Central differences, across and down. */
const SLOPES = [0, 0, 0, -0.5, 0, 0, -0.5, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0]
/** Weight of a pixel for a cell, by its distance from the cell's middle. */
const TRIANGLE = Array.from({ length: 2 * CELL }, (_, i) => 1 - Math.abs(i + 0.5 - CELL) / CELL)
const windowWeight = (cell: number): number => Math.exp(-(((cell - (CELLS - 1) / 2) * CELL) ** 2) / (2 * SIGMA ** 2))

/** Arccosine of 0…1 by Abramowitz and Stegun 4.4.45, to 7·10⁻⁵. */
function arccosine(x: tf.Tensor): tf.Tensor {
  const terms = [-0.0187293, 0.074261, -0.2121144, 1.5707288]
  const polynomial = terms
    .slice(1)
    .reduce<tf.Tensor>((sum, term) => tf.add(tf.mul(sum, x), term), tf.add(tf.zerosLike(x), terms[0]))
  return tf.mul(tf.sqrt(tf.sub(1, x)), polynomial)
}

const ofLengthOne = (x: tf.Tensor): tf.Tensor => tf.div(x, tf.add(tf.sqrt(tf.sum(tf.mul(x, x), 3, true)), SMALLEST))
