import { stat } from 'node:fs/promises'
import { isAddress } from '../../contract/sources.ts'

/** Files kept open between tiles: a view asks for dozens at once. */
const KEPT_OPEN = 4
/** How long one that is no longer kept stays open for tiles that are on their way. */
const GRACE = 10_000

/** Opens files by a key of their state and keeps the last few open. */
export function keepOpen<T extends { close(): Promise<void> }>(): (key: string, open: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, Promise<T>>()
  return (key, open) => {
    const known = kept.get(key)
    kept.delete(key)
    const opened = known ?? open()
    kept.set(key, opened)
    opened.catch(() => kept.delete(key))
    const [oldest] = kept.keys()
    if (kept.size > KEPT_OPEN) {
      const closing = kept.get(oldest)!
      kept.delete(oldest)
      setTimeout(() => void closing.then((file) => file.close()).catch(() => undefined), GRACE).unref()
    }
    return opened
  }
}

/** What tells a file from what it was before. */
export async function stateOf(file: string): Promise<string> {
  if (isAddress(file)) return file
  const { mtimeMs, size } = await stat(file)
  return `${file} ${mtimeMs} ${size}`
}
