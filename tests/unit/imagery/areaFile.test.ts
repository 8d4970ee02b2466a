import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Area } from '../../../src-main/contract/imagery.ts'
import { readArea } from '../../../src-main/imagery/area/areaFile.ts'

const square = (x: number, y: number, side = 1): number[][] => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
  [x, y]
]
const polygon = (...rings: number[][][]): object => ({ type: 'Polygon', coordinates: rings })
const feature = (geometry: unknown, more: object = { properties: { class: 1 } }): object => ({
  type: 'Feature',
  geometry,
  ...more
})
const collection = (features: unknown[], more: object = {}): object => ({
  type: 'FeatureCollection',
  features,
  ...more
})
const named = (name: string): object => ({ type: 'name', properties: { name } })

describe('an area file', () => {
  let folder = ''
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'smalti-area-'))))
  const read = async (content: unknown): Promise<Area> => {
    const path = join(folder, 'area.geojson')
    await writeFile(
      path,
      Buffer.isBuffer(content) ? content : typeof content === 'string' ? content : JSON.stringify(content)
    )
    return readArea(path, '--area')
  }
  const plain = { features: [{ polygons: [[square(0, 0)]], properties: { class: 1 } }] }
  const text = JSON.stringify(collection([feature(polygon(square(0, 0)))]))

  it('can be UTF-8 or UTF-16, with a byte order mark or a null coordinate system', async () => {
    const little = Buffer.from(`\ufeff${text}`, 'utf16le')
    for (const content of [
      text,
      `\ufeff${text}`,
      little,
      Buffer.from(little).swap16(),
      collection([feature(polygon(square(0, 0)))], { crs: null })
    ])
      expect(await read(content)).toEqual(plain)
  })

  it('can be a collection, a feature or a geometry, with or without properties', async () => {
    expect(await read(polygon(square(0, 0)))).toEqual({ features: [{ ...plain.features[0], properties: {} }] })
    for (const more of [{}, { properties: null }])
      expect(await read(feature(polygon(square(0, 0)), more))).toEqual({
        features: [{ ...plain.features[0], properties: {} }]
      })
  })

  it('may contain null and empty geometries, points, lines, heights and open rings', async () => {
    const high = [
      [0, 0, 12],
      [1, 0, 12],
      [1, 1, null],
      [0, 1, 12, 7]
    ]
    const others = [
      null,
      undefined,
      { type: 'Point', coordinates: [1, 2] },
      { type: 'Point' },
      polygon(),
      polygon([]),
      { type: 'MultiPolygon', coordinates: [] },
      polygon([
        [0, 0],
        [0, 0]
      ]),
      { type: 'GeometryCollection', geometries: [] }
    ]
    expect(
      await read(
        collection([...others.map((shape) => feature(shape)), feature({ type: 'Polygon', coordinates: [high] })])
      )
    ).toEqual(plain)
  })

  it('keeps polygons of nested collections separate, and holes with their polygons', async () => {
    const inner = {
      type: 'GeometryCollection',
      geometries: [
        {
          type: 'LineString',
          coordinates: [
            [0, 0],
            [1, 1]
          ]
        },
        polygon(square(0, 0, 9), square(2, 2))
      ]
    }
    const { features } = await read(
      feature({
        type: 'GeometryCollection',
        geometries: [{ type: 'MultiPolygon', coordinates: [[square(5, 5)], [square(7, 7)]] }, inner]
      })
    )
    expect(features.map(({ polygons }) => polygons)).toEqual([
      [[square(5, 5)], [square(7, 7)]],
      [[square(0, 0, 9), square(2, 2)]]
    ])
    expect(features.map(({ properties }) => properties)).toEqual([{ class: 1 }, { class: 1 }])
  })

  it('can name its coordinate system in the collection, the features or the geometries', async () => {
    const at = 'urn:ogc:def:crs:EPSG::32633'
    const geometry = { ...polygon(square(0, 0)), crs: named(at) }
    for (const content of [
      collection([feature(polygon(square(0, 0)))], { crs: named(at) }),
      collection([feature(geometry)]),
      collection([feature(polygon(square(0, 0)), { crs: named(at) })])
    ])
      expect((await read(content)).crs).toBe(at)
    expect((await read({ ...polygon(square(0, 0)), crs: { type: 'EPSG', properties: { code: 32633 } } })).crs).toBe(
      'EPSG:32633'
    )
    await expect(read(collection([feature(geometry), feature(polygon(square(0, 0)))]))).rejects.toThrow(
      'mixes coordinate systems'
    )
  })

  it.each([
    ['TopoJSON', { type: 'Topology', objects: {} }, 'is TopoJSON'],
    ['Esri JSON', { geometryType: 'esriGeometryPolygon', features: [] }, 'is Esri JSON'],
    ['COCO', { images: [], annotations: [] }, 'is a COCO file'],
    ['a list', [1, 2], "isn't GeoJSON with polygons"],
    ['null', 'null', "isn't GeoJSON with polygons"],
    ['broken JSON', '{"type": "Feat', "isn't valid JSON"],
    ['an empty file', '', "isn't valid JSON"],
    [
      'another geometry',
      collection([feature(polygon(square(0, 0))), feature({ type: 'Curve', coordinates: [] })]),
      'feature 2 can'
    ],
    [
      'coordinates that are no numbers',
      feature({
        type: 'Polygon',
        coordinates: [
          [
            ['a', 'b'],
            [1, 2],
            [3, 4],
            [5, 6]
          ]
        ]
      }),
      'feature 1 has a polygon whose coordinates are invalid'
    ],
    [
      'coordinates of another depth',
      feature({ type: 'Polygon', coordinates: square(0, 0) }),
      'coordinates are invalid'
    ],
    ['a broken part of a collection', feature({ type: 'GeometryCollection', geometries: [3] }), 'invalid geometry'],
    ['points alone', collection([feature({ type: 'Point', coordinates: [0, 0] })]), 'contains no polygon'],
    [
      'a linked coordinate system',
      collection([feature(polygon(square(0, 0)))], { crs: { type: 'link', properties: { href: 'x' } } }),
      "doesn't name its coordinate system"
    ],
    [
      'an unknown coordinate system',
      collection([feature(polygon(square(0, 0)))], { crs: named('EPSG:999999') }),
      "which Smalti doesn't know"
    ]
  ])('is rejected with a reason if it is %s', async (_, content, sentence) => {
    await expect(read(content)).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidSetting', message: expect.stringContaining(sentence) as string }) as Error
    )
  })

  it('is rejected if its nesting is endless', async () => {
    let nested: object = polygon(square(0, 0))
    for (let i = 0; i < 5000; i++) nested = { type: 'GeometryCollection', geometries: [nested] }
    let deep = ''
    for (let i = 0; i < 5000; i++) deep += '{"type":"GeometryCollection","geometries":['
    await expect(read(`${deep}${JSON.stringify(polygon(square(0, 0)))}${']}'.repeat(5000)}`)).rejects.toThrow(
      'nests its geometries too deeply'
    )
  })
})
