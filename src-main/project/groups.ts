import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type GroupHistory, groupHistory, groupedImage } from '../contract/groups.ts'
import { pathBelow, pathText, writeFileSafely, writeJsonSafely } from './files.ts'
import { type Project, readJson } from './project.ts'

/** The lock of the groups alone, and how many milliseconds others wait for it. */
export const GROUPS_LOCK = { name: 'groups', patience: 5000 }

const foundFile = groupHistory.pick({ groups: true }).extend({
  images: z.array(groupedImage.extend({ path: pathBelow, file: pathText })),
  format: z.literal(2),
  /** Distinguishes one grouping from the next. */ id: z.string()
})
/** Separate from the found groups, which may be long, so that an edit writes little. */
const editsFile = groupHistory.pick({ edits: true, done: true }).extend({ format: z.literal(2), of: z.string() })

const foundPath = ({ folder }: Project): string => join(folder, 'groups.json')
const editsPath = ({ folder }: Project): string => join(folder, 'group-edits.json')

export const hasGroups = (project: Project): boolean => existsSync(foundPath(project))

/**
 * Loads the groups of the project's images, or returns undefined if they were never grouped.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function loadGroups(project: Project): Promise<GroupHistory | undefined> {
  const found = await readJson(project.folder, foundPath(project), foundFile)
  if (!found) return undefined
  const made = await readJson(project.folder, editsPath(project), editsFile)
  const { edits, done } = made?.of === found.id ? made : { edits: [], done: 0 }
  return { sorting: found.id, groups: found.groups, images: found.images, edits, done: Math.min(done, edits.length) }
}

/** Saves newly found groups. Edits of earlier groups no longer apply. @throws DiskFull, FolderNotWritable */
export async function saveFoundGroups(
  project: Project,
  { groups, images }: Pick<GroupHistory, 'groups' | 'images'>
): Promise<void> {
  await writeFileSafely(foundPath(project), JSON.stringify({ format: 2, id: randomUUID(), groups, images }))
}

/** Saves the edits of the groups. @throws DiskFull, FolderNotWritable, ProjectUnreadable */
export async function saveGroupEdits(
  project: Project,
  { edits, done }: Pick<GroupHistory, 'edits' | 'done'>
): Promise<void> {
  const found = await readJson(project.folder, foundPath(project), foundFile)
  if (found) await writeJsonSafely(editsPath(project), { format: 2, of: found.id, edits, done })
}
