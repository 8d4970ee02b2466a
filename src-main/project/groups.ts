import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type GroupHistory, groupHistory, groupedImage } from '../contract/groups.ts'
import { pathBelow, pathText, writeFileSafely, writeJsonSafely } from './files.ts'
import { type Project, readJson } from './project.ts'

/** Lock of the groups alone, and for how many milliseconds whoever comes meanwhile waits. */
export const GROUPS_LOCK = { name: 'groups', patience: 5000 }

const foundFile = groupHistory.pick({ groups: true }).extend({
  images: z.array(groupedImage.extend({ path: pathBelow, file: pathText })),
  format: z.literal(2),
  /** Tells one sorting from the next. */ id: z.string()
})
/** Apart from what was found, which may be long: an edit writes little. */
const editsFile = groupHistory.pick({ edits: true, done: true }).extend({ format: z.literal(2), of: z.string() })

const foundPath = ({ folder }: Project): string => join(folder, 'groups.json')
const editsPath = ({ folder }: Project): string => join(folder, 'group-edits.json')

export const hasGroups = (project: Project): boolean => existsSync(foundPath(project))

/** Groups of the project's whole images, or undefined where they were never sorted. @throws ProjectUnreadable, ProjectTooNew */
export async function loadGroups(project: Project): Promise<GroupHistory | undefined> {
  const found = await readJson(project.folder, foundPath(project), foundFile)
  if (!found) return undefined
  const made = await readJson(project.folder, editsPath(project), editsFile)
  const { edits, done } = made?.of === found.id ? made : { edits: [], done: 0 }
  return { sorting: found.id, groups: found.groups, images: found.images, edits, done: Math.min(done, edits.length) }
}

/** Keeps images that were sorted anew; what was made of former groups no longer counts. @throws DiskFull, FolderNotWritable */
export async function saveFoundGroups(
  project: Project,
  { groups, images }: Pick<GroupHistory, 'groups' | 'images'>
): Promise<void> {
  await writeFileSafely(foundPath(project), JSON.stringify({ format: 2, id: randomUUID(), groups, images }))
}

/** @throws DiskFull, FolderNotWritable, ProjectUnreadable */
export async function saveGroupEdits(
  project: Project,
  { edits, done }: Pick<GroupHistory, 'edits' | 'done'>
): Promise<void> {
  const found = await readJson(project.folder, foundPath(project), foundFile)
  if (found) await writeJsonSafely(editsPath(project), { format: 2, of: found.id, edits, done })
}
