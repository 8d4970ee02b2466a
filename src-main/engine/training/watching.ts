import type { Execution, NamedArrays } from '../../backends/program.ts'
import type { WatchedPicture } from '../../contract/engine/progress.ts'
import type { CatalogueImage } from '../../contract/imagery.ts'
import type { TrainingReport } from '../../contract/training.ts'
import { scaledSize } from '../../imagery/pictures.ts'
import { standardise } from '../../imagery/statistics.ts'
import { coarseSide, rowPlaces, surveyProgram } from '../../learning/inference.ts'
import { outputStride, receptiveHalo, windowMargin, windowStep } from '../../learning/network/architecture.ts'
import { foldWeights } from '../../learning/network/forward.ts'
import { appliedWeights } from '../../learning/trainingStep.ts'
import { inferenceBackend } from '../runtime/compute.ts'
import type { SurveyedRun } from './conclusion.ts'

/** Side of the watched part of an image, in pixels of the scaled image. */
const SIDE = 256

/** Shows how the clusters of one image form while a run trains. */
export interface Watch {
  /** Labels the watched part with the first head and the current weights. @throws UnreadableImage */
  look(state: NamedArrays, report: TrainingReport): Promise<WatchedPicture>
  stop(): Promise<void>
}

/** Starts watching the middle of an image while a run trains; undefined if the run has no such image. */
export async function startWatch({ meta, reader }: SurveyedRun, path: string): Promise<Watch | undefined> {
  const { architecture, catalogue, settings, statistics } = meta
  const image = catalogue.images.find((entry) => entry.path === path)
  if (!image || architecture.backbone) return undefined
  const [head] = architecture.heads
  const looking = { ...architecture, guidedFilter: undefined, heads: [] }
  const [step, stride, size] = [windowStep(looking), outputStride(architecture), scaledSize(image, reader.scale)]
  const core = Math.max(step, Math.floor(Math.min(SIDE, size.width, size.height) / step) * step)
  const halo = Math.ceil(receptiveHalo(looking) / step) * step
  const [side, margin] = [core + 2 * halo, windowMargin(looking)]
  const [left, top] = [Math.floor((size.width - core) / 2), Math.floor((size.height - core) / 2)]
  const { values, valid } = await reader.read(image, { left: left - halo, top: top - halo, width: side, height: side })
  standardise(values, statistics)
  const masked = catalogue.images.some(({ gaps }) => gaps)
  const mask = masked ? Float32Array.from(valid ?? new Uint8Array(side * side).fill(1)) : undefined
  const rows =
    architecture.upright && rowPlaces(architecture, { top: top - halo, window: side, margin, height: size.height })
  const fed = { image: values, ...(mask && { valid: mask }), ...(rows && { rows }) }
  const backend = await inferenceBackend(settings.backend)
  let compiled: { execution: Execution; subHead: number } | undefined

  async function executionOf(weights: NamedArrays, subHead: number): Promise<Execution> {
    const folded = foldWeights(architecture, weights)
    if (compiled?.subHead === subHead) {
      await compiled.execution.writeState(folded)
      return compiled.execution
    }
    const former = compiled
    compiled = undefined
    await former?.execution.dispose()
    const subHeads = Object.fromEntries(architecture.heads.map(({ name }) => [name, name === head.name ? subHead : 0]))
    const program = {
      ...surveyProgram(architecture, subHeads, { window: side, margin, masked, statistics: {} }),
      constantState: false
    }
    compiled = { execution: await backend.compile(program, folded), subHead }
    return compiled.execution
  }

  return {
    async look(state, report) {
      const execution = await executionOf(appliedWeights(state), report.heads[0].subHead)
      const { [`heatmap${head.name}`]: heatmap } = await execution.run(fed)
      const across = coarseSide(architecture, { window: side, margin })
      const [first, cells] = [(halo - margin) / stride, core / stride]
      const labels = Uint8Array.from({ length: cells * cells }, (_, i) =>
        mostProbable(
          heatmap,
          ((first + Math.floor(i / cells)) * across + first + (i % cells)) * head.clusters,
          head.clusters
        )
      )
      return {
        path,
        ...inImage(image, size, { left, top, side: core }),
        columns: cells,
        rows: cells,
        clusters: head.clusters,
        labels
      }
    },
    stop: async () => void (await compiled?.execution.dispose())
  }
}

function mostProbable(heatmap: Float32Array, from: number, clusters: number): number {
  let most = 0
  for (let k = 1; k < clusters; k++) if (heatmap[from + k] > heatmap[from + most]) most = k
  return most
}

/** Converts a square of the scaled image into pixels of the image itself. */
function inImage(
  { width, height }: CatalogueImage,
  size: { width: number; height: number },
  { left, top, side }: { left: number; top: number; side: number }
): Pick<WatchedPicture, 'left' | 'top' | 'width' | 'height'> {
  const [x, y] = [width / size.width, height / size.height]
  return {
    left: Math.round(left * x),
    top: Math.round(top * y),
    width: Math.round(side * x),
    height: Math.round(side * y)
  }
}
