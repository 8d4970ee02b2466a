import * as tf from '@tensorflow/tfjs-core'
import type { NamedTensors, Program, Shape } from '../backends/program.ts'
import { type Architecture, outputStride } from './network/architecture.ts'
import { inferencePass } from './network/forward.ts'

export interface InferenceShape {
  /** Side of the square window read, in input pixels. */
  window: number
  /** Side of the square tile labelled, in output pixels. */
  tile: number
}

/**
 * The network applied to one window: most probable cluster and its probability, at output pixels.
 *
 * Inputs: `image` [1, bands, window, window]; `rows`, `columns` [tile, window/stride], the interpolation from the
 * trunk's resolution to the output pixels. Outputs for each head X: `labelsX`, `confidenceX` [tile, tile].
 *
 * @param subHeads  which sub-head of each head is used
 */
export function inferenceProgram(
  architecture: Architecture,
  folded: Record<string, Float32Array>,
  subHeads: Record<string, number>,
  { window, tile }: InferenceShape
): Program {
  const coarse = window / outputStride(architecture)
  const state: Record<string, Shape> = {}
  let channels = architecture.bands
  architecture.layers.forEach((layer, index) => {
    if (layer.kind === 'pool') return
    state[`trunk${index}/filter`] = [layer.channels, channels, 3, 3]
    state[`trunk${index}/bias`] = [layer.channels]
    channels = layer.channels
  })
  for (const { name, clusters, subHeads: parts } of architecture.heads) {
    state[`head${name}/filter`] = [clusters * parts, channels, 1, 1]
    state[`head${name}/bias`] = [folded[`head${name}/bias`].length]
  }
  const evaluate: Program['evaluate'] = (fed, weights) => {
    const outputs: NamedTensors = {}
    const heatmaps = inferencePass(architecture, weights, fed.image as tf.Tensor4D)
    for (const { name, clusters } of architecture.heads) {
      const planes = tf.reshape(tf.transpose(heatmaps[name][subHeads[name]], [0, 3, 1, 2]), [clusters * coarse, coarse])
      const wide = tf.reshape(tf.matMul(planes, tf.transpose(fed.columns)), [clusters, coarse, tile])
      const rowsFirst = tf.reshape(tf.transpose(wide, [1, 0, 2]), [coarse, clusters * tile])
      const full = tf.reshape(tf.matMul(fed.rows as tf.Tensor2D, rowsFirst), [tile, clusters, tile])
      outputs[`labels${name}`] = tf.cast(tf.argMax(full, 1), 'float32')
      outputs[`confidence${name}`] = tf.max(full, 1)
    }
    return { outputs, state: {} }
  }
  return {
    name: 'inference',
    inputs: { image: [1, architecture.bands, window, window], rows: [tile, coarse], columns: [tile, coarse] },
    state,
    constantState: true,
    outputs: architecture.heads.flatMap(({ name }) => [`labels${name}`, `confidence${name}`]),
    evaluate
  }
}
