/** Reads and prepares windows on a thread of its own, ahead of the network. */
import { parentPort } from 'node:worker_threads'
import { SmaltiError } from '../../contract/errors.ts'
import type { BandStatistics, CatalogueImage } from '../../contract/imagery.ts'
import { PictureReader } from '../../imagery/pictures.ts'
import { standardise } from '../../imagery/statistics.ts'
import type { WindowReply, WindowRequest } from './windowSource.ts'

const port = parentPort!
let reader: PictureReader | undefined
let statistics: BandStatistics = []
let last: CatalogueImage | undefined
const answer = (reply: WindowReply, transfer: ArrayBuffer[] = []): void => port.postMessage(reply, transfer)

port.on('message', (request: WindowRequest) => {
  if (request.kind === 'configure') {
    statistics = request.config.statistics
    reader = new PictureReader(request.config.sight, request.config.keptBytes, ({ path }, share) =>
      answer({ kind: 'copying', path, share })
    )
    return
  }
  const { number, image, window } = request
  // Images come one after the other. Finished ones are forgotten, because many small images would fill the cache.
  if (last && last.path !== image.path) void reader!.forget(last).catch(() => undefined)
  last = image
  void reader!.read(image, window).then(
    ({ values, valid }) => {
      standardise(values, statistics)
      answer({ kind: 'read', number, window: { values, valid } }, [
        values.buffer as ArrayBuffer,
        ...(valid ? [valid.buffer as ArrayBuffer] : [])
      ])
    },
    (fault: unknown) => {
      const error =
        fault instanceof SmaltiError
          ? fault.toJSON()
          : { name: 'InternalError' as const, details: { reason: (fault as Error).message } }
      answer({ kind: 'failed', number, error })
    }
  )
})
