import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { fileAt } from '../../src-main/imagery/location.ts'
import { openRaster } from '../../src-main/imagery/reading/openRaster.ts'
import { outputStride, parametersOf, windowMargin } from '../../src-main/learning/network/architecture.ts'
import { foldWeights } from '../../src-main/learning/network/forward.ts'
import { appliedWeights } from '../../src-main/learning/trainingStep.ts'
import { loadRun, openProject } from '../../src-main/project/project.ts'
import { measured } from './processes.ts'
import { writeScene } from './scene.ts'

const SIDE = 6000
/** Area and halo of a window, as Smalti has them. */
const COVERED = 1024
const HALO = 112

/** Compares `segment` with PyTorch doing the same, decoding and encoding included. PYTHONPATH locates torch. */
export async function measureAgainstTorch(): Promise<void> {
  const python = '/usr/bin/python3'
  if (spawnSync(python, ['-c', 'import torch; from osgeo import gdal']).status !== 0) {
    console.log(
      'segment against PyTorch: SKIPPED, the system Python has no torch or no GDAL (PYTHONPATH may name them)'
    )
    return
  }
  const base = await mkdtemp(join(tmpdir(), 'smalti-torch-'))
  try {
    const [images, project] = [join(base, 'images'), join(base, 'p')]
    await mkdir(images)
    await writeScene(join(images, 'scene.tif'), SIDE)
    await measured([
      'train',
      images,
      '--project',
      project,
      '--preset',
      'quick',
      '--steps',
      '60',
      '--backend',
      'onnxruntime'
    ])
    const opened = await openProject(project)
    const { meta, arrays } = (await loadRun(opened))!
    const { architecture, statistics } = meta
    const folded = foldWeights(architecture, appliedWeights(arrays))
    const shapes = parametersOf(architecture)
    const weights = Object.fromEntries(
      Object.entries(folded).map(([name, values]) => [
        name,
        { shape: shapes[name]?.shape ?? [values.length], values: [...values] }
      ])
    )
    const network = {
      threads: availableParallelism(),
      side: COVERED,
      halo: HALO,
      stride: outputStride(architecture),
      layers: architecture.layers,
      margin: windowMargin(architecture),
      likeness: architecture.kuwahara,
      guidedFilter: architecture.guidedFilter,
      refit: architecture.heads[0].refit,
      mean: statistics.map(({ mean }) => mean),
      deviation: statistics.map(({ deviation }) => deviation),
      weights
    }
    await writeFile(join(base, 'network.json'), JSON.stringify(network))
    for (let round = 1; round <= 2; round++) {
      const { status, stdout, stderr } = spawnSync(
        python,
        [
          resolve('tests/bench/segment.py'),
          join(images, 'scene.tif'),
          join(base, 'network.json'),
          join(base, 'torch.tif')
        ],
        { encoding: 'utf8' }
      )
      if (status !== 0) throw new Error(stderr)
      const torch = JSON.parse(stdout.trim().split('\n').at(-1)!) as { seconds: number; torch: string }
      await rm(join(project, 'runs', 'run-0001', 'labels'), { recursive: true, force: true })
      const ours = await measured(['segment', project])
      const own = Number(ours.json.seconds)
      console.log(
        `segment ${SIDE}² (quick's network): ${own.toFixed(1)} s, network waited ${(100 * Number(ours.json.waitingShare)).toFixed(1)} %; PyTorch ${torch.torch} ${torch.seconds.toFixed(1)} s: ${(torch.seconds / own).toFixed(2)} ×; labels equal on ${(100 * (await agreement(project, base))).toFixed(3)} %`
      )
    }
  } finally {
    await rm(base, { recursive: true })
  }
}

async function agreement(project: string, base: string): Promise<number> {
  const out = join(base, 'export')
  await measured(['export', project, '--format', 'png', '--out', out])
  const ours = await sharp(join(out, 'scene.png'), { limitInputPixels: false }).extractChannel(0).raw().toBuffer()
  const theirs = await openRaster(fileAt(join(base, 'torch-A.tif')))
  const { bands } = await theirs.read({ left: 0, top: 0, width: SIDE, height: SIDE }, { bands: [0] })
  await theirs.close()
  let same = 0
  for (let i = 0; i < ours.length; i++) same += Number(ours[i] === bands[0][i])
  return same / ours.length
}
