import type { BandChoice, BandRole } from '../contract/imagery.ts'
import { type Patch, type Raster, type Samples, emptySamples } from './raster.ts'

/** Returns bands as people see them: palette colours and inks become red, green and blue, and alpha is left out. */
export function visibleRoles({ bands, palette }: Pick<Raster, 'bands' | 'palette'>): BandRole[] {
  if (palette) return ['red', 'green', 'blue']
  const roles = bands.map(({ role }) => role).filter((role) => role !== 'alpha')
  return roles[0] === 'cyan' ? ['red', 'green', 'blue', ...roles.slice(4)] : roles
}

/** How to compute the chosen bands from the bands that a raster stores. */
export interface BandView {
  /** Stored bands to read, counted from 0. */
  needed: number[]
  /** Computes the chosen bands from the bands that were read. */
  make(patch: Patch): Samples[]
}

const COLOURS: readonly BandRole[] = ['red', 'green', 'blue']

/**
 * Finds the chosen bands in a raster, or returns undefined when it lacks one. A grey image supplies the same values for
 * red, green and blue.
 */
export function viewBands(
  raster: Pick<Raster, 'bands' | 'palette'>,
  { roles, numbers }: BandChoice
): BandView | undefined {
  const seen = visibleRoles(raster)
  const stored = raster.palette ? [] : raster.bands.flatMap(({ role }, b) => (role === 'alpha' ? [] : [b]))
  const taken = new Map<BandRole, number>()
  const places = numbers
    ? numbers.map((number) => number - 1)
    : roles.map((role) => {
        const nth = taken.get(role) ?? 0
        taken.set(role, nth + 1)
        const places = seen.flatMap((other, i) => (other === role ? [i] : []))
        if (places.length > nth) return places[nth]
        return COLOURS.includes(role) && seen.length === 1 && seen[0] === 'grey' ? 0 : -1
      })
  if (places.some((place) => place < 0 || place >= seen.length)) return undefined
  const { palette } = raster
  if (palette)
    return {
      needed: [0],
      make: ({ bands }) => places.map((place) => Uint8Array.from(bands[0], (value) => palette[place][value]))
    }
  if (stored.length > 0 && raster.bands[stored[0]].role === 'cyan') return fromInks(places, stored)
  const needed = [...new Set(places.map((place) => stored[place]))]
  return { needed, make: ({ bands }) => places.map((place) => bands[needed.indexOf(stored[place])]) }
}

const INKS = 4

/** Computes colours from inks: red is the light that neither cyan nor black absorbs, and so on. */
function fromInks(places: readonly number[], stored: readonly number[]): BandView {
  const colours = places.filter((place) => place < 3)
  const needed = [
    ...new Set([
      ...colours,
      ...(colours.length ? [3] : []),
      ...places.filter((place) => place >= 3).map((place) => place + 1)
    ])
  ].map((place) => stored[place])
  return {
    needed,
    make: ({ bands }) => {
      const plane = (place: number): Samples => bands[needed.indexOf(stored[place])]
      return places.map((place) => {
        if (place >= 3) return plane(place + INKS - 3)
        const [ink, black] = [plane(place), plane(3)]
        const result = emptySamples('uint8', ink.length)
        for (let i = 0; i < ink.length; i++)
          result[i] = Math.round(((255 - (ink[i] & 255)) * (255 - (black[i] & 255))) / 255)
        return result
      })
    }
  }
}
