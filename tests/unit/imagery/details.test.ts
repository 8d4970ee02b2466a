import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detailRows, detailsText } from '../../../src-main/contract/words/details.ts'
import type { ImageDetails } from '../../../src-main/contract/details.ts'
import { detailsJob } from '../../../src-main/engine/jobs/details.ts'
import { placeFrom } from '../../../src-main/imagery/crs/crs.ts'

const context = {
  signal: new AbortController().signal,
  onProgress: () => undefined,
  whenResumed: () => Promise.resolve()
}
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-details-'))
  const place = await placeFrom('EPSG:27700')
  if (!place.known) throw new Error(place.reason)
  for (const name of ['placed', 'local', 'plain', 'both'])
    await sharp({ create: { width: 40, height: 30, channels: 4, background: '#336699' } })
      .png()
      .toFile(join(folder, `${name}.png`))
  for (const name of ['placed', 'local', 'both'])
    await writeFile(join(folder, `${name}.pgw`), '2\n0\n0\n-2\n430001\n289999\n')
  for (const name of ['placed', 'both']) await writeFile(join(folder, `${name}.prj`), place.crs.wkt('WKT1:ESRI')!)
  await writeFile(join(folder, 'local.prj'), 'LOCAL_CS["Site grid",UNIT["metre",1]]')
  await writeFile(
    join(folder, 'both.png.aux.xml'),
    `<PAMDataset>\n<SRS>${place.crs.wkt('WKT1:GDAL')!.replaceAll('"', '&quot;')}</SRS>\n<GeoTransform> 500000, 2, 0, 300000, 0, -2</GeoTransform>\n</PAMDataset>\n`
  )
})
afterAll(() => rm(folder, { recursive: true }))

async function rowsOf(name: string): Promise<Record<string, string>> {
  const { images } = await detailsJob({ sources: [join(folder, name)] }, context)
  return Object.fromEntries(detailRows(images[0]))
}

describe('details of an image', () => {
  it('name the coordinate system, accuracy, place and pixel size, and the files that they come from', async () => {
    expect(await rowsOf('placed.png')).toEqual({
      Size: '40 × 30 pixels',
      Bands: '4 (red, green, blue, alpha), uint8',
      Nodata: 'mask, alpha or NaN',
      CRS: 'OSGB36 / British National Grid (EPSG:27700), metre',
      Centre: expect.stringMatching(/^52\.50\d+° N, 1\.5\d+° W$/) as string,
      Accuracy: 'about 2 m',
      'Pixel size': '2 × 2 m',
      'Ground sampling distance': expect.stringMatching(/^2\.000\d* m$/) as string,
      'Sidecars read': 'placed.pgw, placed.prj'
    })
  })

  it('call a place unknown, with a reason', async () => {
    expect(await rowsOf('local.png')).toMatchObject({
      Location: 'unknown: its coordinate system is a local one, with no position on the Earth',
      'Pixel size': '2 × 2 map units'
    })
    expect(await rowsOf('local.png')).not.toHaveProperty('Ground sampling distance')
    expect(await rowsOf('plain.png')).toMatchObject({ Location: 'unknown: the file is not georeferenced' })
  })

  it('name a sidecar that was ignored', async () => {
    expect(await rowsOf('both.png')).toMatchObject({
      'Sidecars read': 'both.png.aux.xml, both.pgw',
      'Sidecars ignored': 'both.prj'
    })
  })

  it('of a folder list each image', async () => {
    const { images }: { images: ImageDetails[] } = await detailsJob({ sources: [folder] }, context)
    expect(images.map(({ path }) => path)).toEqual(['both.png', 'local.png', 'placed.png', 'plain.png'])
    expect(detailsText(images).split('\n\n')).toHaveLength(4)
  })

  it('are rejected for a path without an image', async () => {
    await expect(detailsJob({ sources: [join(folder, 'placed.prj')] }, context)).rejects.toMatchObject({
      name: 'NoReadableImages'
    })
    await expect(detailsJob({ sources: [join(folder, 'gone.tif')] }, context)).rejects.toMatchObject({
      name: 'FolderNotFound'
    })
  })
})
