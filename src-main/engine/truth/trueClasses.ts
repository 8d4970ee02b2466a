import { SmaltiError } from '../../contract/errors.ts'

/** Class of each value of a mask, or of each colour (`#rrggbb`). */
export type TruthMap = Readonly<Record<string, number>>

/** Marks a pixel that the truth gives no class. */
export const UNSCORED = 255
/** Classes that one evaluation distinguishes: as many as a byte can number besides `UNSCORED`. */
export const MOST_CLASSES = 255
/** Value that masks use for pixels without a class, whatever their number of bits, unless a truth map names it. */
const VOID = 255
/** Larger whole numbers are markers of missing data, such as 3.4e38, rather than classes. */
const LARGEST = 2 ** 32 - 1

/** True classes of an evaluation, numbered from 0 in the order in which they are met: their numbers may be sparse. */
export interface TrueClasses {
  /** Whether a truth map says what colours stand for. */
  readonly coloured: boolean
  /** Index of the class of a value of `path`, or `UNSCORED`. @throws TruthUnusable */
  ofValue(value: number, path: string): number
  /** Index of the class of a colour, `0xrrggbb`, or `UNSCORED`. @throws TruthUnusable */
  ofColour(colour: number, path: string): number
  /** Index of the class of this name. @throws TruthUnusable, InvalidSetting where there is a truth map */
  ofName(name: string, path: string): number
  /** Number of each class by index; names are numbered from 0 in alphabetical order. @throws TruthUnusable where some have names and others numbers */
  numbers(): number[]
}

export function createTrueClasses(truthMap: TruthMap | undefined): TrueClasses {
  const entries = Object.entries(truthMap ?? {})
  const colours = new Map(
    entries.flatMap(([key, k]) => (key.startsWith('#') ? [[parseInt(key.slice(1), 16), k] as const] : []))
  )
  const values =
    truthMap && new Map(entries.flatMap(([key, k]) => (key.startsWith('#') ? [] : [[Number(key), k] as const])))
  const indices = new Map<number | string, number>()
  let named: string | undefined
  const indexOf = (key: number | string, path: string): number => {
    const known = indices.get(key)
    if (known !== undefined) return known
    if (indices.size === MOST_CLASSES)
      throw new SmaltiError('TruthUnusable', {
        path,
        reason: `it has more than ${MOST_CLASSES} different classes; use --truth-map to choose or join classes`
      })
    indices.set(key, indices.size)
    return indices.size - 1
  }
  return {
    coloured: colours.size > 0,
    ofValue(value, path) {
      if (!Number.isInteger(value))
        throw new SmaltiError('TruthUnusable', { path, reason: `it contains ${value}, and classes are whole numbers` })
      if (value < 0) return UNSCORED
      const k = values ? values.get(value) : value === VOID ? undefined : value
      if (k === undefined) return UNSCORED
      if (k > LARGEST)
        throw new SmaltiError('TruthUnusable', {
          path,
          reason: `it contains ${value}, which is too large for a class. Mark missing data as nodata`
        })
      return indexOf(k, path)
    },
    ofColour(colour, path) {
      const k = colours.get(colour)
      return k === undefined ? UNSCORED : indexOf(k, path)
    },
    ofName(name, path) {
      if (truthMap)
        throw new SmaltiError('InvalidSetting', {
          setting: '--truth-map',
          reason: `it takes numbers or colours, and ${path} names its classes (${name}, …)`
        })
      named = path
      return indexOf(name.normalize('NFC'), path)
    },
    numbers() {
      const keys = [...indices.keys()]
      if (named === undefined) return keys.map(Number)
      if (keys.some((key) => typeof key === 'number'))
        throw new SmaltiError('TruthUnusable', {
          path: named,
          reason: 'it names its classes, and other truth files number theirs'
        })
      const sorted = keys.map(String).sort()
      return keys.map((key) => sorted.indexOf(String(key)))
    }
  }
}
