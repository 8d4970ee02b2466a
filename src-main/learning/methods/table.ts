import type { LearntMethod } from '../../contract/recipe.ts'
import { adaptive } from './adaptive.ts'
import { coOccurrence } from './coOccurrence.ts'
import { context } from './context.ts'
import { deepInfomax } from './deepInfomax.ts'
import { embedded } from './embedded.ts'
import { exemplar } from './exemplar.ts'
import { information } from './information.ts'
import type { StepShape } from '../../contract/training.ts'
import type { Architecture } from '../network/architecture.ts'
import type { LearningMethod, Objective } from './method.ts'

/** All methods that train a trunk. */
export const LEARNING: Record<LearntMethod, LearningMethod> = {
  information,
  'deep-infomax': deepInfomax,
  'co-occurrence': coOccurrence,
  context,
  exemplar,
  adaptive,
  embedded
}

/** Returns the objective that a step of this shape minimises. */
export const objectiveOf = (architecture: Architecture, shape: StepShape): Objective =>
  methodOf(shape).objective(architecture, shape)

export const methodOf = ({ method = 'information' }: StepShape): LearningMethod => LEARNING[method]
