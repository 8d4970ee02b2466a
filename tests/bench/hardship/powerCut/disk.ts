import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { type Uniform, integerBelow } from '../../../../src-main/learning/random.ts'

/** An operation on files, as `record.mjs` writes it to the journal. */
export interface Noted {
  op: 'open' | 'look' | 'write' | 'truncate' | 'sync' | 'rename' | 'remove' | 'mkdir' | 'mark'
  path: string
  from: string
  to: string
  handle: string
  at: number
  length: number
  isNew: boolean
  empties: boolean
  name: string
  data: Buffer
}

export async function readJournal(file: string): Promise<Noted[]> {
  const all = await readFile(file)
  const noted: Noted[] = []
  for (let at = 0; at < all.length;) {
    const end = all.indexOf(10, at)
    const { bytes, ...entry } = JSON.parse(all.toString('utf8', at, end)) as Noted & { bytes: number }
    noted.push({ ...entry, data: all.subarray(end + 1, end + 1 + bytes) })
    at = end + 1 + bytes
  }
  return noted
}

type Change = { at: number; data: Buffer } | { length: number }
/** A file's content: as of the last fsync, and the changes since. */
interface Inode {
  synced: Buffer
  later: Change[]
}
/** Changes of the names in a folder since its last fsync; each happens completely or not at all, in order. */
interface Naming {
  add?: [name: string, inode: Inode]
  remove?: string
}
interface Folder {
  names: Map<string, Inode>
  later: Naming[]
}

function changed(content: Buffer, change: Change): Buffer {
  if ('length' in change)
    return change.length <= content.length
      ? content.subarray(0, change.length)
      : Buffer.concat([content, Buffer.alloc(change.length - content.length)])
  const grown = Buffer.alloc(Math.max(content.length, change.at + change.data.length))
  content.copy(grown)
  change.data.copy(grown, change.at)
  return grown
}

/** A disk on which only flushed data is certain to survive. */
export class Disk {
  readonly folders = new Map<string, Folder>()
  readonly #handles = new Map<string, { inode?: Inode; folder?: string }>()

  /** Loads a folder as it is, all of it flushed. */
  async load(root: string): Promise<void> {
    for (const name of ['', ...(await readdir(root, { recursive: true }))]) {
      const path = join(root, name)
      if ((await stat(path)).isDirectory()) this.#folder(path)
      else this.#folder(dirname(path)).names.set(path, { synced: await readFile(path), later: [] })
    }
  }

  #folder(path: string): Folder {
    const known = this.folders.get(path)
    if (known) return known
    const made = { names: new Map<string, Inode>(), later: [] }
    this.folders.set(path, made)
    return made
  }

  /** Returns the file that a running program sees under a name. */
  #now(path: string): Inode | undefined {
    const { names, later } = this.#folder(dirname(path))
    let inode = names.get(path)
    for (const { add, remove } of later) {
      if (remove === path) inode = undefined
      if (add?.[0] === path) inode = add[1]
    }
    return inode
  }

  apply(noted: Noted): void {
    const { op, path, handle } = noted
    const opened = this.#handles.get(handle)
    switch (op) {
      case 'open': {
        const known = this.#now(path)
        const inode = known ?? { synced: Buffer.alloc(0), later: [] }
        if (!known) this.#folder(dirname(path)).later.push({ add: [path, inode] })
        else if (noted.empties) inode.later.push({ length: 0 })
        this.#handles.set(handle, { inode })
        break
      }
      case 'look':
        this.#handles.set(handle, this.folders.has(path) ? { folder: path } : { inode: this.#now(path) })
        break
      case 'write':
        opened?.inode?.later.push({ at: noted.at, data: noted.data })
        break
      case 'truncate':
        opened?.inode?.later.push({ length: noted.length })
        break
      case 'sync':
        if (opened?.inode) {
          opened.inode.synced = opened.inode.later.reduce(changed, opened.inode.synced)
          opened.inode.later = []
        }
        if (opened?.folder !== undefined) {
          const folder = this.#folder(opened.folder)
          folder.names = namesAfter(folder, folder.later.length)
          folder.later = []
        }
        break
      case 'rename': {
        const inode = this.#now(noted.from)
        // A folder is renamed as a whole: its files move with it.
        if (!inode) this.#renameFolder(noted.from, noted.to)
        else this.#folder(dirname(noted.to)).later.push({ remove: noted.from, add: [noted.to, inode] })
        break
      }
      case 'remove':
        if (this.folders.has(path))
          for (const folder of [...this.folders.keys()].filter(
            (other) => other === path || other.startsWith(`${path}/`)
          ))
            this.folders.delete(folder)
        else this.#folder(dirname(path)).later.push({ remove: path })
        break
      case 'mkdir':
        this.#folder(path)
    }
  }

  #renameFolder(from: string, to: string): void {
    for (const [path, folder] of [...this.folders]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      const moved = (name: string): string => to + name.slice(from.length)
      this.folders.delete(path)
      this.folders.set(moved(path), {
        names: new Map([...folder.names].map(([name, inode]) => [moved(name), inode])),
        later: folder.later.map(({ add, remove }) => ({
          add: add && [moved(add[0]), add[1]],
          remove: remove === undefined ? undefined : moved(remove)
        }))
      })
    }
  }

  /** Writes a possible state after the power was cut: any mixture of the changes that were not flushed. */
  async afterCut(root: string, into: string, uniform: Uniform): Promise<void> {
    for (const [path, folder] of this.folders) {
      await mkdir(join(into, relative(root, path)), { recursive: true })
      for (const [name, { synced, later }] of namesAfter(folder, integerBelow(folder.later.length + 1, uniform))) {
        const content = later.filter(() => uniform() < 0.5).reduce(changed, synced)
        await writeFile(join(into, relative(root, name)), content)
      }
    }
  }
}

function namesAfter({ names, later }: Folder, count: number): Map<string, Inode> {
  const result = new Map(names)
  for (const { add, remove } of later.slice(0, count)) {
    if (remove !== undefined) result.delete(remove)
    if (add) result.set(...add)
  }
  return result
}
