import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Files and folders among a program's arguments, by path or `file://` address, that are there. */
export function pathsOf(args: readonly string[], workingDirectory: string): string[] {
  return args
    .filter((arg) => arg !== '' && !arg.startsWith('-'))
    .map((arg) => (arg.startsWith('file://') ? fromAddress(arg) : resolve(workingDirectory, arg)))
    .filter((path) => path !== undefined && existsSync(path)) as string[]
}

function fromAddress(address: string): string | undefined {
  try {
    return fileURLToPath(address)
  } catch {
    // An address of another machine, or none at all.
    return undefined
  }
}
