import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXPORT_FORMATS } from '../../../src-main/contract/labels.ts'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { labelHash, labelledScene } from './kills.ts'
import { measured, runSmalti } from '../processes.ts'

async function used(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true })
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name))))
  return sizes.reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 4096), 0)
}

/**
 * Fills the disk at random moments of `segment` and of each export. The command must report a named error, leave
 * existing files unchanged, and succeed once there is room. Uses a file system in memory, which needs root.
 */
export async function measureFullDisk(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-full-'))
  const disk = join(base, 'disk')
  await mkdir(disk)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]).status !== 0) {
    console.log('full disk: SKIPPED, a file system of a given size needs root')
    return
  }
  const uniform = uniformFrom(seed)
  try {
    const { fresh, whole, expected } = await labelledScene(base, 2000)
    const need = (await used(whole)) - (await used(fresh))
    /** Leaves `room` bytes free. */
    const fill = async (room: number): Promise<void> => {
      const free = Number(spawnSync('df', ['--output=avail', '-B1', disk], { encoding: 'utf8' }).stdout.split('\n')[1])
      await writeFile(join(disk, 'filler'), Buffer.alloc(Math.max(0, free - room)))
    }
    let [named, ended] = [0, 0]
    for (let time = 0; time < times; time++) {
      const project = join(disk, 'p')
      await cp(fresh, project, { recursive: true })
      await fill(need * uniform())
      const { code, stderr } = await runSmalti(['segment', project, '--heatmaps'])
      named += Number(code === 2 && stderr.includes('The disk is full'))
      await rm(join(disk, 'filler'))
      await measured(['segment', project, '--heatmaps'])
      ended += Number((await labelHash(project)) === expected)
      await rm(project, { recursive: true })
    }
    console.log(
      `full disk at ${times} moments of segment (seed ${seed}): ${named} named, ${ended} ended with the same labels once there was room`
    )
    const lines: string[] = []
    for (const format of EXPORT_FORMATS) {
      const out = join(disk, 'out')
      const command = [
        'export',
        whole,
        '--format',
        format,
        '--out',
        out,
        '--majority',
        '1',
        ...(format === 'geotiff' ? ['--confidence', '--probabilities'] : [])
      ]
      await measured(command)
      const size = await used(out)
      await rm(out, { recursive: true })
      let [well, tried] = [0, 0]
      for (; tried < times; tried++) {
        await fill(size * 0.9 * uniform())
        const { code, stderr } = await runSmalti(command)
        const left = (await readdir(out, { recursive: true }).catch(() => [])).filter((name) =>
          /\.partial|\.part$|\.rows$/.test(name)
        )
        await rm(join(disk, 'filler'))
        const again = await runSmalti(command)
        const good = code === 2 && stderr.includes('The disk is full') && left.length === 0 && again.code === 0
        if (!good)
          lines.push(
            `  ${format}: ended ${code} ${stderr.trim().split('\n').at(-1)}, left ${left.join()}, then ${again.code} ${again.stderr.trim().split('\n').at(-1)}`
          )
        well += Number(good)
        await rm(out, { recursive: true })
      }
      lines.push(`  ${format}: ${well} of ${tried} named, nothing half-written left, good once there was room`)
    }
    console.log(`full disk during exports:\n${lines.join('\n')}`)
  } finally {
    spawnSync('umount', [disk])
    await rm(base, { recursive: true })
  }
}
