import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Files and folders among a program's arguments, by path or `file://` address; whether they are there, opening them tells. */
export function pathsOf(args: readonly string[], workingDirectory: string): string[] {
  return args
    .filter((arg) => arg !== '' && !arg.startsWith('-'))
    .map((arg) => (arg.startsWith('file://') ? fromAddress(arg) : resolve(workingDirectory, arg)))
}

function fromAddress(address: string): string {
  try {
    return fileURLToPath(address)
  } catch {
    // An address of another machine, or none at all: nothing is found there, and that is told.
    return address
  }
}
