import type { ImageDetails } from '../details.ts'

const SYMBOLS: Record<string, string> = { metre: 'm', degree: '°', kilometre: 'km' }
const significant = (value: number): string => String(Number(value.toPrecision(5)))
const degrees = (value: number, [positive, negative]: string): string =>
  `${Math.abs(value).toFixed(5)}° ${value < 0 ? negative : positive}`

/** Lists the details of an image as names and values, for the window and the command line alike. */
export function detailRows({
  width,
  height,
  overviews,
  bands,
  gaps,
  place,
  read,
  ignored,
  warnings
}: ImageDetails): [name: string, value: string][] {
  const types = [...new Set(bands.map(({ type }) => type))].join(', ')
  const nodata = [...new Set(bands.flatMap(({ nodata: value }) => value ?? []))]
  const pyramid = overviews > 0 ? `, ${overviews} ${overviews === 1 ? 'overview' : 'overviews'}` : ''
  return [
    ['Size', `${width} × ${height} pixels${pyramid}`],
    ['Bands', `${bands.length} (${bands.map(({ role }) => role).join(', ')}), ${types}`],
    ['Nodata', nodata.length > 0 ? nodata.join(', ') : gaps ? 'mask, alpha or NaN' : 'none'],
    ...placeRows(place),
    ...(read.length > 0 ? [['Sidecars read', read.join(', ')] as [string, string]] : []),
    ...(ignored.length > 0 ? [['Sidecars ignored', ignored.join(', ')] as [string, string]] : []),
    ...warnings.map((warning): [string, string] => ['Note', warning])
  ]
}

function placeRows(place: ImageDetails['place']): [string, string][] {
  if (!place) return [['Location', 'unknown: the file is not georeferenced']]
  const { pixel, unknown, crs, longitude, latitude, accuracy, gsd } = place
  const rows: [string, string][] = []
  if (crs) rows.push(['CRS', `${crs.name}${crs.code ? ` (${crs.code})` : ''}, ${crs.unit}`])
  if (unknown !== undefined) rows.push(['Location', `unknown: ${unknown}`])
  else if (longitude !== undefined && latitude !== undefined)
    rows.push(['Centre', `${degrees(latitude, 'NS')}, ${degrees(longitude, 'EW')}`])
  if (longitude !== undefined)
    rows.push([
      'Accuracy',
      accuracy === undefined
        ? 'unknown: no published transformation from its datum to WGS 84'
        : accuracy === 0
          ? 'as accurate as the coordinates'
          : `about ${significant(accuracy)} m`
    ])
  if (pixel)
    rows.push([
      'Pixel size',
      `${significant(pixel[0])} × ${significant(pixel[1])} ${crs ? (SYMBOLS[crs.unit] ?? crs.unit) : 'map units'}`
    ])
  if (gsd !== undefined) rows.push(['Ground sampling distance', `${significant(gsd)} m`])
  return rows
}

/** Writes the details of several images for the command line. */
export const detailsText = (images: readonly ImageDetails[]): string =>
  images
    .map(
      (image) =>
        `${image.path}\n${detailRows(image)
          .map(([name, value]) => `  ${name.padEnd(26)}${value}`)
          .join('\n')}`
    )
    .join('\n\n')
