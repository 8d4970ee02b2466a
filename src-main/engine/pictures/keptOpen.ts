import { stat } from 'node:fs/promises'
import { isAddress } from '../../contract/sources.ts'
import { type SharedWork, sharedWork } from '../../imagery/reading/sharedWork.ts'

/** Files kept open between tiles: a view asks for dozens of tiles at once. */
const MOST_OPEN = 4

/** Keeps the most recently used files open. */
export const keepOpen = <T extends { close(): Promise<void> }>(): SharedWork<T> =>
  sharedWork({ most: MOST_OPEN, end: (file) => file.close() })

/** Returns a text that differs once the file has changed. */
export async function stateOf(file: string): Promise<string> {
  if (isAddress(file)) return file
  const { mtimeMs, size } = await stat(file)
  return `${file} ${mtimeMs} ${size}`
}
