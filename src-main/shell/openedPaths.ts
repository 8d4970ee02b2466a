import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Returns the files and folders among a program's arguments, given as paths or `file://` URLs. Whether they exist turns
 * out when they are opened.
 */
export function pathsOf(args: readonly string[], workingDirectory: string): string[] {
  return args
    .filter((arg) => arg !== '' && !arg.startsWith('-'))
    .map((arg) => (arg.startsWith('file://') ? fromAddress(arg) : resolve(workingDirectory, arg)))
}

function fromAddress(address: string): string {
  try {
    return fileURLToPath(address)
  } catch {
    // A URL of another machine, or an invalid one: opening it will fail and say so.
    return address
  }
}
