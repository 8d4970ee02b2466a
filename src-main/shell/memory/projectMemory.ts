import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { app } from 'electron'
import { z } from 'zod'
import { isAddress } from '../../contract/sources.ts'
import type { RecentImages } from '../../contract/window/window.ts'
import { keep, kept } from './kept.ts'

/**
 * The project folder for some images (their sources, one per line). The identity recognises an image folder that was
 * renamed.
 */
const memory = z.array(
  z.object({ images: z.string(), identity: z.string().optional(), project: z.string(), cover: z.string().optional() })
)
type Memory = z.infer<typeof memory>

const MOST = 200
const SHOWN = 8
const PROJECTS = 'projects.json'
const load = (): Memory => kept(PROJECTS, memory) ?? []

/** Whether all sources of some images still exist; URLs are not checked. */
const areThere = (images: string): boolean =>
  images.split('\n').every((source) => isAddress(source) || existsSync(source))

/** An identity that a folder keeps when it is renamed or moved on its disk. */
function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino, birthtimeMs } = statSync(folder)
    return ino === 0 ? undefined : `${dev} ${ino} ${birthtimeMs}`
  } catch {
    return undefined
  }
}

/** Returns the project folder for some images: the last one chosen or used, or else one in the user's documents. */
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
  // Finds projects from the time when the program was called Tessera.
  const former = join(documents, 'Tessera', `${name}-${mark}`)
  return existsSync(former) ? former : join(documents, 'Smalti', `${name}-${mark}`)
}

/** Returns recently opened images that still exist. */
export function recentImages(): RecentImages[] {
  return load()
    .filter(({ images }) => areThere(images))
    .slice(0, SHOWN)
    .map(({ images, project, cover }) => ({ images, project, cover }))
}

/** Remembers the project folder for some images. @param cover  file of an image that represents them all */
export function rememberProject(images: string, project: string, cover?: string): void {
  const others = load().filter((entry) => entry.images !== images)
  const entries: Memory = [{ images, identity: identityOf(images), project, cover }, ...others].slice(0, MOST)
  keep(PROJECTS, entries)
}
