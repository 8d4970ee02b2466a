/** Answers commands from Electron's main process or from the process that started this one. */
import { constants, setPriority } from 'node:os'
import sharp from 'sharp'
import { createEngine } from './engine.ts'
import { parentPort, receiveFromSibling } from './runtime/siblings.ts'

// The readers cache pixels themselves, and the decoder's cache would keep users' files open.
sharp.cache(false)
if (parentPort) {
  const port = parentPort
  // The window and its frames come first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const engine = createEngine((message) => port.postMessage(message))
  port.on('message', ({ data }) => void (receiveFromSibling(data) || engine.receive(data)))
} else {
  const engine = createEngine((message) => process.send?.(message, undefined, undefined, () => undefined))
  process.on('message', (message) => engine.receive(message))
}
