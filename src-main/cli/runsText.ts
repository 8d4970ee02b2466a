import type { CommandOutput } from '../contract/commands.ts'
import { duration } from '../contract/words/duration.ts'
import { plural } from '../contract/words/plural.ts'

/** Formats one line per run, newest first, with an arrow at the current one. */
export function runsText({ runs, current }: CommandOutput<'runs'>): string {
  if (runs.length === 0) return 'There are no runs yet. Train first.'
  return runs
    .map(
      ({
        run,
        name,
        preset,
        method,
        classes,
        over,
        seed,
        steps,
        seconds,
        finished,
        information,
        ceiling,
        labelled
      }) => {
        const learnt =
          information === undefined || ceiling === undefined
            ? (method ?? 'k-means')
            : `${plural(steps, 'step')}, information ${information.toFixed(2)} of ${ceiling.toFixed(2)} nats`
        return `${run === current ? '→' : ' '} ${run}  ${name === run ? '' : `“${name}”  `}${preset}, ${plural(classes, 'class', 'classes')} from ${plural(over, 'cluster')}, seed ${seed}: ${learnt} in ${duration(seconds)}${finished ? '' : ', unfinished'}; ${labelled > 0 ? `${plural(labelled, 'image')} segmented` : 'not segmented'}`
      }
    )
    .join('\n')
}
