import { dirname, isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { isAddress } from '../contract/sources.ts'
import { keep, kept } from './memory/kept.ts'

/**
 * Files and folders that the window may name: what dialogs, drops and the command line gave it, what projects name, and where
 * exports have gone. A page that was taken over can ask for nothing else.
 */
const granted = new Set<string>()

/** Texts that are no paths, whatever they look like. */
const TEXTS = new Set(['name', 'names', 'note', 'reason'])
/** Beside images, their labels are offered to be written. */
const BESIDE = ' labels'

export function grant(...paths: (string | undefined)[]): void {
  for (const path of paths) if (path !== undefined && isAbsolute(path) && !mayName(path)) granted.add(resolve(path))
}

/** Images, and the folder beside them that exports are offered. */
export function grantImages(images: readonly string[]): void {
  for (const path of images) grant(path, `${path.replace(/[\\/]+$/, '')}${BESIDE}`)
}

/** Whether a path, or a folder that it lies in, was granted. */
export function mayName(path: string): boolean {
  let at = resolve(path)
  while (!granted.has(at)) {
    if (dirname(at) === at) return false
    at = dirname(at)
  }
  return true
}

/** All absolute paths in what a command takes or gives. */
export function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return isAbsolute(value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap(pathsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => (TEXTS.has(key) ? [] : pathsIn(part)))
}

/** Names under which commands and pictures take files and folders: whole paths, or addresses of images. */
const PATHS = new Set(['project', 'sources', 'images', 'out', 'area', 'file', 'from', 'into', 'truth'])

/** Paths that are not whole, which would be taken from wherever the program was started. */
function partsOfPaths(value: unknown, isPath = false): string[] {
  if (typeof value === 'string') return isPath && !isAbsolute(value) && !isAddress(value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap((part) => partsOfPaths(part, isPath))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => partsOfPaths(part, PATHS.has(key)))
}

/** @throws PathNotNamed */
export function checkPaths(value: unknown): void {
  const stranger = pathsIn(value).find((path) => !mayName(path)) ?? partsOfPaths(value)[0]
  if (stranger !== undefined) throw new SmaltiError('PathNotNamed', { path: stranger })
}

const MOST = 200
const EXPORTS = 'exports.json'
const formerExports = (): string[] => kept(EXPORTS, z.array(z.string())) ?? []

/** Grants where exports went in former sessions. */
export const grantFormerExports = (): void => grant(...formerExports())

/** Remembers where an export went. */
export const rememberExport = (folder: string): void =>
  keep(EXPORTS, [folder, ...formerExports().filter((other) => other !== folder)].slice(0, MOST))
