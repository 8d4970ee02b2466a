import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { inLongitudeLatitude, inPixels, pairsOf } from '../../imagery/area/area.ts'
import { readArea } from '../../imagery/area/areaFile.ts'
import { toWorld } from '../../imagery/crs/transform.ts'
import { headerOf } from '../../imagery/details.ts'
import { named } from '../../imagery/pictures.ts'
import { makeFolder, writeJsonSafely } from '../../project/files.ts'
import { openOrCreateProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

/** Adds an outline to an area of interest, and returns the area in an image's pixels. */
export const areaJob: Job<'area'> = async ({ file, area: path, add, project: folder, sources }, { signal }) => {
  const before = path === undefined ? undefined : await readArea(path, 'area')
  const scene = await headerOf(file, undefined, signal).catch((fault: unknown) =>
    Promise.reject(named(fault, file) as Error)
  )
  if (add === undefined) return { area: path, rings: before ? (await inPixels(before, scene, file)).flat() : [] }
  const { transform, place } = scene.georeference ?? {}
  if (!transform || !place) throw new SmaltiError('AreaUnreachable', { path: file, reason: 'its location is unknown' })
  if (!place.known) throw new SmaltiError('AreaUnreachable', { path: file, reason: place.reason })
  const corners = Float64Array.from([...add, add[0]].flatMap(([column, row]) => toWorld(transform, column, row)))
  place.crs.toLonLat(corners)
  if (corners.some(Number.isNaN))
    throw new SmaltiError('AreaUnreachable', {
      path: file,
      reason: "a corner is outside the image's coordinate system"
    })
  const after: Area = {
    features: [
      ...(before ? (await inLongitudeLatitude(before)).features : []),
      { polygons: [[pairsOf(corners)]], properties: {} }
    ]
  }
  await openOrCreateProject(folder, sources)
  return { area: await keep(folder, after), rings: (await inPixels(after, scene, file)).flat() }
}

/**
 * Writes an area as RFC 7946 GeoJSON. The file is named after its content, so a run that refers to an area finds it
 * unchanged.
 * @throws DiskFull, FolderNotWritable
 */
async function keep(folder: string, { features }: Area): Promise<string> {
  const content = {
    type: 'FeatureCollection',
    features: features.map(({ polygons, properties }) => ({
      type: 'Feature',
      properties,
      geometry: { type: 'MultiPolygon', coordinates: polygons }
    }))
  }
  const path = join(
    folder,
    'areas',
    `area-${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)}.geojson`
  )
  if (existsSync(path)) return path
  await makeFolder(dirname(path))
  await writeJsonSafely(path, content)
  return path
}
