import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { type Measured, measured, megabytes } from './processes.ts'
import { writeScene } from './scene.ts'

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => stat(join(folder, name))))
  return sizes.reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0)
}

/** Measures memory, time per megapixel and disk space for a scene of `side`² and one of 2000². */
export async function measureScale(side: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-scale-'))
  try {
    const each: Record<number, { segment: Measured; peak: number }> = {}
    for (const length of [2000, side]) {
      const [images, project] = [join(base, `scene-${length}`), join(base, `p-${length}`)]
      await mkdir(images)
      await writeScene(join(images, 'scene.tif'), length)
      const train = await measured([
        'train',
        images,
        '--project',
        project,
        '--preset',
        'preview',
        '--backend',
        'onnxruntime'
      ])
      const segment = await measured(['segment', project])
      const exported = await measured(['export', project, '--format', 'geotiff', '--out', join(base, `out-${length}`)])
      const labels = await sizeOf(join(project, 'runs', 'run-0001', 'labels'))
      const peak = Math.max(train.peak, segment.peak, exported.peak)
      each[length] = { segment, peak }
      const pixels = (length * length) / 1e6
      console.log(
        `${length}²: train ${train.seconds.toFixed(1)} s ${megabytes(train.peak)}, segment ${segment.seconds.toFixed(1)} s (${(segment.seconds / pixels).toFixed(3)} s/Mpx) ${megabytes(segment.peak)}, ` +
          `network waited ${(100 * Number(segment.json.waitingShare)).toFixed(1)} %, export ${exported.seconds.toFixed(1)} s ${megabytes(exported.peak)}, labels ${megabytes(labels)}, project ${megabytes(await sizeOf(project))}`
      )
    }
    const perPixel = (length: number): number => each[length].segment.seconds / length ** 2
    console.log(
      `time a megapixel ${(perPixel(side) / perPixel(2000)).toFixed(2)} × that of 2000²; peak memory ${megabytes(each[side].peak)}, ${megabytes(each[side].peak - each[2000].peak)} above 2000²'s`
    )
  } finally {
    await rm(base, { recursive: true })
  }
}

/** Measures time per image and memory for many small images, for some of them and for all. */
export async function measureSmall(count: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-small-'))
  try {
    const values = new Uint8Array(3 * 32 * 32)
    for (const images of [1000, count]) {
      const folder = join(base, `images-${images}`)
      await mkdir(folder)
      for (let i = 0; i < images; i++) {
        for (let k = 0; k < values.length; k++)
          values[k] = (k * (3 + (i % 17)) + i * 31 + ((k >> 5) % 7) * (i % 5) * 20) % 256
        await writeFile(
          join(folder, `${String(i).padStart(6, '0')}.png`),
          await sharp(values, { raw: { width: 32, height: 32, channels: 3 } })
            .png({ compressionLevel: 1 })
            .toBuffer()
        )
      }
      const project = join(base, `p-${images}`)
      const train = await measured([
        'train',
        folder,
        '--project',
        project,
        '--preset',
        'preview',
        '--backend',
        'onnxruntime'
      ])
      const segment = await measured(['segment', project])
      console.log(
        `${images} images of 32²: train ${train.seconds.toFixed(1)} s ${megabytes(train.peak)}, segment ${((1000 * segment.seconds) / images).toFixed(2)} ms an image, ${megabytes(segment.peak)}`
      )
    }
  } finally {
    await rm(base, { recursive: true })
  }
}
