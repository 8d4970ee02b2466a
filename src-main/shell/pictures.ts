import { fileURLToPath } from 'node:url'
import { type UtilityProcess, utilityProcess } from 'electron'
import { type MadePicture, type PictureRequest, type ToPictures, fromPictures } from '../contract/pictures.ts'

export interface PictureHost {
  /** @throws Error with a sentence when it cannot be made; when nobody waits for it any more */
  make(request: PictureRequest, view: number, signal?: AbortSignal): Promise<MadePicture>
  /** Nobody waits any more for what a view has asked for. */
  abandon(view: number): void
  stop(): void
}

interface Pending {
  view: number
  resolve(picture: MadePicture): void
  reject(fault: Error): void
}

/** The picture server as a utility process, started at the first picture and again after a crash. */
export function createPictureHost(): PictureHost {
  const pending = new Map<number, Pending>()
  let child: UtilityProcess | undefined
  let last = 0

  function started(): UtilityProcess {
    if (child) return child
    const made = utilityProcess.fork(fileURLToPath(new URL('./pictures.js', import.meta.url)), [], { serviceName: 'Smalti pictures', stdio: 'inherit' })
    made.on('message', (message) => {
      const answer = fromPictures.parse(message)
      const waiting = pending.get(answer.id)
      pending.delete(answer.id)
      if ('picture' in answer) waiting?.resolve(answer.picture)
      else waiting?.reject(new Error(answer.fault))
    })
    made.on('exit', () => {
      if (child !== made) return
      child = undefined
      for (const { reject } of pending.values()) reject(new Error('the picture server stopped'))
      pending.clear()
    })
    return (child = made)
  }
  const tell = (message: ToPictures): void => started().postMessage(message)

  function drop(id: number): void {
    const waiting = pending.get(id)
    if (!waiting) return
    pending.delete(id)
    tell({ say: 'drop', id })
    waiting.reject(new Error('nobody waits for it any more'))
  }

  return {
    make: (request, view, signal) =>
      new Promise((resolve, reject) => {
        const id = ++last
        pending.set(id, { view, resolve, reject })
        signal?.addEventListener('abort', () => drop(id), { once: true })
        tell({ say: 'make', id, request })
      }),
    abandon(view) {
      for (const [id, waiting] of pending) if (waiting.view === view) drop(id)
    },
    stop: () => child?.kill()
  }
}
