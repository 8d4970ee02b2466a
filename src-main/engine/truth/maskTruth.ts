import { SmaltiError } from '../../contract/errors.ts'
import { pngStorage } from '../../imagery/formats/png.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import type { Patch, Raster } from '../../imagery/raster.ts'
import type { LabelledImage } from '../../project/labelSets.ts'
import { checkPlace } from './samePlace.ts'
import { type TrueClasses, UNSCORED } from './trueClasses.ts'
import type { Truth } from './truth.ts'

/**
 * Opens a mask of class numbers, or of colours that a truth map names. Pixels without data (nodata, NaN, masked or
 * transparent) and negative values have no class.
 * @throws TruthUnusable, UnreadableImage
 */
export async function openMask(path: string, image: LabelledImage, classes: TrueClasses): Promise<Truth> {
  const mask = await openRaster(fileAt(path), { stored: true })
  try {
    await checkPlace(path, mask, image)
    const classify = await classifierOf(mask, path, classes)
    const bands = mask.bands.flatMap(({ role }, b) => (role === 'alpha' ? [] : [b]))
    return {
      width: mask.width,
      height: mask.height,
      read: async (window, signal) => ({ classes: classify(await mask.read(window, { bands, signal })) }),
      close: () => mask.close()
    }
  } catch (fault) {
    await mask.close()
    throw fault
  }
}

/**
 * Returns a function that finds the classes of a patch's pixels, chosen by the bands of the mask.
 * @throws TruthUnusable
 */
async function classifierOf(
  { bands }: Raster,
  path: string,
  classes: TrueClasses
): Promise<(patch: Patch) => Uint8Array> {
  const unusable = (reason: string): SmaltiError => new SmaltiError('TruthUnusable', { path, reason })
  const colours = bands.filter(({ role }) => role !== 'alpha').length
  const png = await pngStorage(path)
  if (colours === 1) {
    // The decoder spreads 1, 2 and 4 bits over 0…255.
    const unit = png && png.bits < 8 ? 255 / (2 ** png.bits - 1) : 1
    return ({ bands: [values], valid }) =>
      classesOf(
        values.length,
        valid,
        (i) => values[i],
        (value) => classes.ofValue(value / unit, path)
      )
  }
  if (colours !== 3)
    throw unusable(`it has ${bands.length} bands; a mask needs one band of class numbers, or red, green and blue`)
  const inBytes = bands[0].type === 'uint8'
  if (classes.coloured) {
    if (!inBytes) throw unusable('its colours have more than 8 bits. Save it with 8 bits')
    return ({ bands: [red, green, blue], valid }) =>
      classesOf(
        red.length,
        valid,
        (i) => red[i] * 65536 + green[i] * 256 + blue[i],
        (colour) => classes.ofColour(colour, path)
      )
  }
  const inColour = (...colour: number[]): SmaltiError =>
    new SmaltiError('TruthInColour', {
      path,
      colour: inBytes ? `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}` : colour.join(', ')
    })
  const indices = png?.palette && ownIndices(png.palette)
  return ({ bands: [red, green, blue], valid }) =>
    classesOf(
      red.length,
      valid,
      (i) => {
        // Grey stored as a colour is a value like any other.
        if (red[i] !== green[i] || red[i] !== blue[i]) throw inColour(red[i], green[i], blue[i])
        return red[i]
      },
      (value) => {
        // The index of a palette entry may differ from its grey value, and either could be the class.
        if (indices && !indices.has(value)) throw inColour(value, value, value)
        return classes.ofValue(value, path)
      }
    )
}

/** Returns the palette indices whose colour is the grey of the same number and belongs to no other index. */
function ownIndices(palette: readonly number[]): Set<number> {
  return new Set(
    palette.flatMap((colour, i) =>
      colour === i * 0x010101 && palette.indexOf(colour) === palette.lastIndexOf(colour) ? [i] : []
    )
  )
}

/**
 * Returns the index of the class of each valid pixel. Neighbours are mostly alike, so `indexOf` is called only where
 * the value changes.
 */
function classesOf(
  pixels: number,
  valid: Uint8Array | undefined,
  valueAt: (pixel: number) => number,
  indexOf: (value: number) => number
): Uint8Array {
  const found = new Uint8Array(pixels).fill(UNSCORED)
  let [last, index] = [NaN, UNSCORED]
  for (let i = 0; i < pixels; i++) {
    if (valid && !valid[i]) continue
    const value = valueAt(i)
    if (value !== last) [last, index] = [value, indexOf(value)]
    found[i] = index
  }
  return found
}
