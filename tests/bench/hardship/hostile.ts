import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import sharp, { type Sharp } from 'sharp'
import { type Uniform, integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'

export const GEOTIFFS = '../shared/data/geotiff/images'
const LIMIT_SECONDS = 5

interface Ended {
  path: string
  outcome: string
  peak: number
}

/** A reading process that is restarted when it dies. */
function createReader(): { read(path: string): Promise<Ended>; stop(): void } {
  let child: ChildProcessWithoutNullStreams | undefined
  let waiting: ((ended: Ended) => void) | undefined
  const start = (): ChildProcessWithoutNullStreams => {
    const started = spawn(process.execPath, [fileURLToPath(new URL('./hostileReader.js', import.meta.url))])
    createInterface({ input: started.stdout }).on('line', (line) => waiting?.(JSON.parse(line) as Ended))
    started.stderr.resume()
    started.on('exit', (code, signal) => {
      if (child !== started) return
      child = undefined
      waiting?.({ path: '', outcome: `CRASH ${signal ?? code}`, peak: 0 })
    })
    return started
  }
  return {
    read(path) {
      child ??= start()
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting = undefined
          child?.kill('SIGKILL')
          child = undefined
          resolve({ path, outcome: 'HANG', peak: 0 })
        }, LIMIT_SECONDS * 1000)
        waiting = (ended) => {
          clearTimeout(timer)
          waiting = undefined
          resolve({ ...ended, path })
        }
        child!.stdin.write(`${path}\n`)
      })
    },
    stop: () => child?.kill()
  }
}

/** Files of every kind to start from: the shared GeoTIFFs, if they are present, and images made on the spot. */
async function originals(): Promise<{ name: string; bytes: Buffer }[]> {
  const values = Uint8Array.from({ length: 3 * 300 * 200 }, (_, i) => (i * 7 + (i >> 8) * 13) % 256)
  const picture = (): Sharp => sharp(values, { raw: { width: 300, height: 200, channels: 3 } })
  const made = [
    { name: 'p.png', bytes: await picture().png().toBuffer() },
    { name: 'p.jpg', bytes: await picture().jpeg().toBuffer() },
    { name: 'p.webp', bytes: await picture().webp().toBuffer() },
    { name: 'strips.tif', bytes: await picture().tiff({ compression: 'lzw' }).toBuffer() },
    {
      name: 'tiles.tif',
      bytes: await picture()
        .tiff({ compression: 'deflate', tile: true, pyramid: true, tileWidth: 64, tileHeight: 64 })
        .toBuffer()
    }
  ]
  if (!existsSync(GEOTIFFS)) return made
  const names = await readdir(GEOTIFFS)
  return [
    ...made,
    ...(await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(GEOTIFFS, name)) }))))
  ]
}

/** Damages a file in one of several ways. */
function mutated(bytes: Buffer, uniform: Uniform): Buffer {
  const damaged = Buffer.from(bytes)
  const kind = integerBelow(5, uniform)
  if (kind === 0) return damaged.subarray(0, integerBelow(bytes.length, uniform))
  const head = kind < 4 ? Math.min(bytes.length, 2048) : bytes.length
  for (let n = 0; n < 1 + integerBelow(12, uniform); n++) {
    const at = integerBelow(head, uniform)
    if (kind === 1) damaged[at] ^= 1 << integerBelow(8, uniform)
    else if (kind === 2) damaged.fill(255, at, at + 4)
    else damaged[at] = integerBelow(256, uniform)
  }
  return damaged
}

/** Files whose headers claim more than any memory can hold. */
async function bombs(): Promise<{ name: string; bytes: Buffer }[]> {
  const plain = await sharp(new Uint8Array(64 * 64), { raw: { width: 64, height: 64, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer()
  const huge = Buffer.from(plain)
  huge.writeUInt32BE(2 ** 31 - 1, 16)
  huge.writeUInt32BE(30000, 20)
  const jpeg = await sharp(new Uint8Array(64 * 64), { raw: { width: 64, height: 64, channels: 1 } })
    .jpeg()
    .toBuffer()
  const frame = jpeg.indexOf(Buffer.of(0xff, 0xc0))
  const wide = Buffer.from(jpeg)
  wide.writeUInt16BE(30000, frame + 5)
  wide.writeUInt16BE(30000, frame + 7)
  const tiff = await sharp(new Uint8Array(64 * 64), { raw: { width: 64, height: 64, channels: 1 } })
    .tiff()
    .toBuffer()
  const changed = (tag: number, value: number): Buffer => {
    const copy = Buffer.from(tiff)
    const at = copy.readUInt32LE(4)
    for (let e = 0; e < copy.readUInt16LE(at); e++) {
      const place = at + 2 + 12 * e
      if (copy.readUInt16LE(place) !== tag) continue
      copy.writeUInt16LE(4, place + 2)
      copy.writeUInt32LE(value, place + 8)
    }
    return copy
  }
  const flat = await sharp({
    create: { width: 30000, height: 30000, channels: 3, background: '#345' },
    limitInputPixels: false
  })
    .png({ compressionLevel: 9 })
    .toBuffer()
  return [
    { name: 'huge.png', bytes: huge },
    { name: 'wide.jpg', bytes: wide },
    { name: 'flat.png', bytes: flat },
    { name: 'wide.tif', bytes: changed(256, 2 ** 31) },
    { name: 'tall.tif', bytes: changed(257, 2 ** 31) },
    { name: 'bands.tif', bytes: changed(277, 10 ** 6) }
  ]
}

/** Reads damaged files and bombs in a separate process, and reports how each ended. */
export async function measureHostile(count: number, seed: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'smalti-hostile-'))
  const reader = createReader()
  const uniform = uniformFrom(seed)
  try {
    const sources = await originals()
    const outcomes = new Map<string, number>()
    const bad: string[] = []
    let [peak, base] = [0, 0]
    const add = (kind: string): void => void outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1)
    const harmless = join(folder, 'harmless.png')
    await writeFile(harmless, sources[0].bytes)
    base = (await reader.read(harmless)).peak
    const files = [...(await bombs()), ...Array.from({ length: count }, (_, i) => ({ name: `${i}`, bytes: undefined }))]
    for (const file of files) {
      const source = sources[integerBelow(sources.length, uniform)]
      const name = file.bytes ? file.name : `${file.name}${extname(source.name)}`
      const path = join(folder, name)
      await writeFile(path, file.bytes ?? mutated(source.bytes, uniform))
      const { outcome, peak: reached } = await reader.read(path)
      peak = Math.max(peak, reached)
      add(outcome.split(' ')[0])
      if (!/^(picture|named)/.test(outcome)) bad.push(`${name} of ${source.name}: ${outcome}`)
      await rm(path)
    }
    console.log(
      `hostile files (seed ${seed}): ${[...outcomes].map(([kind, n]) => `${n} ${kind}`).join(', ')}; peak memory ${Math.round((peak - base) / 2 ** 20)} MB above a harmless picture's`
    )
    for (const line of bad) console.log(`  ${line}`)
  } finally {
    reader.stop()
    await rm(folder, { recursive: true })
  }
}
