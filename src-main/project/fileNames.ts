import { createHash } from 'node:crypto'

/** Most UTF-8 bytes in a file name. NTFS counts UTF-16 units, of which there are never more. */
export const LONGEST_NAME = 255

export const bytesOf = (text: string): number => Buffer.byteLength(text)

/** Returns the beginning of a text that fits into a number of bytes, without splitting a character. */
export function firstBytes(text: string, bytes: number): string {
  let [end, used] = [0, 0]
  for (const character of text) {
    used += bytesOf(character)
    if (used > bytes) break
    end += character.length
  }
  return text.slice(0, end)
}

/** Returns hexadecimal digits that identify a text. */
export const hashOf = (text: string, digits = 8): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits)

/** Shortens a name that has too many bytes, and ends it with a hash. */
export const shortened = (name: string, bytes: number, hash: string): string =>
  bytesOf(name) <= bytes ? name : `${firstBytes(name, bytes - hash.length - 1)}-${hash}`

const foldedLetter = (letter: string): string => {
  const upper = letter.toUpperCase()
  // File systems don't fold letters that become several, such as ß.
  return (upper.length === letter.length ? upper : letter).toLowerCase()
}

/**
 * Folds a path as the least discerning file system does: ignores letter case, composes letters, drops dots and spaces
 * at the end of each component.
 */
export function folded(path: string): string {
  const composed = path.normalize('NFC')
  const letters = /^[\x00-\x7f]*$/.test(composed)
    ? composed.toLowerCase()
    : Array.from(composed, foldedLetter).join('').normalize('NFC')
  return letters
    .split('/')
    .map((part) => part.replace(/[. ]+$/, ''))
    .join('/')
}

/** Names that Windows reserves for devices, with any extension. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?= *(\.|$))/i
/** Characters that Windows forbids. Other systems allow them, so names stay unchanged there. */
const FORBIDDEN = process.platform === 'win32' ? /[<>:"\\|?*\p{Cc}]/gu : undefined

/** Makes a path component that can be written on this system and read on others. */
export function portable(component: string): string {
  const allowed = FORBIDDEN ? component.replace(FORBIDDEN, '_') : component
  return allowed.replace(DEVICE, '$1_')
}

/** Returns the number of hash digits that distinguish names at a level. */
export const digitsAt = (level: number): number => Math.min(64, 8 * Math.max(1, level - 1))

/**
 * Finds names for paths that no file system confuses, whatever the order of the paths. Paths with conflicting names
 * move to the next level.
 * @param nameAt   returns a path's name; from level 2 on it contains a hash of the path with `digitsAt` digits
 * @param isTaken  whether something else already has a name; `isNamed` says whether a path has it
 */
export function distinctNames(
  paths: readonly string[],
  nameAt: (path: string, level: number) => string,
  isTaken: (name: string, isNamed: (name: string) => boolean) => boolean = () => false
): Map<string, string> {
  const levels = new Map(paths.map((path) => [path, 0]))
  for (;;) {
    const names = new Map([...levels].map(([path, level]) => [path, nameAt(path, level)]))
    const byName = new Map<string, string[]>()
    for (const [path, name] of names) {
      const key = folded(name)
      const sharing = byName.get(key)
      if (sharing) sharing.push(path)
      else byName.set(key, [path])
    }
    const isNamed = (name: string): boolean => byName.has(folded(name))
    const meeting = [...byName.values()].flatMap((sharing) => {
      const taken = sharing.filter((path) => isTaken(names.get(path)!, isNamed))
      if (taken.length > 0 || sharing.length === 1) return taken
      const least = Math.min(...sharing.map((path) => levels.get(path)!))
      return sharing.filter((path) => levels.get(path) === least)
    })
    if (meeting.length === 0) return names
    for (const path of meeting) levels.set(path, levels.get(path)! + 1)
  }
}
