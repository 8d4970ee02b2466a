/** Entry point of the process that makes pictures for the window, so that neither it nor a job waits for a decoder. */
import { availableParallelism, constants, setPriority } from 'node:os'
import sharp from 'sharp'
import { type MadePicture, type PictureRequest, toPictures } from '../../contract/pictures.ts'
import { asSmaltiError } from '../../contract/errors.ts'
import { heatTile } from './heatTile.ts'
import { labelTile } from './labelTile.ts'
import { patch, thumbnail, tile } from './pictures.ts'
import { valuesAt } from './values.ts'

interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
}
const { parentPort } = process as unknown as { parentPort: ParentPort }

// What is drawn already goes on moving while pictures are made.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

/** Pictures that are made at a time: one core is the window's. */
const AT_A_TIME = Math.max(1, Math.min(4, availableParallelism() - 1))
sharp.concurrency(1)

interface Wanted {
  id: number
  request: PictureRequest
  controller: AbortController
}
/** What was asked for last is in sight now, and comes first. */
const waiting: Wanted[] = []
const running = new Map<number, Wanted>()

function make(request: PictureRequest, signal: AbortSignal): Promise<MadePicture> {
  switch (request.kind) {
    case 'thumbnail':
      return thumbnail(request, signal)
    case 'patch':
      return patch(request)
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

function next(): void {
  while (running.size < AT_A_TIME && waiting.length > 0) {
    const wanted = waiting.pop()!
    const { id, request, controller } = wanted
    running.set(id, wanted)
    void make(request, controller.signal)
      .then((picture) => parentPort.postMessage({ id, picture }), (fault: unknown) => parentPort.postMessage({ id, fault: asSmaltiError(fault).message }))
      .finally(() => {
        running.delete(id)
        next()
      })
  }
}

parentPort.on('message', ({ data }) => {
  const message = toPictures.parse(data)
  if (message.say === 'make') waiting.push({ id: message.id, request: message.request, controller: new AbortController() })
  else {
    running.get(message.id)?.controller.abort()
    const place = waiting.findIndex(({ id }) => id === message.id)
    if (place >= 0) waiting.splice(place, 1)
  }
  next()
})
