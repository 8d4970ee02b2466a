import { SmaltiError } from '../contract/errors.ts'
import type { BandChoice, BandRole, CatalogueImage, SkippedFile } from '../contract/imagery.ts'
import { plural } from '../contract/words/plural.ts'

/** The bands chosen for a run, the images that have them, and the images left out. */
export interface ChosenBands {
  choice: BandChoice
  images: CatalogueImage[]
  skipped: SkippedFile[]
}

/** Images named in an error; more would bury the reason. */
const NAMED = 5

/**
 * Chooses the bands that images are trained on together: the given numbers, counted from 1, or else the bands that all
 * images share. A grey image among colour images supplies the same values for red, green and blue.
 *
 * @throws MixedImages when the images share no band, or when 8-bit values meet other types
 */
export function chooseBands(images: readonly CatalogueImage[], numbers?: readonly number[]): ChosenBands {
  const choice = numbers ? byNumbers(images, numbers) : inCommon(images)
  const usable = numbers ? images.filter(({ bands }) => numbers.every((number) => number <= bands.length)) : [...images]
  const skipped = images
    .filter((image) => !usable.includes(image))
    .map(({ path, bands }) => ({
      path,
      reason: `it has ${plural(bands.length, 'band')}, too few for bands ${numbers!.join(', ')}`
    }))
  const eightBit = usable.filter(({ type }) => type === 'uint8')
  if (eightBit.length > 0 && eightBit.length < usable.length) {
    const [fewer, others] =
      eightBit.length * 2 <= usable.length
        ? [eightBit, usable.filter(({ type }) => type !== 'uint8')]
        : [usable.filter(({ type }) => type !== 'uint8'), eightBit]
    throw new SmaltiError('MixedImages', {
      reason: `${fewer.length} of ${usable.length} images ${fewer.length === 1 ? 'has' : 'have'} ${fewer[0].type} values, the others ${others[0].type} (${listed(fewer)})`
    })
  }
  return { choice, images: usable, skipped }
}

function byNumbers(images: readonly CatalogueImage[], numbers: readonly number[]): BandChoice {
  const known = images.find(({ bands }) => numbers.every((number) => number <= bands.length))
  if (!known) throw new SmaltiError('MixedImages', { reason: `no image has all of the bands ${numbers.join(', ')}` })
  const roles = numbers.map((number) => known.bands[number - 1])
  // Chosen bands appear as red, green and blue only if those are their roles.
  return { roles, numbers: [...numbers] }
}

const COLOURS: readonly BandRole[] = ['red', 'green', 'blue']
const isGrey = ({ bands }: CatalogueImage): boolean => bands.length === 1 && bands[0] === 'grey'
const countOf = (roles: readonly BandRole[], role: BandRole): number => roles.filter((other) => other === role).length

function inCommon(images: readonly CatalogueImage[]): BandChoice {
  const coloured = images.filter((image) => !isGrey(image))
  if (coloured.length === 0) return { roles: ['grey'] }
  const [first, ...others] = coloured.map(({ bands }) => bands)
  const taken = new Map<BandRole, number>()
  let common = first.filter((role) => {
    const nth = (taken.get(role) ?? 0) + 1
    taken.set(role, nth)
    return others.every((roles) => countOf(roles, role) >= nth)
  })
  if (coloured.length < images.length) common = common.filter((role) => COLOURS.includes(role))
  // Put red, green and blue first if all three are there.
  const complete = COLOURS.every((colour) => common.includes(colour))
  if (complete) common = [...COLOURS, ...common.filter((role) => !COLOURS.includes(role))]
  const lost = coloured.length < images.length && !complete
  if (common.length === 0 || lost) {
    const kinds = new Map(images.map((image) => [image.bands.join(', '), image.path]))
    throw new SmaltiError('MixedImages', {
      reason: `they have no bands in common: ${[...kinds]
        .slice(0, NAMED)
        .map(([bands, path]) => `${path} has ${bands}`)
        .join('; ')}`
    })
  }
  return { roles: common }
}

function listed(images: readonly CatalogueImage[]): string {
  const more = images.length - NAMED
  return (
    images
      .slice(0, NAMED)
      .map(({ path }) => path)
      .join(', ') + (more > 0 ? ` and ${more} more` : '')
  )
}
