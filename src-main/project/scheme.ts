import { join } from 'node:path'
import { z } from 'zod'
import { type ClassHistory, type Scheme, classHistory } from '../contract/classes.ts'
import { madeScheme } from '../classes/history.ts'
import { placesOf } from '../classes/scheme.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { writeJsonSafely } from './files.ts'
import { type Project, readJson, runFolder } from './project.ts'

/**
 * The lock of the classes alone, because they may change during training or segmentation. An edit takes milliseconds,
 * so others wait this many milliseconds for it.
 */
export const CLASSES_LOCK = { name: 'classes', patience: 5000 }

const schemesFile = classHistory.extend({ format: z.literal(2) })
export const schemesPath = (project: Project): string => join(runFolder(project), 'classes.json')

/**
 * Loads the history of a run's classes, or returns undefined if there is none.
 * @throws ProjectUnreadable, ProjectTooNew
 */
export async function loadClassHistory(project: Project): Promise<ClassHistory | undefined> {
  const found = await readJson(project.folder, schemesPath(project), schemesFile)
  return found && { history: found.history, cursor: Math.min(found.cursor, found.history.length - 1) }
}

/** Saves the history of a run's classes. @throws DiskFull, FolderNotWritable */
export async function saveClassHistory(project: Project, history: ClassHistory): Promise<void> {
  await writeJsonSafely(schemesPath(project), { format: 2, ...history })
}

/**
 * Loads a head's current scheme, or returns undefined if its clusters have no classes yet.
 * @throws ProjectUnreadable
 */
export async function loadScheme(project: Project, head: string): Promise<Scheme | undefined> {
  const found = await loadClassHistory(project)
  return found && madeScheme(found, head)
}

/** Combines two label tables, the first applied before the second; either may be missing. */
export const following = (first: Uint8Array | undefined, second: Uint8Array | undefined): Uint8Array | undefined =>
  first && second ? first.map((value) => second[value]) : (first ?? second)

/** Returns the position of each cluster's class in the scheme's list; ignored classes have no label. */
export const tableOf = (scheme: Scheme): Uint8Array =>
  placesOf(scheme).map((place) => (scheme.classes[place]?.ignored ? NO_LABEL : place))
