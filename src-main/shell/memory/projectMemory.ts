import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { app } from 'electron'
import { z } from 'zod'
import { isAddress } from '../../contract/sources.ts'
import type { RecentImages } from '../../contract/window/window.ts'
import { keep, kept } from './kept.ts'

/** Which project is kept of which images (their sources, one a line); a folder is known again by its identity when it was renamed. */
const memory = z.array(
  z.object({ images: z.string(), identity: z.string().optional(), project: z.string(), cover: z.string().optional() })
)
type Memory = z.infer<typeof memory>

const MOST = 200
const SHOWN = 8
const PROJECTS = 'projects.json'
const load = (): Memory => kept(PROJECTS, memory) ?? []

/** Whether all of some images' sources are still there; an address is not asked for. */
const areThere = (images: string): boolean =>
  images.split('\n').every((source) => isAddress(source) || existsSync(source))

/** What a folder keeps when it is renamed or moved on its disk. */
function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino, birthtimeMs } = statSync(folder)
    return ino === 0 ? undefined : `${dev} ${ino} ${birthtimeMs}`
  } catch {
    return undefined
  }
}

/** Folder of the project of some images: the one that was chosen or used last, else one below the documents. */
export function projectFolderFor(images: string, remembered: boolean): string {
  const known = load()
  const identity = identityOf(images)
  const same =
    known.find((entry) => entry.images === images) ??
    known.find((entry) => identity !== undefined && entry.identity === identity && !existsSync(entry.images))
  if (remembered && same && existsSync(same.project)) return same.project
  const mark = createHash('sha256').update(images).digest('hex').slice(0, 6)
  const [first, ...more] = images.split('\n')
  const name = basename(first).replace(/[^\p{L}\p{N} ._-]/gu, '_') + (more.length > 0 ? ` and ${more.length} more` : '')
  const documents = app.getPath('documents')
  // Projects from when the program was called Tessera are still found.
  const former = join(documents, 'Tessera', `${name}-${mark}`)
  return existsSync(former) ? former : join(documents, 'Smalti', `${name}-${mark}`)
}

/** Images that were opened last, as far as they are still there. */
export function recentImages(): RecentImages[] {
  return load()
    .filter(({ images }) => areThere(images))
    .slice(0, SHOWN)
    .map(({ images, project, cover }) => ({ images, project, cover }))
}

/** @param cover  file of an image that stands for all */
export function rememberProject(images: string, project: string, cover?: string): void {
  const others = load().filter((entry) => entry.images !== images)
  const entries: Memory = [{ images, identity: identityOf(images), project, cover }, ...others].slice(0, MOST)
  keep(PROJECTS, entries)
}
