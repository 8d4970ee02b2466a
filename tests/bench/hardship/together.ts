import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drawScenes, smalti } from '../../fixtures/commandLine.ts'

/**
 * Runs several commands on one project at a time. One writes, the others fail with a named error, and nothing is read
 * half written.
 */
export async function measureTogether(rounds: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-together-'))
  const outcomes = new Map<string, number>()
  const tell = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1)
  try {
    const { images } = await drawScenes(base, 2, 96)
    for (let round = 0; round < rounds; round++) {
      const project = join(base, `p-${round}.smalti`)
      const train = (): ReturnType<typeof smalti> =>
        smalti(
          'train',
          images,
          '--project',
          project,
          '--classes',
          '3',
          '--over',
          '6',
          '--steps',
          '4',
          '--backend',
          'onnxruntime'
        )
      const ended = await Promise.all([train(), train()])
      tell(
        `train beside train: ${ended
          .map(({ code, stderr }) =>
            code === 0 ? 'done' : stderr.includes('open in another') ? 'told' : `ODD ${code} ${stderr.slice(-200)}`
          )
          .sort()
          .join(' and ')}`
      )
      const both = await Promise.all([
        smalti('segment', project),
        smalti('segment', project),
        smalti('classes', project, '--merge', '1,2', '--name', 'A'),
        smalti('classes', project, '--merge', '3,4', '--name', 'B')
      ])
      for (const { code, stderr } of both)
        tell(
          code === 0
            ? 'others: done'
            : /open in another|has no labels yet|changed elsewhere|no class/i.test(stderr)
              ? 'others: told'
              : `ODD ${code} ${stderr.slice(-200)}`
        )
      const after = await smalti('segment', project)
      const exported = await smalti('export', project, '--out', join(base, `out-${round}`))
      tell(
        `afterwards: ${after.code === 0 && exported.code === 0 ? 'whole' : `BROKEN ${after.stderr.slice(-200)} ${exported.stderr.slice(-200)}`}`
      )
    }
  } finally {
    await rm(base, { recursive: true, force: true })
  }
  console.log(
    `Command lines together, ${rounds} rounds:\n  ${[...outcomes].map(([what, count]) => `${what}: ${count}`).join('\n  ')}`
  )
}
