import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SmaltiError } from '../../contract/errors.ts'
import type { Area } from '../../contract/imagery.ts'
import { inLongitudeLatitude, inPixels, toLongitudeLatitude } from '../../imagery/area.ts'
import { readArea } from '../../imagery/areaFile.ts'
import { toWorld } from '../../imagery/georeference.ts'
import { openRaster } from '../../imagery/openRaster.ts'
import { named } from '../../imagery/pictures.ts'
import { makeFolder, writeJsonSafely } from '../../project/files.ts'
import { openOrCreateProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

export const areaJob: Job<'area'> = async ({ file, area: path, add, project: folder, sources }) => {
  const before = path === undefined ? undefined : await readArea(path, 'area')
  const georeference = await placeOf(file)
  if (add === undefined) return { area: path, rings: before ? inPixels(before, georeference, file).flat() : [] }
  const { transform } = georeference ?? {}
  if (!transform) throw new SmaltiError('AreaUnreachable', { path: file, reason: 'its place on the ground is not known' })
  const convert = toLongitudeLatitude({ crs: georeference?.crs })
  if (!convert) throw new SmaltiError('AreaUnreachable', { path: file, reason: 'its coordinate system is not known' })
  const drawn = [...add, add[0]].map(([column, row]) => convert(...toWorld(transform, column, row)))
  const after: Area = { features: [...(before ? inLongitudeLatitude(before).features : []), { polygons: [[drawn]], properties: {} }] }
  await openOrCreateProject(folder, sources)
  return { area: await keep(folder, after), rings: inPixels(after, georeference, file).flat() }
}

async function placeOf(file: string): Promise<Awaited<ReturnType<typeof openRaster>>['georeference']> {
  try {
    const raster = await openRaster(file)
    await raster.close()
    return raster.georeference
  } catch (fault) {
    throw named(fault, file)
  }
}

/** An area's own file as RFC 7946 has it, named by what is in it: a training that was told of one finds it unchanged. @throws DiskFull, FolderNotWritable */
async function keep(folder: string, { features }: Area): Promise<string> {
  const content = { type: 'FeatureCollection', features: features.map(({ polygons, properties }) => ({ type: 'Feature', properties, geometry: { type: 'MultiPolygon', coordinates: polygons } })) }
  const path = join(folder, 'areas', `area-${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)}.geojson`)
  if (existsSync(path)) return path
  await makeFolder(dirname(path))
  await writeJsonSafely(path, content)
  return path
}
