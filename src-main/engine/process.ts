/** Entry point of the process that computes: under Electron a utility process, else a child process. */
import { constants, setPriority } from 'node:os'
import { createEngine } from './engine.ts'

interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void
  postMessage(message: unknown): void
}
const { parentPort } = process as unknown as { parentPort?: ParentPort }

if (parentPort) {
  // The window and its frames come first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const engine = createEngine((message) => parentPort.postMessage(message))
  parentPort.on('message', ({ data }) => engine.receive(data))
} else {
  const engine = createEngine((message) => process.send?.(message))
  process.on('message', (message) => engine.receive(message))
  process.on('disconnect', () => process.exit())
  // The command line cancels by message; the terminal's own signal reaches the whole process group.
  process.on('SIGINT', () => undefined)
}
