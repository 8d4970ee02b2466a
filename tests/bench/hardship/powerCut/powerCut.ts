import { appendFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DEFAULT_SETTINGS } from '../../../../src-main/contract/settings.ts'
import { SmaltiError } from '../../../../src-main/contract/errors.ts'
import { integerBelow, uniformFrom } from '../../../../src-main/learning/random.ts'
import { drawScenes } from '../../../fixtures/commandLine.ts'
import { startBuiltEngine } from '../../../fixtures/engine.ts'
import { labelHash } from '../kills.ts'
import { measured } from '../../processes.ts'
import { Disk, readJournal } from './disk.ts'

/**
 * Cuts the power at random moments while a project is segmented, its classes and groups are edited, and a second run is
 * trained. Flushed data survives, and any part of the rest. The project must then open and contain everything that was
 * reported as saved.
 */
export async function measurePowerCut(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-power-'))
  const journal = join(base, 'journal')
  const broken: string[] = []
  try {
    const { images } = await drawScenes(base, 2, 96)
    const project = join(base, 'work', 'p.smalti')
    await measured([
      'train',
      images,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--preset',
      'preview',
      '--backend',
      'onnxruntime'
    ])
    await measured(['group', images, '--project', project, '--groups', '2', '--method', 'kmeans-pixels'])
    const before = join(base, 'before')
    await cp(project, before, { recursive: true })

    const recorded = startBuiltEngine({
      execArgv: ['--import', resolve('tests/bench/hardship/powerCut/record.mjs')],
      env: { ...process.env, POWER_ROOT: join(base, 'work'), POWER_JOURNAL: journal }
    })
    const mark = (name: string): void => appendFileSync(journal, `${JSON.stringify({ op: 'mark', name, bytes: 0 })}\n`)
    await recorded.call('segment', { project, heatmaps: true })
    mark('segmented')
    for (const [i, groups] of [5, 4, 3, 2].entries()) {
      await recorded.call('classes', { project, head: 'A', edits: [{ kind: 'cut', groups }], overwrite: false })
      mark(`edit ${i + 1}`)
    }
    await recorded.call('groups', { project, edits: [{ kind: 'rename', group: 0, name: 'Saved' }] } as never)
    mark('grouped')
    await recorded.call('train', {
      sources: [images],
      project,
      settings: { ...DEFAULT_SETTINGS, classes: 3, over: 6, steps: 4, seed: 7, backend: 'onnxruntime' }
    })
    mark('trained')
    await recorded.kill()
    const whole = join(base, 'whole.smalti')
    await cp(before, whole, { recursive: true })
    await measured(['segment', whole, '--heatmaps'])
    const expected = await labelHash(whole)

    const noted = await readJournal(journal)
    const uniform = uniformFrom(seed)
    let engine = startBuiltEngine()
    const cuts = Array.from({ length: times }, () => integerBelow(noted.length + 1, uniform))
    for (const [time, cut] of cuts.entries()) {
      const disk = new Disk()
      await cp(before, join(base, 'start', 'work', 'p.smalti'), { recursive: true })
      await rm(join(base, 'work'), { recursive: true, force: true })
      await cp(join(base, 'start', 'work'), join(base, 'work'), { recursive: true })
      await disk.load(join(base, 'work'))
      for (const entry of noted.slice(0, cut)) disk.apply(entry)
      await rm(join(base, 'work'), { recursive: true })
      await mkdir(join(base, 'work'))
      await disk.afterCut(join(base, 'work'), join(base, 'work'), uniform)
      const marks = noted.slice(0, cut).flatMap(({ op, name }) => (op === 'mark' ? [name] : []))
      const where = `cut ${time} after ${cut} of ${noted.length} (${marks.at(-1) ?? 'nothing saved yet'}; then ${noted[cut]?.op} ${noted[cut]?.path ?? noted[cut]?.to ?? ''})`
      try {
        const state = await engine.call('openProject', { project })
        if (!state.trained) broken.push(`${where}: the training is gone`)
        const edits = marks.filter((name) => name.startsWith('edit')).length
        if (marks.includes('segmented')) {
          const { steps } = await engine.call('classes', {
            project,
            run: 'run-0001',
            head: 'A',
            edits: [],
            overwrite: false
          })
          if (steps.length < edits) broken.push(`${where}: ${edits} edits were saved and ${steps.length} are there`)
        }
        if (
          marks.includes('grouped') &&
          !JSON.stringify(await engine.call('groups', { project } as never)).includes('Saved')
        )
          broken.push(`${where}: the group's name is lost`)
        if (
          marks.includes('trained') &&
          !(await engine.call('runs', { project })).runs.some(({ run, finished }) => run === 'run-0002' && finished)
        )
          broken.push(`${where}: the second run is lost`)
        // Unfinished work is done again.
        if (!marks.includes('segmented')) await engine.call('segment', { project, heatmaps: true })
        await engine.call('runs', { project, use: 'run-0001' }).catch(() => undefined)
        const { run } = await engine.call('openProject', { project })
        if (run === 'run-0001' && !marks.includes('edit 4') && (await labelHash(project)) !== expected)
          broken.push(`${where}: other labels`)
      } catch (fault) {
        broken.push(`${where}: ${fault instanceof SmaltiError ? fault.message : String(fault)}`)
        if (engine.ended() !== undefined) engine = startBuiltEngine()
      }
    }
    await engine.kill()
    console.log(
      `the power cut at ${times} of ${noted.length} moments (seed ${seed}): ${broken.length === 0 ? 'every project opened with all that was saved' : `${broken.length} did not open, or lost something`}`
    )
    for (const one of broken.slice(0, 30)) console.log(`  ${one}`)
  } finally {
    await rm(base, { recursive: true, force: true })
  }
}
