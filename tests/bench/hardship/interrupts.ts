import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { integerBelow, uniformFrom } from '../../../src-main/learning/random.ts'
import { drawScenes, smalti } from '../../fixtures/commandLine.ts'
import { leftovers, processesOf, startGroup } from '../../fixtures/interruption.ts'

/**
 * Interrupts commands of all kinds at random moments, from their start on, while other processes keep all cores busy.
 * Each must exit with 130, print one sentence and leave nothing behind.
 */
export async function measureInterrupts(times: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-interrupts-'))
  const uniform = uniformFrom(seed)
  const burners = [0, 1].map(() =>
    spawn(process.execPath, ['-e', 'for (;;) Math.sqrt(Math.random())'], { stdio: 'ignore' })
  )
  const outcomes = new Map<string, number>()
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  try {
    const { images, truth } = await drawScenes(base, 4, 256)
    const [recipe, whole] = [join(base, 'recipe.json'), join(base, 'whole.smalti')]
    await writeFile(recipe, JSON.stringify({ pairs: 4, steps: 1e6 }))
    await smalti('train', images, '--project', whole, '--preset', 'preview', '--backend', 'onnxruntime')
    await smalti('segment', whole, '--heatmaps')
    const commands: Record<string, (own: string) => string[]> = {
      train: (own) => [
        'train',
        images,
        '--project',
        own,
        '--recipe',
        recipe,
        '--minutes',
        '9',
        '--backend',
        'onnxruntime'
      ],
      'train, backends tried': (own) => [
        'train',
        images,
        '--project',
        own,
        '--recipe',
        recipe,
        '--minutes',
        '9',
        '--retime'
      ],
      segment: () => ['segment', whole, '--sieve', '20px', '--heatmaps'],
      export: (own) => ['export', whole, '--format', 'geopackage', '--out', own],
      report: (own) => ['export', whole, '--format', 'report', '--out', own],
      evaluate: () => ['evaluate', whole, '--truth', truth, '--curve'],
      diagnose: () => ['diagnose', whole],
      group: (own) => [
        'group',
        images,
        '--project',
        own,
        '--groups',
        '2',
        '--minutes',
        '5',
        '--backend',
        'onnxruntime'
      ],
      classes: () => ['classes', whole, '--cut', '4'],
      info: () => ['info']
    }
    const names = Object.keys(commands)
    for (let time = 0; time < times; time++) {
      const name = names[time % names.length]
      const own = join(base, `own-${time}`)
      const command = startGroup(commands[name](own))
      await new Promise((resolve) => setTimeout(resolve, 8000 * uniform() ** 2))
      const [whom, signal] = [
        (['command', 'group'] as const)[integerBelow(2, uniform)],
        (['SIGINT', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const)[integerBelow(4, uniform)]
      ]
      const early = command.child.exitCode !== null
      command.signal(signal, whom)
      const { code, by, stderr } = await command.finished
      const sentences = stderr
        .trim()
        .split('\n')
        .filter((line) => line === 'Cancelled.').length
      if (early || code === 0) count('had ended')
      else if (by === signal && stderr === '') count('before Node heard it')
      else if (code === 130 && sentences === 1 && !/\n {4}at /.test(stderr)) count('130')
      else count(`ODD: ${name}, ${signal} to the ${whom}: ${code ?? by}, ${stderr.slice(-200)}`)
      const left = [...(await leftovers(own)), ...(await leftovers(whole))]
      if (left.length > 0 && by === null) count(`LEFT by ${name}: ${left.join(', ')}`)
      for (let look = 0; look < 100 && processesOf('group', command.child.pid!).length > 0; look++)
        await new Promise((resolve) => setTimeout(resolve, 50))
      if (processesOf('group', command.child.pid!).length > 0) count(`RUNS ON: ${name}`)
      await rm(own, { recursive: true, force: true })
    }
    console.log(`signals at ${times} moments of all commands, beside two busy processes (seed ${seed}):`)
    for (const [outcome, found] of outcomes) console.log(`  ${found} × ${outcome}`)
  } finally {
    for (const burner of burners) burner.kill()
    await rm(base, { recursive: true, force: true })
  }
}
