import { SmaltiError, asSmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { type PixelRings, fillRings, inPixels } from '../../imagery/area/area.ts'
import { georeferenceOfFile } from '../../imagery/reading/openRaster.ts'
import { named } from '../../imagery/pictures.ts'
import type { LabelledImage } from '../../project/labelSets.ts'
import { type TrueClasses, UNSCORED } from './trueClasses.ts'
import type { Truth } from './truth.ts'

/**
 * Rasterises polygons on an image's grid; where they overlap, the last one counts.
 * @param path  path of the polygons' file
 * @throws TruthUnusable, InvalidSetting, UnreadableImage
 */
export async function openPolygons(
  area: Area,
  path: string,
  { file, page, path: image, width, height }: LabelledImage,
  classes: TrueClasses
): Promise<Truth> {
  const rings = await placed(area, path, image, {
    width,
    height,
    georeference: await georeferenceOfFile({ file, page, placed: true }).catch((fault: unknown) =>
      Promise.reject(named(fault, image) as Error)
    )
  })
  const indices = indicesOf(area, path, classes)
  const boxes = rings.map((ring) =>
    ring.flat().reduce(([top, bottom], [, row]) => [Math.min(top, row), Math.max(bottom, row)], [Infinity, -Infinity])
  )
  return {
    width,
    height,
    read(window) {
      const drawn = new Uint8Array(window.width * window.height).fill(UNSCORED)
      const covered = new Uint8Array(drawn.length)
      rings.forEach((ring, i) => {
        if (boxes[i][1] < window.top || boxes[i][0] > window.top + window.height) return
        fillRings(ring, window, { x: 1, y: 1 }, drawn, indices[i])
        fillRings(ring, window, { x: 1, y: 1 }, covered, 1)
      })
      return Promise.resolve({ classes: drawn, covered })
    },
    close: () => Promise.resolve()
  }
}

async function placed(
  area: Area,
  path: string,
  image: string,
  scene: Parameters<typeof inPixels>[1]
): Promise<PixelRings[]> {
  try {
    return await inPixels(area, scene, image)
  } catch (fault) {
    const { name, details } = asSmaltiError(fault)
    if (name !== 'AreaUnreachable') throw fault
    throw new SmaltiError('TruthUnusable', {
      path,
      reason: `its polygons can't be placed on ${image}: ${details.reason}`
    })
  }
}

/** Properties that name a polygon's class. The first one that any polygon of a file has is used. */
const PROPERTIES = ['class', 'value', 'name'] as const

/** Returns the index of each feature's class. @throws TruthUnusable, InvalidSetting */
function indicesOf({ features }: Area, path: string, classes: TrueClasses): number[] {
  const unusable = (reason: string): SmaltiError => new SmaltiError('TruthUnusable', { path, reason })
  const given = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
  const property = PROPERTIES.find((name) => features.some(({ properties }) => given(properties[name])))
  if (!property) throw unusable(`its polygons have no property ${PROPERTIES.join(', ').replace(/, (\w+)$/, ' or $1')}`)
  const values = features.map(({ properties }) => properties[property])
  if (!values.every(given)) throw unusable(`some polygons have no property ${property}`)
  if (values.some((value) => typeof value !== 'number' && typeof value !== 'string'))
    throw unusable(`the property ${property} of a polygon is neither a number nor text`)
  const numbers = values.every((value) => typeof value === 'number' || NUMBER.test(value as string))
  return values.map((value) => (numbers ? classes.ofValue(Number(value), path) : classes.ofName(String(value), path)))
}

/** A number as shapefiles and tables write it. */
const NUMBER = /^\s*[+-]?\d+(\.\d+)?\s*$/
