import { SmaltiError } from '../../contract/errors.ts'

/** Class number for each value of a mask, or for each colour (`#rrggbb`). */
export type TruthMap = Readonly<Record<string, number>>

/** Marks a pixel that has no class in the truth. */
export const UNSCORED = 255
/** The most classes that one evaluation distinguishes: as many as a byte can number besides `UNSCORED`. */
export const MOST_CLASSES = 255
/** The value that masks use for pixels without a class, whatever their bit depth, unless a truth map names it. */
const VOID = 255
/** Larger whole numbers mark missing data, such as 3.4e38, rather than classes. */
const LARGEST = 2 ** 32 - 1

/**
 * The true classes of an evaluation, indexed from 0 in the order in which they are met, because their numbers may be
 * sparse.
 */
export interface TrueClasses {
  /** Whether a truth map assigns classes to colours. */
  readonly coloured: boolean
  /** Returns the index of the class of a value in `path`, or `UNSCORED`. @throws TruthUnusable */
  ofValue(value: number, path: string): number
  /** Returns the index of the class of a colour, `0xrrggbb`, or `UNSCORED`. @throws TruthUnusable */
  ofColour(colour: number, path: string): number
  /** Returns the index of the class of this name. @throws TruthUnusable, InvalidSetting when there is a truth map */
  ofName(name: string, path: string): number
  /**
   * Returns the number of each class by index; named classes are numbered from 0 in alphabetical order.
   * @throws TruthUnusable when some classes have names and others numbers
   */
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
        reason: `it has more than ${MOST_CLASSES} different classes. Choose or combine classes with a class map`
      })
    indices.set(key, indices.size)
    return indices.size - 1
  }
  return {
    coloured: colours.size > 0,
    ofValue(value, path) {
      if (!Number.isInteger(value))
        throw new SmaltiError('TruthUnusable', { path, reason: `it contains ${value}, but classes are whole numbers` })
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
          reason: `it maps numbers or colours, but ${path} has class names (${name}, …)`
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
          reason: 'it has class names, but other reference files have class numbers'
        })
      const sorted = keys.map(String).sort()
      return keys.map((key) => sorted.indexOf(String(key)))
    }
  }
}
