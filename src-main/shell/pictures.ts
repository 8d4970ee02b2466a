import { fileURLToPath } from 'node:url'
import { type UtilityProcess, utilityProcess } from 'electron'
import { type MadePicture, type PictureRequest, type ToPictures, fromPictures } from '../contract/window/pictures.ts'

/** Thrown when nobody waits for a picture any more. */
export class Abandoned extends Error {}

/** Makes the pictures that the window requests. */
export interface PictureHost {
  /** Makes a picture. @throws Error with a sentence for the user; Abandoned */
  make(request: PictureRequest, view: number, signal?: AbortSignal): Promise<MadePicture>
  /** Drops the requests of a view. */
  abandon(view: number): void
  stop(): void
}

interface Pending {
  view: number
  request: PictureRequest
  /** The server stopped while it made this picture, so it is retried alone. */
  suspect: boolean
  resolve(picture: MadePicture): void
  reject(fault: Error): void
}

/**
 * Runs the picture server as a utility process. It starts with the first picture, and again after a crash. The pictures
 * it was making then are retried one at a time; only the one that crashes it again is given up.
 */
export function createPictureHost(): PictureHost {
  const pending = new Map<number, Pending>()
  let child: UtilityProcess | undefined
  let last = 0
  /** Numbers of the pictures waiting to be retried alone. */
  let suspects: number[] = []

  function started(): UtilityProcess {
    if (child) return child
    const made = utilityProcess.fork(fileURLToPath(new URL('./pictures.js', import.meta.url)), [], {
      serviceName: 'Smalti pictures',
      stdio: 'inherit'
    })
    made.on('message', (message) => {
      const answer = fromPictures.parse(message)
      const waiting = pending.get(answer.id)
      pending.delete(answer.id)
      if ('picture' in answer) waiting?.resolve(answer.picture)
      else waiting?.reject(new Error(answer.fault))
      if (waiting?.suspect) makeNextSuspect()
    })
    made.on('exit', () => {
      if (child !== made) return
      child = undefined
      const waiting = new Set(suspects)
      for (const [id, picture] of pending) {
        if (waiting.has(id)) continue
        if (picture.suspect) {
          pending.delete(id)
          picture.reject(new Error('the image process stopped'))
        } else {
          picture.suspect = true
          suspects.push(id)
        }
      }
      makeNextSuspect()
    })
    return (child = made)
  }
  function makeNextSuspect(): void {
    const [id, ...others] = suspects
    suspects = others
    const picture = id === undefined ? undefined : pending.get(id)
    if (picture) tell({ say: 'make', id, request: picture.request })
  }
  const tell = (message: ToPictures): void => started().postMessage(message)

  function drop(id: number): void {
    const waiting = pending.get(id)
    if (!waiting) return
    pending.delete(id)
    if (suspects.includes(id)) suspects = suspects.filter((other) => other !== id)
    else {
      tell({ say: 'drop', id })
      if (waiting.suspect) makeNextSuspect()
    }
    waiting.reject(new Abandoned('nobody waits for it any more'))
  }

  return {
    make: (request, view, signal) =>
      new Promise((resolve, reject) => {
        const id = ++last
        pending.set(id, { view, request, suspect: false, resolve, reject })
        signal?.addEventListener('abort', () => drop(id), { once: true })
        tell({ say: 'make', id, request })
      }),
    abandon(view) {
      for (const [id, waiting] of pending) if (waiting.view === view) drop(id)
    },
    stop() {
      for (const { reject } of pending.values()) reject(new Error('Smalti is closing'))
      pending.clear()
      child?.kill()
    }
  }
}
