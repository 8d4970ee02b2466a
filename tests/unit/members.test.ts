import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { executeEagerly } from '../../src-main/backends/eager.ts'
import { type Architecture, featureChannels, headChannels, initialWeights, layerName, trunk } from '../../src-main/learning/network/architecture.ts'
import { foldWeights, inferenceFeatures } from '../../src-main/learning/network/forward.ts'
import { normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { initialState, trainingStep } from '../../src-main/learning/trainingStep.ts'
import { stepFixture } from '../fixtures/step.ts'

const MEMBERS = 3
const single: Architecture = { bands: 3, layers: trunk('8,8,M,12s2', 1), statistics: [5], heads: [{ name: 'A', clusters: 5, subHeads: 2 }] }
const several: Architecture = { ...single, members: MEMBERS, heads: [{ ...single.heads[0], subHeads: 2 * MEMBERS }] }
const shape = { pairs: 2, crop: 16 }
const state = initialState(trainingStep(several, shape), initialWeights(several, normalFrom(uniformFrom(1))))

/** The weights of one member, by the names that they have in a network of its own. */
function alone(values: Record<string, Float32Array>, member: number): Record<string, Float32Array> {
  const layers = single.layers.flatMap((layer, index) => (layer.kind === 'convolution' ? [index] : []))
  const ofLayer = (name: string): boolean => layers.some((index) => name.startsWith(`${layerName(0, index)}/`))
  return Object.fromEntries(
    Object.keys(trainingStep(single, shape).state).map((name) => {
      if (ofLayer(name)) return [name, values[name.replace(/^trunk(\d+)/, (_, layer: string) => layerName(member, Number(layer)))]]
      const all = values[name]
      return [name, all.slice((member * all.length) / MEMBERS, ((member + 1) * all.length) / MEMBERS)]
    })
  )
}

describe('members', () => {
  it('learn as each would by itself: the same joints, and gradients that differ by the share of the loss', async () => {
    const { inputs } = stepFixture()
    const together = executeEagerly('cpu', trainingStep(several, shape), state)
    const found = await together.run(inputs)
    const after = await together.readState()
    for (let member = 0; member < MEMBERS; member++) {
      const apart = executeEagerly('cpu', trainingStep(single, shape), alone(state, member))
      const expected = await apart.run(inputs)
      for (const subHead of [0, 1]) expect(found[`jointA${2 * member + subHead}`]).toEqual(expected[`jointA${subHead}`])
      const [mine, its] = [alone(after, member), await apart.readState()]
      for (const name of Object.keys(its).filter((key) => key.endsWith('/moment1'))) {
        its[name].forEach((gradient, i) => expect(MEMBERS * mine[name][i], name).toBeCloseTo(gradient, 5))
      }
    }
  })

  it('show a refitted head what all of them see, and the statistics once', () => {
    const folded = foldWeights(several, state)
    const images = tf.randomNormal([1, 3, 16, 16], 0, 1, 'float32', 5) as tf.Tensor4D
    const shapes = Object.fromEntries(Object.entries(folded).map(([name, values]) => {
      const sides = trainingStep(several, shape).state
      return [name, tf.tensor(values, [...(sides[name] ?? [values.length])])]
    }))
    const { all, seen } = inferenceFeatures(several, shapes, images)
    expect(seen.map((features) => features.shape[3])).toEqual(Array(MEMBERS).fill(headChannels(several)))
    expect(all.shape[3]).toBe(featureChannels(several))
    const trunks = seen.map((features) => tf.slice(features, [0, 0, 0, 0], [...features.shape.slice(0, 3), 12]))
    const statistics = tf.slice(seen[0], [0, 0, 0, 12], [...seen[0].shape.slice(0, 3), headChannels(several) - 12])
    expect(all.dataSync()).toEqual(tf.concat([...trunks, statistics], 3).dataSync())
  })
})
