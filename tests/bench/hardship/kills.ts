import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uniformFrom } from '../../../src-main/learning/random.ts'
import { killAfter, measured, startSmalti } from '../processes.ts'
import { writeScene } from '../scene.ts'

/** Returns a hash of all labels, whatever their run is called. */
export async function labelHash(project: string): Promise<string> {
  const folder = join(project, 'runs')
  const hash = createHash('sha256')
  for (const name of (await readdir(folder, { recursive: true })).filter((entry) => entry.endsWith('.tif')).sort())
    hash.update(name.replace(/^run-\d+/, '')).update(await readFile(join(folder, name)))
  return hash.digest('hex')
}

/** Trains a project on a scene, keeps a copy, then segments it with heatmaps and without disturbance. */
export async function labelledScene(
  base: string,
  side: number
): Promise<{ fresh: string; whole: string; seconds: number; expected: string }> {
  const [images, whole, fresh] = [join(base, 'images'), join(base, 'whole'), join(base, 'fresh')]
  await mkdir(images)
  await writeScene(join(images, 'scene.tif'), side)
  await measured(['train', images, '--project', whole, '--preset', 'preview', '--backend', 'onnxruntime'])
  await cp(whole, fresh, { recursive: true })
  const { seconds } = await measured(['segment', whole, '--heatmaps'])
  return { fresh, whole, seconds, expected: await labelHash(whole) }
}

/** Kills `segment` at random moments and restarts it. The labels must be those of an undisturbed run. */
export async function measureKills(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-kills-'))
  try {
    const { fresh, seconds, expected } = await labelledScene(base, 5000)
    const uniform = uniformFrom(seed)
    let [same, clean] = [0, 0]
    for (let time = 0; time < times; time++) {
      const project = join(base, `killed-${time}`)
      await cp(fresh, project, { recursive: true })
      await killAfter(startSmalti(['segment', project, '--heatmaps']), 1000 * seconds * uniform())
      await measured(['segment', project, '--heatmaps'])
      same += Number((await labelHash(project)) === expected)
      clean += Number(
        !(await readdir(project, { recursive: true })).some((name) =>
          /\.(part|rows|partial|lock)$|done\.jsonl$/.test(name)
        )
      )
      await rm(project, { recursive: true })
    }
    console.log(
      `kill -9 at ${times} moments of segment (seed ${seed}): ${same} ended with the same bytes, ${clean} with nothing left behind`
    )
  } finally {
    await rm(base, { recursive: true })
  }
}
