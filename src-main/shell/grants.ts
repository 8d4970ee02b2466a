import { dirname, isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { isAddress } from '../contract/sources.ts'
import { keep, kept } from './memory/kept.ts'

/**
 * The files and folders that the window may name: those from dialogs, drops and the command line, those that projects
 * name, and folders of earlier exports. A compromised page can ask for nothing else.
 */
const granted = new Set<string>()

/** Fields whose values are not paths, even if they look like one. */
const TEXTS = new Set(['name', 'names', 'note', 'reason'])
/** Appended to an image folder's name for the folder next to it that exports are offered. */
const BESIDE = ' labels'

/** Lets the window name these absolute paths and everything below them. */
export function grant(...paths: (string | undefined)[]): void {
  for (const path of paths) if (path !== undefined && isAbsolute(path) && !mayName(path)) granted.add(resolve(path))
}

/** Grants images, and the folder next to them that exports are offered. */
export function grantImages(images: readonly string[]): void {
  for (const path of images) grant(path, `${path.replace(/[\\/]+$/, '')}${BESIDE}`)
}

/** Whether a path, or a folder that contains it, was granted. */
export function mayName(path: string): boolean {
  let at = resolve(path)
  while (!granted.has(at)) {
    if (dirname(at) === at) return false
    at = dirname(at)
  }
  return true
}

/** Returns all absolute paths in the input or output of a command. */
export function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return isAbsolute(value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap(pathsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => (TEXTS.has(key) ? [] : pathsIn(part)))
}

/** Fields in which commands and picture requests take files and folders: absolute paths, or URLs of images. */
const PATHS = new Set(['project', 'sources', 'images', 'out', 'area', 'file', 'from', 'into', 'truth'])

/** Returns relative paths, which would depend on the folder where the program was started. */
function partsOfPaths(value: unknown, isPath = false): string[] {
  if (typeof value === 'string') return isPath && !isAbsolute(value) && !isAddress(value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap((part) => partsOfPaths(part, isPath))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => partsOfPaths(part, PATHS.has(key)))
}

/** Rejects paths that were not granted. @throws PathNotNamed */
export function checkPaths(value: unknown): void {
  const stranger = pathsIn(value).find((path) => !mayName(path)) ?? partsOfPaths(value)[0]
  if (stranger !== undefined) throw new SmaltiError('PathNotNamed', { path: stranger })
}

const MOST = 200
const EXPORTS = 'exports.json'
const formerExports = (): string[] => kept(EXPORTS, z.array(z.string())) ?? []

/** Grants the export folders of earlier sessions. */
export const grantFormerExports = (): void => grant(...formerExports())

/** Remembers the folder of an export. */
export const rememberExport = (folder: string): void =>
  keep(EXPORTS, [folder, ...formerExports().filter((other) => other !== folder)].slice(0, MOST))
