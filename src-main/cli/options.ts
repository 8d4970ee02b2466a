import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { SmaltiError } from '../contract/errors.ts'
import type { CleanUp, PatchSize, Shard } from '../contract/labels.ts'
import { BACKEND_CHOICES, HEADS } from '../contract/settings.ts'
import { isAddress } from '../contract/sources.ts'
import { plural } from '../contract/words/plural.ts'

/** Returns a parser of numbers that pass a check. */
export function number(check: (value: number) => boolean, wanted: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !check(value)) throw new InvalidArgumentError(`Give ${wanted}.`)
    return value
  }
}
export const count = (low: number, high: number): ((text: string) => number) =>
  number((value) => Number.isInteger(value) && value >= low && value <= high, `a whole number from ${low} to ${high}`)
export const numbers = (low: number, high: number, text: string): number[] => text.split(',').map(count(low, high))
/** Parses `200px`, or `50m2` on the ground. */
function patchSize(text: string): PatchSize {
  const [, value, unit] = /^(\d+(?:\.\d+)?)\s*(px|m2|m²)?$/.exec(text.trim()) ?? []
  if (!(Number(value) > 0)) throw new InvalidArgumentError('Give a size such as 200px or 50m2.')
  return { value: Number(value), unit: unit === undefined || unit === 'px' ? 'px' : 'm2' }
}
/** Parses `2/8`: the second of eight shards. */
export function shardOf(text: string): Shard {
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (!(Number(number) >= 1 && Number(number) <= Number(of))) throw new InvalidArgumentError('Give a part such as 2/8.')
  return { number: Number(number), of: Number(of) }
}
/** Makes paths absolute, and leaves URLs as they are. */
export const placed = (paths: readonly string[]): string[] =>
  paths.map((path) => (isAddress(path) ? path : resolve(path)))
export const decimals = (text: string): number[] =>
  text.split(',').map(number(Number.isFinite, 'numbers such as 0.485,0.456,0.406'))
export const positive = number((value) => Number.isFinite(value) && value > 0, 'a number above 0')

export const backend = (): Option => new Option('--backend <name>', 'compute backend').choices(BACKEND_CHOICES)

/** Parses numbers of classes or groups, which are shown from 1. */
export const classNumbers = (text: string): number[] => numbers(1, 250, text).map((number) => number - 1)
export function severalClasses(text: string, before: number[][] = []): number[][] {
  const classes = classNumbers(text)
  if (new Set(classes).size < 2) throw new InvalidArgumentError('Give two or more numbers to merge, such as 3,7.')
  return [...before, classes]
}
/** Parses `3=Water`; the option can be repeated. */
export function named(text: string, before: [number, string][] = []): [number, string][] {
  const [, number, value] = /^(\d+)=(.+)$/.exec(text.trim()) ?? []
  if (value === undefined) throw new InvalidArgumentError('Give a number and a value, such as 3=Water.')
  return [...before, [count(1, 250)(number) - 1, value]]
}
/** Combines `--undo [n]` and `--redo [n]` into one number of steps; undefined if neither was given. */
export function stepsBack({ undo, redo }: { undo?: true | number; redo?: true | number }): number | undefined {
  const steps = (value: true | number | undefined): number => (value === true ? 1 : (value ?? 0))
  return undo === undefined && redo === undefined ? undefined : steps(undo) - steps(redo)
}

export const skippedText = (skipped: { path: string; reason: string }[]): string =>
  skipped.length
    ? `\n${plural(skipped.length, 'file')} skipped:\n${skipped.map(({ path, reason }) => `  ${path}: ${reason}`).join('\n')}`
    : ''

/** The option that selects a head. */
export const head = (): Option =>
  new Option('--head <head>', 'A: all clusters, B: the suggested classes').choices(HEADS).default('A')

export const examples = (text: string): string =>
  `\nExamples:\n${text
    .trim()
    .split('\n')
    .map((line) => `  $ ${line.trim()}`)
    .join('\n')}`

export const images = (): Option =>
  new Option(
    '--images <paths...>',
    'use these images instead of those of training (folders, files or GeoTIFF URLs); their labels are stored separately'
  )
export const area = (what: string): Option =>
  new Option('--area <file>', `limit ${what} to the polygons of a GeoJSON file`)
export const withCleanUp = (command: Command): Command =>
  command
    .option(
      '--majority <radius>',
      'majority filter: each pixel takes the most frequent label within this radius in pixels; applied before --sieve',
      count(1, 32)
    )
    .option(
      '--sieve <size>',
      'minimum mapping unit, such as 200px or 50m2: smaller patches join the neighbour with the longest border',
      patchSize
    )
export const cleanUpOf = ({ majority, sieve }: CleanUp): CleanUp | undefined =>
  majority === undefined && sieve === undefined ? undefined : { majority, sieve }

export const warningText = (warnings: { path: string; reason: string }[]): string =>
  warnings.map(({ path, reason }) => `\nNote: ${path}: ${reason}`).join('')

/** Reads a JSON file; the engine checks its shape. */
export async function readJson(path: string, option: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (fault) {
    throw new SmaltiError('InvalidSetting', { setting: option, reason: (fault as Error).message })
  }
}
