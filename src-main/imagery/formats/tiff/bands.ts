import type { BandRole } from '../../../contract/imagery.ts'

const ALPHA_SAMPLES = new Set([1, 2])
const NAMES: Record<string, BandRole> = {
  red: 'red',
  green: 'green',
  blue: 'blue',
  alpha: 'alpha',
  gray: 'grey',
  grey: 'grey',
  nir: 'nir',
  infrared: 'nir',
  undefined: 'other'
}

/**
 * Determines the role of each band of a TIFF: from GDAL's colour interpretation, from the photometric interpretation,
 * or else by guessing. Three or four bands are red, green, blue and near infrared; one is grey.
 *
 * @param extra  the ExtraSamples tag; 1 and 2 mark alpha
 */
export function rolesOf(samples: number, photometric: number, extra: readonly number[], metadata = ''): BandRole[] {
  const colours = samples - extra.length
  const roles = guessed(samples, photometric)
  for (let i = 0; i < extra.length; i++) {
    const band = colours + i
    if (ALPHA_SAMPLES.has(extra[i]) && band > 0) roles[band] = 'alpha'
  }
  for (const [, attributes, name] of metadata.matchAll(/<Item([^>]*)>([^<]*)<\/Item>/g)) {
    const band = Number(/sample="(\d+)"/.exec(attributes)?.[1])
    if (!/role="colorinterp"/i.test(attributes) || !(band < samples)) continue
    const role = NAMES[name.trim().toLowerCase()]
    if (role) roles[band] = role
  }
  // Only one band can be alpha; treat any others as values.
  return roles.map((role, band) => (role === 'alpha' && roles.indexOf('alpha') !== band ? 'other' : role))
}

function guessed(samples: number, photometric: number): BandRole[] {
  if (photometric === 5 && samples >= 4) return ['cyan', 'magenta', 'yellow', 'black', ...others(samples - 4)]
  if (samples === 1) return ['grey']
  if (samples === 2) return ['grey', 'other']
  const coloured = photometric === 2 || photometric === 6 || samples <= 4
  if (!coloured) return others(samples)
  return (['red', 'green', 'blue', 'nir'] as BandRole[]).slice(0, samples).concat(others(samples - 4))
}

const others = (count: number): BandRole[] => Array<BandRole>(Math.max(0, count)).fill('other')
