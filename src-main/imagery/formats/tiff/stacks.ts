/**
 * Reads an ImageJ description: the number of images in the file, and how many of the first ones are channels of the
 * first slice and time.
 */
export function imageJStack(description: string): { images: number; channels: number } | undefined {
  if (!description.startsWith('ImageJ=')) return undefined
  const said = (name: string): number => Number(new RegExp(`^${name}=(\\d{1,9})\\s*$`, 'm').exec(description)?.[1] ?? 1)
  return { images: said('images'), channels: Math.min(said('channels'), said('images')) }
}

/**
 * Finds the directories, counted from 0, of the channels of the first slice and time in OME-XML. Returns undefined if
 * the text isn't OME-XML or a channel is in another file.
 * @param name  name of this file, because stacks may be spread over several
 */
export function omePlanes(description: string, directories: number, name: string): number[] | undefined {
  const [, head, content] =
    /<(?:\w+:)?OME\b[\s\S]*?<(?:\w+:)?Pixels\b([^>]*)>([\s\S]*?)<\/(?:\w+:)?Pixels>/.exec(description) ?? []
  if (head === undefined) return undefined
  const size = (dimension: string): number => Number(attributeOf(head, `Size${dimension}`) ?? 1)
  // Samples of one pixel are channels of one plane.
  const together = Number(attributeOf(/<(?:\w+:)?Channel\b([^>]*)>/.exec(content)?.[1] ?? '', 'SamplesPerPixel') ?? 1)
  const sizes: Record<string, number> = { C: size('C') / together, Z: size('Z'), T: size('T') }
  const order = (attributeOf(head, 'DimensionOrder') ?? 'XYCZT').slice(2).split('')
  if (
    order.length !== 3 ||
    order.some((dimension) => !Number.isInteger(sizes[dimension]) || sizes[dimension] < 1) ||
    sizes.C > directories
  )
    return undefined
  const parts = [...content.matchAll(/<(?:\w+:)?TiffData\b([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:\w+:)?TiffData>)/g)].map(
    ([, attributes, inside = '']) => ({ attributes, file: attributeOf(inside, 'FileName') })
  )
  const spread = new Set(parts.map(({ file }) => file)).size > 1
  const places = new Map<number, number>()
  // Each directory is one plane; text that lists more would only waste time.
  let left = directories
  for (const { attributes, file } of parts) {
    if (spread && file !== name) continue
    const given = (attribute: string, otherwise: number): number =>
      Number(attributeOf(attributes, attribute) ?? otherwise)
    const start = given('IFD', 0)
    const count = given('PlaneCount', attributeOf(attributes, 'IFD') === undefined ? directories : 1)
    const first = indexOf({ C: given('FirstC', 0), Z: given('FirstZ', 0), T: given('FirstT', 0) }, order, sizes)
    for (let i = 0; left > 0 && i < Math.min(count, directories - start); i++, left--) places.set(first + i, start + i)
  }
  const channels = Array.from({ length: sizes.C }, (_, c) => places.get(indexOf({ C: c, Z: 0, T: 0 }, order, sizes)))
  return channels.every((place) => place !== undefined) ? channels : undefined
}

/** Whether OME-XML stores some planes in files other than this one, which aren't read. */
export function omeElsewhere(description: string, name: string): boolean {
  if (!/<(?:\w+:)?OME\b/.test(description)) return false
  return [...description.matchAll(/\bFileName\s*=\s*["']([^"']*)["']/g)].some(([, file]) => file !== name)
}

const attributeOf = (attributes: string, name: string): string | undefined =>
  new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`).exec(attributes)?.[1]

/** Returns the index of a plane, with the first dimension of the order changing fastest. */
function indexOf(at: Record<string, number>, order: readonly string[], sizes: Record<string, number>): number {
  return order.reduceRight((sum, dimension) => sum * sizes[dimension] + at[dimension], 0)
}
