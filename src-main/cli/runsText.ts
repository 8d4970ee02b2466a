import type { CommandOutput } from '../contract/commands.ts'
import { duration } from '../contract/words/duration.ts'

/** A line a run, the newest first; an arrow at the one in use. */
export function runsText({ runs, current }: CommandOutput<'runs'>): string {
  if (runs.length === 0) return 'No run has learnt anything yet.'
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
            : `${steps} steps, ${information.toFixed(2)} of ${ceiling.toFixed(2)} nats`
        return `${run === current ? '→' : ' '} ${run}  ${name === run ? '' : `“${name}”  `}${preset}, ${classes} classes of ${over} clusters, seed ${seed}: ${learnt} in ${duration(seconds)}${finished ? '' : ', not finished'}; ${labelled} images labelled`
      }
    )
    .join('\n')
}
