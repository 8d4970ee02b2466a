import type { CommandInput, CommandOutput } from '../../contract/commands.ts'
import { SmaltiError } from '../../contract/errors.ts'
import type { RunMeta } from '../../project/project.ts'
import { checkOutFolder, openOutFolder } from '../../export/outFolder.ts'
import { receptiveHalo } from '../../learning/network/architecture.ts'
import { portableModel } from '../../learning/network/onnxModel.ts'
import { type Project, loadTrainedRun } from '../../project/project.ts'
import { tableOfCut } from '../../project/labelSets.ts'
import { following, loadScheme, tableOf } from '../../project/scheme.ts'
import type { JobContext } from '../job.ts'
import { classesOf } from '../labelling/labelling.ts'
import { prepareLabelling } from '../labelling/prepareLabelling.ts'

const FILES = { probabilities: 'probabilities.onnx', labels: 'labels.onnx' } as const
/** Side in pixels of the tiles that other programs are advised to use. */
const TILE = 512

/** Writes a run's network as ONNX, with the metadata that other programs look for. @throws NothingTrained */
export async function exportModel(
  project: Project,
  { out, head, overwrite = false, plan, what }: CommandInput<'export'>,
  context: JobContext
): Promise<CommandOutput<'export'>> {
  const loaded = await loadTrainedRun(project)
  const { meta } = loaded
  if (meta.architecture.backbone)
    throw new SmaltiError('InvalidSetting', {
      setting: 'format',
      reason: `the run clusters the features of ${meta.settings.features?.file}, which can't be exported as one network`
    })
  if (meta.architecture.descriptor)
    throw new SmaltiError('InvalidSetting', {
      setting: 'format',
      reason: "the run clusters SIFT descriptors, which aren't a network"
    })
  const territory = {
    sources: project.sources,
    images: meta.catalogue.images.map(({ file }) => file),
    project: project.folder
  }
  const outcome = { files: Object.keys(FILES).length, names: Object.values(FILES), head, format: 'onnx' as const }
  if (plan) return { out: (await checkOutFolder(out, outcome.names, territory, overwrite)).folder, ...outcome }
  const { labeller } = await prepareLabelling(project, loaded, {}, context)
  const { architecture } = labeller.model
  const scheme = what === 'clusters' ? undefined : await loadScheme(project, head)
  const cut = labeller.cuts[head]
  const classes = scheme ? scheme.classes : classesOf(labeller)[head]
  const names = Object.fromEntries(classes.map(({ name }, value) => [value, name]))
  const resolution = resolutionOf(meta)
  const notes = {
    model_type: JSON.stringify('Segmentor'),
    class_names: JSON.stringify(names),
    tile_size: JSON.stringify(TILE),
    tiles_overlap: JSON.stringify(Math.min(80, Math.ceil((100 * 2 * receptiveHalo(architecture)) / TILE))),
    // Deepness divides by 255 first, but the model takes the file's own values.
    standardization_mean: JSON.stringify(meta.statistics.map(() => 0)),
    standardization_std: JSON.stringify(meta.statistics.map(() => 1 / 255)),
    bands: JSON.stringify(meta.bands.numbers ?? meta.bands.roles),
    // The clusters depend on a pixel's row in its image, so the model needs whole images.
    ...(architecture.upright && { upright: JSON.stringify(true) }),
    ...(resolution !== undefined && { resolution: JSON.stringify(resolution) })
  }
  await using target = await openOutFolder(out, outcome.names, territory, overwrite)
  const network = { ...labeller.model, statistics: meta.statistics }
  for (const [output, file] of Object.entries(FILES)) {
    await target.write(
      file,
      portableModel(
        network,
        {
          head: cut?.of ?? head,
          table: following(cut && tableOfCut(cut), scheme && tableOf(scheme)),
          classes: classes.length
        },
        output as keyof typeof FILES,
        notes
      )
    )
  }
  await target.finish()
  return { out: target.folder, ...outcome }
}

/** Returns the centimetres per pixel as the network sees it, if known and the same for all images. */
function resolutionOf({ settings, catalogue }: RunMeta): number | undefined {
  const sizes = catalogue.images.map(({ gsd }) => settings.gsd ?? gsd)
  const [first] = sizes
  if (first === undefined || sizes.some((size) => size === undefined || Math.abs(size - first) > 0.01 * first))
    return undefined
  return Number(((100 * first) / settings.scale).toFixed(3))
}
