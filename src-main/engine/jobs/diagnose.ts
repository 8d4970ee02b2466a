import { dependency, mutualInformation } from '../../learning/diagnostics.ts'
import { columnMoments } from '../../learning/kMeans.ts'
import { uniformFrom } from '../../learning/random.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { PictureReader } from '../../imagery/pictures.ts'
import { loadTrainedRun, openProject } from '../../project/project.ts'
import { saveDiagnosis } from '../../project/runs.ts'
import { inferenceBackend } from '../runtime/compute.ts'
import { surveyRun } from '../training/conclusion.ts'
import type { Job } from '../job.ts'
import { sightOf } from '../labelling/prepareLabelling.ts'

const STREAM = 9
/** Sides of the boxes whose mean colours and gradients describe a pixel's surroundings. */
const LOOKS = [9, 21]
/** Features that vary less than this belong to channels that are never used. */
const DEAD = 1e-6

/** Measures a run's features without labels, and stores the result with the run. */
export const diagnoseJob: Job<'diagnose'> = async ({ project: folder, run }, { signal, onProgress }) => {
  const project = await openProject(folder, run)
  const { meta, arrays } = await loadTrainedRun(project)
  onProgress({ stage: 'Sampling pixels' })
  const reader = new PictureReader(sightOf(project, meta))
  try {
    const { features, looks } = await surveyRun({ meta, reader }, appliedWeights(arrays), { looks: LOOKS }, signal)
    const backend = await inferenceBackend(meta.settings.backend)
    const uniform = uniformFrom(meta.settings.seed, STREAM)
    onProgress({ stage: 'Measuring the information in the features', share: 0 })
    const information = await mutualInformation(backend, looks, features, uniform, signal)
    onProgress({ stage: 'Measuring the dependence between features', share: 0.5 })
    const total = await dependency(backend, features, uniform, signal)
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const found = {
      steps: meta.position.step,
      pixels: features.count,
      features: features.width,
      unused: columnMoments(features).deviation.filter((deviation) => deviation < DEAD).length,
      information,
      dependency: total
    }
    await saveDiagnosis(project, found)
    return { run: project.run!, ...found }
  } finally {
    await reader.close()
  }
}
