import type { Recipe } from '../../contract/recipe.ts'
import { type TrainingPosition, train } from '../../learning/trainer.ts'
import type { ReadyRun } from './learning.ts'
import { type OpenedRun, startingState } from './starting.ts'

/**
 * Trains several random starts for a while and continues with the most informative one, judged by its first head.
 * Information needs no labels, and unused clusters lower it. The time of all trials counts.
 */
export async function bestStart(
  { meta, state, reader }: OpenedRun,
  recipe: Recipe,
  run: ReadyRun
): Promise<TrainingPosition> {
  const { trials, share } = recipe.restarts
  if (trials === 1) return meta.position
  let best: { position: TrainingPosition; state: Record<string, Float32Array>; information: number } | undefined
  let spent = 0
  for (let trial = 0; trial < trials; trial++) {
    const start = trial === 0 ? state : await startingState({ meta, reader }, recipe, trial, run.signal)
    await run.execution.writeState(start)
    let reached = start
    const position = await train({
      ...run,
      until: share,
      position: meta.position,
      onCheckpoint: (_, found) => Promise.resolve(void (reached = found))
    })
    spent += position.seconds
    const information = position.history.at(-1)?.heads[0].information ?? 0
    if (!best || information > best.information) best = { position, state: reached, information }
  }
  await run.execution.writeState(best!.state)
  return { ...best!.position, seconds: spent }
}
