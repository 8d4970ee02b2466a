import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { OrtApi } from '../../../src-main/backends/onnx/execution.ts'
import type { CommandOutput } from '../../../src-main/contract/commands.ts'
import { json, smalti } from '../../fixtures/commandLine.ts'
import { ask, hasCogeo, oracleLack, validate } from '../../fixtures/gdal.ts'
import { type Described, rasterHashes, sceneProject } from '../../fixtures/scenes.ts'

const require = createRequire(import.meta.url)

describe.skipIf(oracleLack)('scenes', () => {
  let folder: string
  let scenes: string
  let project: string

  beforeAll(async () => {
    const made = await sceneProject()
    ;({ folder, scenes, project } = made)
    expect(made.segmented).toMatchObject({ images: 2, labelled: 2, skipped: [] })
  })

  it('are labelled where they have data, and nowhere else', async () => {
    const out = join(folder, 'where')
    await smalti('export', project, '--format', 'geotiff', '--out', out)
    for (const name of ['north.tif', 'süd, "b".tif']) {
      const [{ counts }, side] = [
        await ask<Described>({ ask: 'describe', path: join(out, name), counts: true }),
        name === 'north.tif' ? 700 : 600
      ]
      expect(counts![255]).toBe(40 * side)
    }
  })

  it('are described by cluster: areas as in GDAL, bands as in the files, neighbours and places', async () => {
    const out = join(folder, 'described')
    await smalti('export', project, '--format', 'geotiff', '--out', out)
    const { clusters, neighbours, names } = json<CommandOutput<'describe'>>(await smalti('describe', project, '--json'))
    const files = ['north.tif', 'süd, "b".tif']
    const counted = await Promise.all(
      files.map(
        async (name) => (await ask<Described>({ ask: 'describe', path: join(out, name), counts: true })).counts!
      )
    )
    const [[labels], bands] = await Promise.all(
      [out, scenes].map(
        async (place) =>
          (
            await ask<{ windows: number[][][] }>({
              ask: 'windows',
              path: join(place, 'north.tif'),
              windows: [[0, 0, 700, 700, 0]]
            })
          ).windows[0]
      )
    )
    const north = json<CommandOutput<'describe'>>(await smalti('describe', await onlyNorth(), '--json'))
    clusters.forEach(({ pixels, squareMetres, confidence, patches }, k) => {
      expect(pixels).toBe(counted[0][k] + counted[1][k])
      // On the ellipsoid, a half-metre pixel of the map is up to 0.1 % larger or smaller.
      expect(Math.abs(squareMetres! - pixels / 4)).toBeLessThanOrEqual((pixels / 4) * 1e-3)
      if (pixels > 2000) expect([confidence! > 1 / names.length, confidence! <= 1]).toEqual([true, true])
      for (const { path, x, y } of patches) if (path === 'north.tif') expect(labels[y * 700 + x]).toBe(k)
      // Averaged over cells instead of pixels, which is close enough for large clusters.
      if (north.clusters[k].pixels < 20_000) return
      bands.forEach((band, b) => {
        const mean = band.reduce((sum, value, i) => (labels[i] === k ? sum + value : sum), 0) / counted[0][k]
        expect(Math.abs(north.clusters[k].bands[b] - mean)).toBeLessThan(6)
      })
      for (let other = 0; other < names.length; other++) {
        let pairs = 0
        for (let i = 0; i < labels.length; i++) {
          for (const next of [...(i % 700 < 699 ? [i + 1] : []), i + 700])
            pairs +=
              Number(labels[i] === k && labels[next] === other) + Number(labels[i] === other && labels[next] === k)
        }
        expect(north.neighbours[k * names.length + other]).toBe(pairs)
      }
    })
    expect(
      neighbours.every(
        (pairs, i) => pairs === neighbours[(i % names.length) * names.length + Math.floor(i / names.length)]
      )
    ).toBe(true)
    expect(clusters.some(({ patches }) => new Set(patches.map(({ path }) => path)).size === 2)).toBe(true)
    expect((await smalti('describe', project)).stdout).toContain(' ha')
  })

  /** Copies the project with the labels of only one of its scenes. */
  async function onlyNorth(): Promise<string> {
    const p = join(folder, 'north.smalti')
    await cp(project, p, { recursive: true })
    const moved = join(folder, 'only-north')
    await mkdir(moved)
    await cp(join(scenes, 'north.tif'), join(moved, 'north.tif'))
    const index = join(p, 'project.json')
    await writeFile(index, (await readFile(index, 'utf8')).replaceAll(scenes, moved))
    await rm(join(p, 'runs', 'run-0001', 'labels'), { recursive: true })
    const segmented = await smalti('segment', p, '--images', moved)
    expect(segmented.code, segmented.stderr).toBe(0)
    return p
  }

  it('have labels that GDAL places exactly on them, with names, colours, counts and overviews', async () => {
    const out = join(folder, 'geotiff')
    const exported = await smalti('export', project, '--format', 'geotiff', '--out', out, '--json')
    expect(exported.code, exported.stderr).toBe(0)
    for (const name of ['north.tif', 'süd, "b".tif']) {
      const [scene, labels] = [
        await ask<Described>({ ask: 'describe', path: join(scenes, name) }),
        await ask<Described>({ ask: 'describe', path: join(out, name), counts: true })
      ]
      expect([labels.width, labels.height, labels.transform, labels.projection]).toEqual([
        scene.width,
        scene.height,
        scene.transform,
        scene.projection
      ])
      expect(labels.nodata).toBe(255)
      expect(labels.overviews).toEqual([[Math.ceil(scene.width / 2), Math.ceil(scene.height / 2)]])
      for (const [value, row] of labels.table!.entries()) {
        const [index, label, red, green, blue, count, area] = row
        expect([index, label, count]).toEqual([String(value), `Cluster ${value + 1}`, String(labels.counts![value])])
        expect([red, green, blue].map(Number)).toEqual(labels.colours![value])
        expect(Math.abs(Number(area) - labels.counts![value] / 4)).toBeLessThanOrEqual(
          (labels.counts![value] / 4) * 1e-3
        )
      }
      if (hasCogeo) expect(validate(join(out, name))).toContain('is a valid cloud optimized GeoTIFF')
      expect(await readFile(join(out, name.replace('.tif', '.qml')), 'utf8')).toContain('<paletteEntry value="7"')
    }
  })

  it('get the same labels from the exported network', async () => {
    const out = join(folder, 'onnx')
    expect((await smalti('export', project, '--format', 'onnx', '--out', out)).code).toBe(0)
    const ort = require('onnxruntime-node') as OrtApi
    const session = await ort.InferenceSession.create(join(out, 'labels.onnx'))
    const side = 700
    const { windows } = await ask<{ windows: number[][][] }>({
      ask: 'windows',
      path: join(scenes, 'north.tif'),
      windows: [[0, 0, side, side, 0]]
    })
    const { labels } = await session.run({
      image: new ort.Tensor('float32', Float32Array.from(windows[0].flat()), [1, 3, side, side])
    })
    const ours = (
      await ask<{ windows: number[][][] }>({
        ask: 'windows',
        path: join(folder, 'geotiff', 'north.tif'),
        windows: [[0, 0, side, side, 0]]
      })
    ).windows[0][0]
    let [same, all] = [0, 0]
    for (let r = 80; r < side - 80; r++) {
      for (let c = 120; c < side - 80; c++) {
        all++
        same += Number(Number(labels.data[r * side + c]) === ours[r * side + c])
      }
    }
    expect(same / all).toBeGreaterThan(0.999)
  })

  it('have head B as groups of head A in masks, descriptions, probabilities and the exported network', async () => {
    const p = join(folder, 'groups.smalti')
    await cp(project, p, { recursive: true })
    expect((await smalti('segment', p, '--heatmaps')).code).toBe(0)
    expect(Object.keys(await rasterHashes(p)).filter((name) => name.includes('/B/'))).toEqual([])
    const windowsOf = async (path: string): Promise<number[][]> =>
      (await ask<{ windows: number[][][] }>({ ask: 'windows', path, windows: [[0, 0, 700, 700, 0]] })).windows[0]
    const found: Record<
      string,
      { labels: number[]; planes: number[][]; network: ArrayLike<number | bigint>; pixels: number[] }
    > = {}
    const ort = require('onnxruntime-node') as OrtApi
    const image = new ort.Tensor(
      'float32',
      Float32Array.from((await windowsOf(join(scenes, 'north.tif'))).flat()),
      [1, 3, 700, 700]
    )
    for (const head of ['A', 'B']) {
      const [out, onnx] = [join(folder, `groups-${head}`), join(folder, `groups-onnx-${head}`)]
      expect(
        (await smalti('export', p, '--format', 'geotiff', '--head', head, '--probabilities', '--out', out)).code
      ).toBe(0)
      expect((await smalti('export', p, '--format', 'onnx', '--head', head, '--out', onnx)).code).toBe(0)
      const { clusters } = json<CommandOutput<'describe'>>(await smalti('describe', p, '--head', head, '--json'))
      const planes = (
        await ask<{ windows: number[][][] }>({
          ask: 'windows',
          path: join(out, 'north.probabilities.tif'),
          windows: [[0, 0, 175, 175, 0]]
        })
      ).windows[0]
      const session = await ort.InferenceSession.create(join(onnx, 'labels.onnx'))
      found[head] = {
        labels: (await windowsOf(join(out, 'north.tif')))[0],
        planes,
        network: (await session.run({ image })).labels.data as ArrayLike<number | bigint>,
        pixels: clusters.map(({ pixels }) => pixels)
      }
    }
    const { A, B } = found
    const groups = new Map<number, number>()
    A.labels.forEach((label, i) => groups.set(label, groups.get(label) ?? B.labels[i]))
    expect(A.labels.every((label, i) => groups.get(label) === B.labels[i])).toBe(true)
    expect(new Set(B.labels)).toEqual(new Set([0, 1, 2, 3, 255]))
    expect(B.pixels).toEqual(
      [0, 1, 2, 3].map((group) => A.pixels.reduce((sum, n, k) => (groups.get(k) === group ? sum + n : sum), 0))
    )
    B.planes.forEach((plane, group) => {
      const sums = A.planes[0].map((_, i) =>
        A.planes.reduce((sum, of, k) => (groups.get(k) === group ? sum + of[i] : sum), 0)
      )
      expect(plane.every((value, i) => value === (A.planes[0][i] === 255 ? 255 : Math.min(sums[i], 254)))).toBe(true)
    })
    let [alike, all] = [0, 0]
    for (let i = 0; i < B.labels.length; i++) {
      if (B.labels[i] === 255 || Number(A.network[i]) !== A.labels[i]) continue
      all++
      alike += Number(Number(B.network[i]) === B.labels[i])
    }
    expect([all > 400_000, alike]).toEqual([true, all])
  })
})
