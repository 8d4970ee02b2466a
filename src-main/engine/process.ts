/** Entry point of the process that computes: under Electron a utility process, else a child process. */
import { constants, setPriority } from 'node:os'
import { createEngine } from './engine.ts'
import { parentPort, receiveFromSibling } from './siblings.ts'

if (parentPort) {
  const port = parentPort
  // The window and its frames come first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const engine = createEngine((message) => port.postMessage(message))
  port.on('message', ({ data }) => void (receiveFromSibling(data) || engine.receive(data)))
} else {
  const engine = createEngine((message) => process.send?.(message))
  process.on('message', (message) => engine.receive(message))
  process.on('disconnect', () => process.exit())
}
// The command line cancels by message; the terminal's own signal reaches the whole process group.
process.on('SIGINT', () => undefined)
