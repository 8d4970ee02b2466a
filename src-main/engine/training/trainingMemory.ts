import type { NamedArrays } from '../../backends/program.ts'
import type { TrainingMemory } from '../../learning/trainer.ts'
import type { RunMeta } from '../../project/project.ts'

const JOINT = 'memory/joint/'
const BEST = 'memory/best/'

/** Converts the memory of training into arrays of a checkpoint. */
export function memoryArrays({ joints, best }: TrainingMemory): NamedArrays {
  const under = (prefix: string, arrays: NamedArrays): NamedArrays =>
    Object.fromEntries(Object.entries(arrays).map(([name, values]) => [prefix + name, values]))
  return { ...under(JOINT, joints), ...under(BEST, best.state) }
}

/** Splits a checkpoint's arrays into the state of the step and the memory of training. */
export function recalled({ memory }: RunMeta, arrays: NamedArrays): { state: NamedArrays; memory?: TrainingMemory } {
  const below = (prefix: string): NamedArrays =>
    Object.fromEntries(
      Object.entries(arrays).flatMap(([name, values]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), values]] : []
      )
    )
  const state = Object.fromEntries(Object.entries(arrays).filter(([name]) => !name.startsWith('memory/')))
  return {
    state,
    memory: memory && {
      joints: below(JOINT),
      best: { state: below(BEST), information: memory.bestInformation },
      risen: memory.risen
    }
  }
}
