/** Cuts training crops on a thread of its own, ahead of the trainer. */
import { parentPort } from 'node:worker_threads'
import { SmaltiError } from '../../contract/errors.ts'
import type { CropReply, CropRequest } from './cropSource.ts'
import { createCropper } from './cropper.ts'

const port = parentPort!
let cut: ReturnType<typeof createCropper> | undefined

/** Batches are made one after the other, so that the next one is ready as soon as possible. */
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
      port.postMessage(
        reply,
        Object.values(batch).map(({ buffer }: Float32Array) => buffer as ArrayBuffer)
      )
    } catch (fault) {
      const error =
        fault instanceof SmaltiError
          ? fault.toJSON()
          : { name: 'InternalError' as const, details: { reason: (fault as Error).message } }
      port.postMessage({ step: request.step, unreadable: [], error } satisfies CropReply)
    }
  })
})
