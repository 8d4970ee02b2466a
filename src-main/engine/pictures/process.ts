/**
 * Entry point of the picture server, a process of its own, so that neither the window nor a job waits for a decoder.
 */
import { availableParallelism, constants, setPriority } from 'node:os'
import sharp from 'sharp'
import { type MadePicture, type PictureRequest, toPictures } from '../../contract/window/pictures.ts'
import { asSmaltiError } from '../../contract/errors.ts'
import { heatTile } from './heatTile.ts'
import { labelTile } from './labelTile.ts'
import { patch, thumbnail, tile } from './pictures.ts'
import { lastFirst } from './queue.ts'
import { valuesAt } from './values.ts'

interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
}
const { parentPort } = process as unknown as { parentPort: ParentPort }

// The window must keep moving smoothly while pictures are made.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

/** Pictures made at a time: one core is left to the window. */
const AT_A_TIME = Math.max(1, Math.min(4, availableParallelism() - 1))
sharp.concurrency(1)
// The readers cache pixels themselves, and the decoder's cache would keep users' files open.
sharp.cache(false)

function make(request: PictureRequest, signal: AbortSignal): Promise<MadePicture> {
  switch (request.kind) {
    case 'thumbnail':
      return thumbnail(request, signal)
    case 'patch':
      return patch(request, signal)
    case 'tile':
      return tile(request, signal)
    case 'labels':
      return labelTile(request, signal)
    case 'heat':
      return heatTile(request, signal)
    case 'values':
      return valuesAt(request, signal)
  }
}

const queue = lastFirst(AT_A_TIME, make)

parentPort.on('message', ({ data }) => {
  const message = toPictures.parse(data)
  if (message.say === 'drop') queue.drop(message.id)
  else {
    const { id, request } = message
    queue.ask(id, request).then(
      (picture) => picture && parentPort.postMessage({ id, picture }),
      (fault: unknown) => parentPort.postMessage({ id, fault: asSmaltiError(fault).message })
    )
  }
})
