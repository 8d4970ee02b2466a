/** Decodes images and cuts training crops on its own thread, ahead of the trainer. */
import { parentPort } from 'node:worker_threads'
import type { CropRequest, CropReply, CropSourceConfig } from './cropSource.ts'
import { TesseraError } from '../contract/errors.ts'
import type { CatalogueImage } from '../contract/imagery.ts'
import { PictureReader, imageByArea, planar, scaledSize } from '../imagery/pictures.ts'
import { standardise } from '../imagery/statistics.ts'
import { integerBelow, uniformFrom } from '../learning/random.ts'
import { type Batch, type ViewPair, drawDisplacements, emptyBatch, geometryOf, sampleViewPair, writePair } from '../learning/views/pairs.ts'
import { randomPart, resample, samplingOf } from '../learning/views/warp.ts'

const BATCH_STREAM = 2

function createCropper(config: CropSourceConfig): (step: number) => Promise<{ batch: Batch; unreadable: CropReply['unreadable'] }> {
  const { shape, views, seed } = config
  const reader = new PictureReader(config.folder, config.scale, shape.bands)
  let images = config.images
  let imageAt = imageByArea(images, config.scale)
  const crop = { width: shape.crop, height: shape.crop }

  const secondView = async (image: CatalogueImage, { top, left }: { top: number; left: number }, pair: ViewPair, first: Float32Array): Promise<Float32Array> => {
    const { rows, columns } = pair.shift
    if (pair.bends.length === 0) {
      return rows === 0 && columns === 0 ? Float32Array.from(first) : planar(await reader.read(image, { left: left + columns, top: top + rows, ...crop }))
    }
    const sampling = samplingOf(geometryOf(pair), shape.crop)
    const { height, width } = sampling
    const around = await reader.read(image, { left: left + sampling.left, top: top + sampling.top, height, width })
    return resample(planar(around), sampling, shape.bands)
  }

  return async (step) => {
    const uniform = uniformFrom(seed, BATCH_STREAM, step)
    const batch = emptyBatch(shape)
    const displacements = drawDisplacements(shape, uniform)
    const unreadable: CropReply['unreadable'] = []
    for (let index = 0; index < shape.pairs; ) {
      if (images.length === 0) throw new TesseraError('NoReadableImages', { path: config.folder, files: config.images.length })
      const image = imageAt(uniform())
      const pair = sampleViewPair(views, shape.bands, shape.crop, uniform)
      const place = (side: number, shift: number): [number, number] => {
        const room = side - shape.crop
        const bounded = Math.max(-room, Math.min(room, shift))
        return [integerBelow(room - Math.abs(bounded) + 1, uniform) + Math.max(0, -bounded), bounded]
      }
      const size = scaledSize(image, config.scale)
      const [top, rows] = place(size.height, pair.shift.rows)
      const [left, columns] = place(size.width, pair.shift.columns)
      try {
        if (config.smallestPart !== undefined) {
          const whole = planar(await reader.whole(image))
          const part = (): Float32Array => randomPart(whole, size.width, shape.bands, shape.crop, config.smallestPart!, uniform)
          writePair(batch, shape, index++, pair, displacements, part(), part(), (values) => standardise(values, config.statistics))
          continue
        }
        const first = planar(await reader.read(image, { left, top, ...crop }))
        const placed = { ...pair, shift: { rows, columns } }
        const second = await secondView(image, { top, left }, placed, first)
        writePair(batch, shape, index, placed, displacements, first, second, (values) => standardise(values, config.statistics))
        index++
      } catch (fault) {
        if (!(fault instanceof TesseraError) || fault.name !== 'UnreadableImage') throw fault
        unreadable.push({ path: image.path, reason: String(fault.details.reason) })
        images = images.filter(({ path }) => path !== image.path)
        imageAt = imageByArea(images, config.scale)
      }
    }
    return { batch, unreadable }
  }
}

const port = parentPort!
let cut: ReturnType<typeof createCropper> | undefined

/** Batches are made one after the other: their order decides which images have been found unreadable. */
let queue: Promise<void> = Promise.resolve()

port.on('message', (request: CropRequest) => {
  if (request.kind === 'configure') {
    cut = createCropper(request.config)
    return
  }
  queue = queue.then(async () => {
    try {
      const { batch, unreadable } = await cut!(request.step)
      const reply: CropReply = { step: request.step, batch, unreadable }
      port.postMessage(reply, Object.values(batch).map(({ buffer }: Float32Array) => buffer as ArrayBuffer))
    } catch (fault) {
      const error = fault instanceof TesseraError ? fault.toJSON() : { name: 'InternalError' as const, details: { reason: (fault as Error).message } }
      port.postMessage({ step: request.step, unreadable: [], error } satisfies CropReply)
    }
  })
})
