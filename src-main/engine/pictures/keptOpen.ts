import { stat } from 'node:fs/promises'
import { isAddress } from '../../contract/sources.ts'
import { type SharedWork, sharedWork } from '../../imagery/reading/sharedWork.ts'

/** Files that stay open between tiles, of which a view asks for dozens at once. */
const MOST_OPEN = 4

/** Keeps the files that were used last open. */
export const keepOpen = <T extends { close(): Promise<void> }>(): SharedWork<T> =>
  sharedWork({ most: MOST_OPEN, end: (file) => file.close() })

/** What tells a file from what it was before. */
export async function stateOf(file: string): Promise<string> {
  if (isAddress(file)) return file
  const { mtimeMs, size } = await stat(file)
  return `${file} ${mtimeMs} ${size}`
}
