import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type NetworkFile, notesOfNetwork, openNetworkFile } from '../../backends/networkFile.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { BandChoice, BandStatistics } from '../../contract/imagery.ts'
import type { TrainingSettings } from '../../contract/settings.ts'
import { type FedBand, type Frame, type FrozenTrunk, frameOf, frozenTrunk } from '../../learning/network/backbone.ts'
import type { RunMeta } from '../../project/project.ts'

type Features = NonNullable<TrainingSettings['features']>

/** Means and standard deviations of ImageNet's colours, which most vision networks are trained with. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
/** The names that networks use for them in their metadata: Deepness, and image processors of Hugging Face. */
const NOTES = { mean: ['standardization_mean', 'image_mean'], std: ['standardization_std', 'image_std'] }

interface Opened {
  file: NetworkFile
  frame: Frame
  notes: Record<string, string>
  digest: string
}

let last: { path: string; digest: string; opened: Promise<Opened> } | undefined

/** Opens a network file, or returns the one that is already open. @throws FeaturesUnusable */
async function openedFile(path: string): Promise<Opened> {
  const unusable = (reason: string): SmaltiError => new SmaltiError('FeaturesUnusable', { path, reason })
  const model = await readFile(path).catch((fault: NodeJS.ErrnoException) => {
    throw unusable(fault.code === 'ENOENT' ? "the file doesn't exist" : fault.message)
  })
  const digest = createHash('sha256').update(model).digest('hex')
  if (last?.path === path && last.digest === digest) return last.opened
  const opened = (async (): Promise<Opened> => {
    const file = await openNetworkFile(path)
    return { file, frame: await frameOf(file), notes: notesOfNetwork(model), digest }
  })()
  last = { path, digest, opened }
  try {
    return await opened
  } catch (fault) {
    last = undefined
    throw unusable((fault as Error).message.split('\n')[0].replace(/\.$/, ''))
  }
}

/**
 * Opens a network's features for the given bands, before any statistics of the images are known.
 * @throws FeaturesUnusable
 */
export async function openFeatures(features: Features, bands: BandChoice): Promise<FrozenTrunk> {
  return trunkFor(
    features,
    bands,
    bands.roles.map(() => ({ low: 0, high: 1, mean: 0, deviation: 1 }))
  )
}

/** Returns the frozen trunk of a run that has one. @throws FeaturesUnusable when its file is missing or has changed */
export async function frozenTrunkOf({
  settings: { features },
  architecture: { backbone },
  bands,
  statistics
}: Pick<RunMeta, 'settings' | 'architecture' | 'bands' | 'statistics'>): Promise<FrozenTrunk | undefined> {
  if (!features || !backbone) return undefined
  const trunk = await trunkFor(features, bands, statistics)
  if (trunk.network.digest !== backbone.digest)
    throw new SmaltiError('FeaturesUnusable', {
      path: features.file,
      reason: 'the file has changed since training; restore it, or train again'
    })
  return trunk
}

async function trunkFor(features: Features, bands: BandChoice, statistics: BandStatistics): Promise<FrozenTrunk> {
  const { file, frame, notes, digest } = await openedFile(features.file)
  const fault = (reason: string): SmaltiError => new SmaltiError('FeaturesUnusable', { path: features.file, reason })
  const given = bands.roles.length
  if (given < frame.bands && given !== 1) throw fault(`it takes ${frame.bands} bands; the images have ${given}`)
  if (given > frame.bands && !(frame.bands === 3 && bands.roles.slice(0, 3).join() === 'red,green,blue'))
    throw fault(`it takes ${frame.bands} bands; the images have ${given}. Choose which bands to use`)
  const ofBands = (part: 'mean' | 'std'): number[] => {
    const values =
      features[part] ??
      noted(notes, NOTES[part]) ??
      (frame.bands === 3 ? IMAGENET[part] : [part === 'mean' ? 0.5 : 0.25])
    if (values.length !== 1 && values.length !== frame.bands)
      throw fault(
        `it takes ${frame.bands} bands, but ${values.length} ${part === 'mean' ? 'means' : 'deviations'} were given`
      )
    return Array.from({ length: frame.bands }, (_, b) => values[b % values.length])
  }
  const [mean, std] = [ofBands('mean'), ofBands('std')]
  const fed = mean.map((m, b): FedBand => {
    const band = given === 1 ? 0 : b
    return { band, scale: statistics[band].deviation / std[b], shift: (statistics[band].mean - m) / std[b] }
  })
  const trunk = frozenTrunk(file, frame, fed, digest)
  return {
    ...trunk,
    features: (values, side) =>
      trunk.features(values, side).catch((problem: Error) => {
        throw fault(problem.message.split('\n')[0])
      })
  }
}

/** Returns the list of numbers that a network's metadata stores under one of the given names. */
function noted(notes: Record<string, string>, names: readonly string[]): number[] | undefined {
  const text = names.map((name) => notes[name]).find((note) => note !== undefined)
  if (text === undefined) return undefined
  try {
    const values = [JSON.parse(text) as unknown].flat()
    return values.every((value): value is number => typeof value === 'number' && Number.isFinite(value))
      ? values
      : undefined
  } catch {
    return undefined
  }
}
