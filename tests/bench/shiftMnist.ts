/**
 * Measures what the manifold layer (Klindt et al. 2019) protects a classifier from: `npm run bench -- shiftMnist
 * [steps] [seeds] [only]`. Digits contain a pixel whose position gives their class away, and the classifier is
 * evaluated on digits without it. The filters of the layer's first convolution are drawn at their places in its
 * embedding.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs-core'
import { drawFilters, neighbourSimilarity } from './filterMap.ts'
import { onnxruntimeBackend } from '../../src-main/backends/onnxruntime.ts'
import type { NamedTensors, Program, Shape } from '../../src-main/backends/program.ts'
import { convolution } from '../../src-main/learning/network/forward.ts'
import { applied, dense } from '../../src-main/learning/methods/method.ts'
import { latentInformation, latentOf } from '../../src-main/learning/manifold.ts'
import { integerBelow, normalFrom, uniformFrom } from '../../src-main/learning/random.ts'
import { adam, correctedRate } from '../../src-main/learning/trainingStep.ts'

const [steps = '600', seeds = '1', only = ''] = process.argv.slice(2)
const FOLDER = '../shared/data/mnist10k'
const [SIDE, CLASSES, TRAIN] = [28, 10, 8000]
const [BATCH, CHANNELS, KERNEL, UNITS, AXES] = [64, 64, [9, 5], 128, 8] as const
const [RATE, JUDGED, PLACES] = [1e-3, 500, 256]
const SHARPEST = 0.1

interface Variant {
  name: string
  l2?: number
  /** A further term to maximise, and its weight. */
  more?: { what: 'y' | 'z'; weight: number }
}
const VARIANTS: Variant[] = [
  { name: 'CE' },
  ...[1e-3].map((l2) => ({ name: `CE + L2 (${l2})`, l2 })),
  ...[0.1].map((weight) => ({ name: `max I[y;x] (${weight})`, more: { what: 'y' as const, weight } })),
  ...[0.1, 1].map((weight) => ({ name: `max H[y] + I[z;x] (${weight})`, more: { what: 'z' as const, weight } }))
]

const LAYERS = [0, 1].map((layer) => ({
  filter: `conv${layer}/filter`,
  bias: `conv${layer}/bias`,
  places: `conv${layer}/places`
}))
const SMALL = [(SIDE / 2) ** 2, (SIDE / 4) ** 2]
/**
 * Shapes of the weights. The manifold layer replaces ReLU: a softmax over channels, then the position in the embedding.
 */
const shapesOf = ({ more }: Variant): Record<string, Shape> => {
  const passed = more ? AXES : CHANNELS
  return {
    [LAYERS[0].filter]: [KERNEL[0], KERNEL[0], 1, CHANNELS],
    [LAYERS[0].bias]: [CHANNELS],
    [LAYERS[1].filter]: [KERNEL[1], KERNEL[1], passed, CHANNELS],
    [LAYERS[1].bias]: [CHANNELS],
    ...(more && { [LAYERS[0].places]: [CHANNELS, AXES], [LAYERS[1].places]: [CHANNELS, AXES] }),
    ...Object.fromEntries(
      Object.entries({ ...dense('units', SMALL[1] * passed, UNITS), ...dense('answer', UNITS, CLASSES) }).map(
        ([name, { shape }]) => [name, shape]
      )
    )
  }
}

interface Seen {
  logits: tf.Tensor2D
  layers: { activity: tf.Tensor2D; places: tf.Tensor2D }[]
}

function network(variant: Variant, weights: NamedTensors, images: tf.Tensor4D): Seen {
  const layers: Seen['layers'] = []
  let x = tf.transpose(images, [0, 2, 3, 1]) as tf.Tensor4D
  LAYERS.forEach(({ filter, bias, places }) => {
    const map = tf.add(convolution(x, weights[filter] as tf.Tensor4D, 1, 1), weights[bias]) as tf.Tensor4D
    if (!variant.more) {
      x = tf.maxPool(tf.relu(map), 2, 2, 'valid')
      return
    }
    const activity = tf.softmax(map) as tf.Tensor4D
    const pooled = tf.avgPool(activity, 2, 2, 'valid')
    const [n, h, w] = pooled.shape
    const flat = tf.reshape(pooled, [n * h * w, CHANNELS]) as tf.Tensor2D
    layers.push({ activity: flat, places: weights[places] as tf.Tensor2D })
    x = tf.reshape(tf.matMul(flat, weights[places] as tf.Tensor2D), [n, h, w, AXES]) as tf.Tensor4D
  })
  const flat = tf.reshape(x, [x.shape[0], x.size / x.shape[0]])
  return { logits: applied('answer', weights, tf.relu(applied('units', weights, flat))), layers }
}

const entropy = (p: tf.Tensor): tf.Tensor => tf.neg(tf.sum(tf.mul(p, tf.log(tf.add(p, 1e-7))), -1))

function stepOf(variant: Variant): Program {
  const shapes = shapesOf(variant)
  const names = Object.keys(shapes)
  return {
    name: 'shiftMNIST',
    inputs: {
      images: [BATCH, 1, SIDE, SIDE],
      answers: [BATCH, CLASSES],
      noise: [PLACES, AXES],
      picks0: [PLACES],
      picks1: [PLACES],
      rate: [1]
    },
    state: Object.fromEntries(
      names.flatMap((name) => ['', '/moment1', '/moment2'].map((part) => [`${name}${part}`, shapes[name]]))
    ),
    outputs: ['loss'],
    evaluate(fed, weights) {
      const loss = (...values: tf.Tensor[]): tf.Scalar => {
        const current = Object.fromEntries(names.map((name, i) => [name, values[i]]))
        const { logits, layers } = network(variant, current, fed.images as tf.Tensor4D)
        const terms: tf.Tensor[] = [
          tf.neg(tf.mean(tf.sum(tf.mul(fed.answers, tf.log(tf.add(tf.softmax(logits), 1e-7))), 1)))
        ]
        if (variant.l2) terms.push(tf.mul(tf.addN(values.map((value) => tf.sum(tf.mul(value, value)))), variant.l2))
        layers.forEach(({ activity, places }, layer) => {
          const picked = tf.gather(activity, tf.cast(fed[`picks${layer}`], 'int32') as tf.Tensor1D) as tf.Tensor2D
          const usage = entropy(tf.mean(picked, 0))
          const told =
            variant.more!.what === 'y'
              ? tf.neg(tf.mean(entropy(picked)))
              : latentInformation(latentOf(picked, places, SHARPEST), fed.noise)
          terms.push(tf.mul(tf.add(usage, told), -variant.more!.weight))
        })
        return tf.sum(tf.addN(terms.map((term) => tf.sum(term)))) as tf.Scalar
      }
      const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => weights[name]))
      const next: NamedTensors = {}
      names.forEach((name, i) => adam(name, weights, grads[i], fed.rate, next))
      return { outputs: { loss: value }, state: next }
    }
  }
}

function judgeOf(variant: Variant): Program {
  return {
    name: 'judge',
    inputs: { images: [JUDGED, 1, SIDE, SIDE] },
    state: shapesOf(variant),
    constantState: true,
    outputs: ['logits'],
    evaluate: (fed, weights) => ({
      outputs: { logits: network(variant, weights, fed.images as tf.Tensor4D).logits },
      state: {}
    })
  }
}

async function digits(): Promise<{ images: Float32Array; labels: Uint8Array }> {
  const [images, labels] = await Promise.all(
    ['images.idx3-ubyte', 'labels.idx1-ubyte'].map((name) => readFile(`${FOLDER}/${name}`))
  )
  return {
    images: Float32Array.from(images.subarray(16), (value) => value / 255),
    labels: Uint8Array.from(labels.subarray(8))
  }
}

/** Copies a digit, with its class's pixel or without. */
function copyDigit(all: Float32Array, at: number, label: number | undefined, into: Float32Array): void {
  into.set(all.subarray(at * SIDE * SIDE, (at + 1) * SIDE * SIDE))
  if (label !== undefined) into[2 + 2 * label] = 1
}

/** Shows how the layer arranges the filters before it. */
async function showFilters(weights: Record<string, Float32Array>, name: string): Promise<void> {
  const [flat, places, side] = [weights[LAYERS[0].filter], weights[LAYERS[0].places], KERNEL[0]]
  const filters = Array.from({ length: CHANNELS }, (_, c) =>
    Float32Array.from({ length: side * side }, (_, i) => flat[i * CHANNELS + c])
  )
  const distances = Float64Array.from({ length: CHANNELS * CHANNELS }, (_, i) =>
    Math.hypot(
      ...Array.from(
        { length: AXES },
        (_, axis) => places[Math.floor(i / CHANNELS) * AXES + axis] - places[(i % CHANNELS) * AXES + axis]
      )
    )
  )
  const { near, shuffled } = neighbourSimilarity(filters, distances, uniformFrom(1, 6))
  console.log(
    `${name}: the four filters next to each are alike by ${near.toFixed(3)} (cosine), shuffled ${shuffled.toFixed(3)}`
  )
  await drawFilters(filters, side, distances, 'docs/filters.png')
}

if (!existsSync(FOLDER)) {
  console.log(`SKIPPED: ${FOLDER} is not here`)
  process.exit(0)
}
const { images, labels } = await digits()
const backend = onnxruntimeBackend()
for (const variant of VARIANTS.filter(({ name }) => name.startsWith(only))) {
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const uniform = uniformFrom(seed, 5)
    const normal = normalFrom(uniform)
    const program = stepOf(variant)
    const start = Object.fromEntries(
      Object.entries(program.state).map(([name, shape]) => {
        const length = shape.reduce((a, b) => a * b, 1)
        const still = name.includes('moment') || name.endsWith('bias')
        const deviation = name.endsWith('places') ? 1 : Math.sqrt(2 / shape.slice(0, -1).reduce((a, b) => a * b, 1))
        return [name, Float32Array.from({ length }, () => (still ? 0 : deviation * normal()))]
      })
    )
    const execution = await backend.compile(program, start)
    for (let step = 1; step <= Number(steps); step++) {
      const [batch, answers] = [new Float32Array(BATCH * SIDE * SIDE), new Float32Array(BATCH * CLASSES)]
      for (let i = 0; i < BATCH; i++) {
        const at = integerBelow(TRAIN, uniform)
        copyDigit(images, at, labels[at], batch.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE))
        answers[i * CLASSES + labels[at]] = 1
      }
      const picks = SMALL.map((cells) =>
        Float32Array.from({ length: PLACES }, () => integerBelow(BATCH * cells, uniform))
      )
      await execution.run({
        images: batch,
        answers,
        noise: Float32Array.from({ length: PLACES * AXES }, normal),
        picks0: picks[0],
        picks1: picks[1],
        rate: Float32Array.of(correctedRate(RATE, step))
      })
    }
    const weights = await execution.readState()
    await execution.dispose()
    if (variant.more?.what === 'z' && seed === 1) await showFilters(weights, variant.name)
    const judge = await backend.compile(
      judgeOf(variant),
      Object.fromEntries(Object.keys(shapesOf(variant)).map((name) => [name, weights[name]]))
    )
    const accuracies: number[] = []
    for (const shortcut of [true, false]) {
      let right = 0
      for (let from = TRAIN; from < labels.length; from += JUDGED) {
        const batch = new Float32Array(JUDGED * SIDE * SIDE)
        for (let i = 0; i < JUDGED; i++)
          copyDigit(
            images,
            from + i,
            shortcut ? labels[from + i] : undefined,
            batch.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE)
          )
        const { logits } = await judge.run({ images: batch })
        for (let i = 0; i < JUDGED; i++) {
          const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES)
          right += Number(row.indexOf(Math.max(...row)) === labels[from + i])
        }
      }
      accuracies.push(right / (labels.length - TRAIN))
    }
    await judge.dispose()
    console.log(
      `${variant.name.padEnd(26)} seed ${seed}: with the pixel ${(100 * accuracies[0]).toFixed(1)} %, without ${(100 * accuracies[1]).toFixed(1)} %`
    )
  }
}
process.exit(0)
