import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { SchemeEdit } from '../contract/classes.ts'
import type { CommandInput, CommandName, CommandOutput } from '../contract/commands.ts'
import { duration } from '../contract/duration.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { GROUP_METHODS, METHODS, type RecipeChanges } from '../contract/recipe.ts'
import { BACKEND_CHOICES, DEFAULT_SETTINGS, HEADS, PRESETS } from '../contract/settings.ts'
import { EXPORT_FORMATS, FORMAT_NOTES, type CleanUp, type PatchSize, type Shard } from '../contract/labels.ts'
import { isAddress } from '../imagery/byteSource.ts'
import { startEngineProcess } from '../engine/childProcess.ts'
import { classesText } from './classesText.ts'
import { descriptionText } from './descriptionText.ts'
import { runsText } from './runsText.ts'
import { progressPrinter } from './progressLine.ts'

/** Faults that lie with what was asked for, rather than with the work itself. */
const INPUT_FAULTS = new Set<string>([
  'FolderNotFound', 'EmptyFolder', 'NoReadableImages', 'UnreadableImage', 'NotEnoughPixels', 'NotEnoughImages', 'FolderUnreadable', 'NothingValid', 'MixedImages', 'AreaUnreachable', 'LabelsUnreadable', 'ClassesChanged', 'TooManyPatches', 'ShardMissing', 'WouldOverwrite', 'AmongImages', 'ProjectNotFound', 'ProjectUnreadable', 'OtherImages', 'ProjectTooNew',
  'ProjectLocked', 'FolderNotWritable', 'DiskFull', 'NothingTrained', 'NothingSegmented', 'HeatmapsMissing', 'CheckpointUnreadable', 'CheckpointMismatch',
  'BackendUnavailable', 'FeaturesUnusable', 'TruthMissing', 'TruthInColour', 'TruthMismatch', 'InvalidSetting'
])
const EXIT = { ok: 0, failed: 1, badInput: 2, interrupted: 130 }

function number(check: (value: number) => boolean, wanted: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !check(value)) throw new InvalidArgumentError(`It must be ${wanted}.`)
    return value
  }
}
const count = (low: number, high: number): ((text: string) => number) =>
  number((value) => Number.isInteger(value) && value >= low && value <= high, `a whole number from ${low} to ${high}`)
const numbers = (low: number, high: number, text: string): number[] => text.split(',').map(count(low, high))
/** `200px`, or `50m2` on the ground. */
function patchSize(text: string): PatchSize {
  const [, value, unit] = /^(\d+(?:\.\d+)?)\s*(px|m2|m²)?$/.exec(text.trim()) ?? []
  if (!(Number(value) > 0)) throw new InvalidArgumentError('It must be a size such as 200px or 50m2.')
  return { value: Number(value), unit: unit === undefined || unit === 'px' ? 'px' : 'm2' }
}
/** `2/8`: the second of eight. */
function shardOf(text: string): Shard {
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (!(Number(number) >= 1 && Number(number) <= Number(of))) throw new InvalidArgumentError('It must be a part such as 2/8.')
  return { number: Number(number), of: Number(of) }
}
/** Paths become absolute, addresses stay. */
const placed = (paths: readonly string[]): string[] => paths.map((path) => (isAddress(path) ? path : resolve(path)))
const decimals = (text: string): number[] => text.split(',').map(number(Number.isFinite, 'numbers such as 0.485,0.456,0.406'))
const positive = number((value) => Number.isFinite(value) && value > 0, 'a number above 0')

/** Runs a command in the engine with a progress line, and prints its result. */
async function perform<N extends CommandName>(
  name: N,
  input: CommandInput<N>,
  json: boolean | undefined,
  print: (output: CommandOutput<N>) => string
): Promise<void> {
  const engine = startEngineProcess()
  const controller = new AbortController()
  const interrupt = (): void => controller.abort()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const line = progressPrinter(process.stderr)
  try {
    const output = await engine.call(name, input, { signal: controller.signal, onProgress: (progress) => line.show(progress) })
    line.end()
    process.stdout.write(json ? `${JSON.stringify(output)}\n` : `${print(output)}\n`)
  } catch (fault) {
    line.end()
    const error = asSmaltiError(fault)
    process.stderr.write(`${error.message}\n`)
    if (json) process.stdout.write(`${JSON.stringify({ error })}\n`)
    process.exitCode = error.name === 'Cancelled' ? EXIT.interrupted : INPUT_FAULTS.has(error.name) ? EXIT.badInput : EXIT.failed
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    engine.stop()
  }
}

const skippedText = (skipped: { path: string; reason: string }[]): string =>
  skipped.length ? `\n${skipped.length} skipped:\n${skipped.map(({ path, reason }) => `  ${path}: ${reason}`).join('\n')}` : ''

const warningText = (warnings: { path: string; reason: string }[]): string => warnings.map(({ path, reason }) => `\nNote: ${path}: ${reason}`).join('')

const program = new Command('smalti')
  .description('Finds the classes in your images without labels.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(add --help for the options and examples)')

const head = new Option('--head <head>', 'A: many over-clusters, B: the classes directly').choices(HEADS).default('A')
const images = (): Option => new Option('--images <paths...>', 'other images than those of training: folders, files, addresses of GeoTIFFs; their labels are a set of their own')
const area = (what: string): Option => new Option('--area <file>', `GeoJSON polygons that limit ${what}`)
const withCleanUp = (command: Command): Command =>
  command
    .option('--majority <radius>', 'each pixel takes the most frequent label of the square about it, first', count(1, 32))
    .option('--sieve <size>', 'minimum mapping unit, 200px or 50m2: smaller patches join the neighbour of the longest border', patchSize)
const cleanUpOf = ({ majority, sieve }: CleanUp): CleanUp | undefined => (majority === undefined && sieve === undefined ? undefined : { majority, sieve })
const backend = (): Option => new Option('--backend <name>', 'what computes').choices(BACKEND_CHOICES)
const examples = (text: string): string => `\nExamples:\n${text.trim().split('\n').map((line) => `  $ ${line.trim()}`).join('\n')}`

program
  .command('train')
  .description('learn clusters from a folder of images; an unfinished run of the same settings goes on')
  .argument('<images...>', 'folders, sub-folders included, and files; addresses of GeoTIFFs')
  .requiredOption('--project <folder>', 'where the project is kept; made if need be')
  .option('--classes <n>', 'classes looked for (head B)', count(2, 64), DEFAULT_SETTINGS.classes)
  .option('--over <n>', 'over-clusters (head A)', count(2, 250), DEFAULT_SETTINGS.over)
  .addOption(new Option('--preset <name>', 'recipe').choices(PRESETS).default(DEFAULT_SETTINGS.preset))
  .addOption(new Option('--method <name>', 'how clusters are found (the preset decides otherwise)').choices(METHODS))
  .option('--features <file>', 'ONNX vision network whose features are clustered instead of learning any')
  .option('--features-mean <list>', 'what is taken from each of its bands of 0…1; its own metadata or ImageNet’s otherwise', decimals)
  .option('--features-std <list>', 'what they are divided by then', decimals)
  .option('--recipe <file>', 'JSON with changes to the preset, such as {"radius":5,"views":{"quarterTurns":true}}')
  .option('--minutes <n>', 'train for at most so long; the preset may be done before', positive)
  .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
  .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .option('--scale <f>', 'factor on the size of the images, at most 1', number((f) => f > 0 && f <= 1, 'above 0 and at most 1'), DEFAULT_SETTINGS.scale)
  .addOption(new Option('--upright <how>', 'whether a pixel’s row says something of its class, as in photographs with the sky above').choices(['auto', 'yes', 'no']).default(DEFAULT_SETTINGS.upright))
  .option('--gsd <metres>', 'ground sampling distance to which georeferenced images are brought', positive)
  .option('--bands <list>', 'bands looked at, counted from 1, such as 4,3,2; all that the images have in common otherwise', (text: string) => numbers(1, 64, text))
  .addOption(area('training, labels and exports'))
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--retime', 'with --backend auto, measure anew which is the fastest here', false)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti train photos --project photos.smalti\nsmalti train scenes --project p --classes 6 --over 30 --scale 0.5 --minutes 20\nsmalti train flight-1 flight-2 extra.tif --project p --bands 4,3,2 --gsd 0.2 --area aoi.geojson\nsmalti train scenes --project p --preset preview'))
  .action(async (paths: string[], options) => {
    const { classes, over, preset, method, minutes, steps, seed, scale, gsd, bands, upright } = options
    const recipe = options.recipe === undefined ? undefined : ((await readJson(options.recipe, '--recipe')) as RecipeChanges)
    const features = options.features === undefined ? undefined : { file: resolve(options.features), mean: options.featuresMean, std: options.featuresStd }
    const settings = { classes, over, preset, method, features, recipe, minutes, steps, seed, scale, gsd, bands, upright, area: options.area && resolve(options.area), backend: options.backend }
    return perform('train', { sources: placed(paths), project: resolve(options.project), settings, retime: options.retime }, options.json, (output) => {
      const heads = output.report?.heads.map(({ name, information, ceiling }) => `  head ${name}: ${information.toFixed(3)} of at most ${ceiling.toFixed(3)} nats`).join('\n') ?? ''
      const rows = output.upright?.used ? `\nThe row of a pixel counts: ${output.upright.reason}.` : ''
      const from = output.resumedFrom ? ` (from step ${output.resumedFrom})` : ''
      if (output.method !== 'information') {
        return `Clustered ${output.images} images by ${output.method} in ${duration(output.seconds)} with ${output.backend}.${rows}\nProject: ${output.project}${skippedText(output.skipped)}`
      }
      return `Trained ${output.steps} steps${from} on ${output.images} images in ${duration(output.seconds)} with ${output.backend} (${output.device}).\n${heads}${rows}\nProject: ${output.project}${warningText(output.warnings)}${skippedText(output.skipped)}`
    })
  })

program
  .command('group')
  .description('sort whole images into groups: a table, a contact sheet and, if asked for, sub-folders')
  .argument('<images...>', 'folders, sub-folders included, and files')
  .requiredOption('--out <folder>', 'where the table and the contact sheet go')
  .option('--groups <n>', 'groups looked for', count(2, 64), 10)
  .addOption(new Option('--method <name>', 'how groups are found').choices(GROUP_METHODS).default('information'))
  .option('--minutes <n>', 'time limit of training', positive)
  .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
  .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--copies', 'also copy each image into the sub-folder of its group', false)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti group photos --groups 10 --out sorted\nsmalti group photos --groups 4 --out sorted --copies --minutes 5'))
  .action((paths: string[], options) => {
    const { groups, method, minutes, steps, seed, copies } = options
    const input = { sources: placed(paths), out: resolve(options.out), groups, method, minutes, steps, seed, copies, backend: options.backend }
    return perform('group', input, options.json, (output) =>
      [
        `Grouped ${output.images} images in ${duration(output.seconds)} with ${output.backend}: ${output.sizes.map((size, i) => `${i + 1}: ${size}`).join(', ')}`,
        `Table: ${output.table}`,
        `Contact sheet: ${output.contactSheet}${skippedText(output.skipped)}`
      ].join('\n')
    )
  })

withCleanUp(program.command('segment'))
  .description('label every image with both heads; what is labelled already stays')
  .argument('<project>')
  .addOption(images())
  .addOption(area('the labels'))
  .option('--heatmaps', 'also keep how probable each cluster is, for --confidence and --probabilities of exports', false)
  .option('--shard <i/n>', 'label only one of n parts, for as many processes or machines; merge-shards then joins them', shardOf)
  .addOption(backend())
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti segment photos.smalti\nsmalti segment photos.smalti --images new-photos https://example.com/scene.tif\nsmalti segment p --sieve 50m2 --majority 2\nsmalti segment p --shard 3/16'))
  .action((project: string, options) => {
    const input = {
      project: resolve(project),
      images: options.images && placed(options.images),
      backend: options.backend,
      area: options.area && resolve(options.area),
      cleanUp: cleanUpOf(options),
      heatmaps: options.heatmaps,
      shard: options.shard
    }
    return perform('segment', input, options.json, (output) => {
      const before = output.images - output.labelled
      return `Segmented ${output.labelled} ${options.shard ? 'parts' : 'images'} in ${duration(output.seconds)} with ${output.backend}${before > 0 && !options.shard ? `; ${before} were labelled already` : ''}.\nLabels: ${output.labels}${warningText(output.warnings)}${skippedText(output.skipped)}`
    })
  })

program
  .command('merge-shards')
  .description('join the labels of all shards into those of one segmentation, byte for byte')
  .argument('<project>')
  .addOption(images())
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti merge-shards p'))
  .action((project: string, options) =>
    perform('mergeShards', { project: resolve(project), images: options.images && placed(options.images) }, options.json, (output) =>
      `Merged ${output.shards} shards of ${output.images} images.\nLabels: ${output.labels}${skippedText(output.skipped)}`
    )
  )

program
  .command('describe')
  .description('what is known of the clusters of a segmentation: shares, area, certainty, mean bands, neighbours, certain places')
  .argument('<project>')
  .addOption(images())
  .addOption(head)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti describe photos.smalti\nsmalti describe photos.smalti --head B --json'))
  .action((project: string, options) =>
    perform('describe', { project: resolve(project), images: options.images && placed(options.images), head: options.head }, options.json, descriptionText)
  )

program
  .command('runs')
  .description('the trainings of a project: each keeps its labels and classes, and one is in use')
  .argument('<project>')
  .option('--use <run>', 'make another run the one in use, such as run-0002')
  .option('--name <name>', 'what the run in use is called')
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti runs photos.smalti\nsmalti runs photos.smalti --use run-0001\nsmalti runs photos.smalti --name "with near infrared"'))
  .action((project: string, options) =>
    perform('runs', { project: resolve(project), use: options.use, rename: options.name === undefined ? undefined : { run: options.use, name: options.name } }, options.json, runsText)
  )

/** Numbers of classes as they are shown, from 1. */
const classNumbers = (text: string): number[] => numbers(1, 250, text).map((number) => number - 1)
/** `3=Water`, as often as it is given. */
function namedClass(text: string, before: [number, string][] = []): [number, string][] {
  const [, number, value] = /^(\d+)=(.+)$/.exec(text.trim()) ?? []
  if (value === undefined) throw new InvalidArgumentError('It must be a class and what it gets, such as 3=Water.')
  return [...before, [count(1, 250)(number) - 1, value]]
}
const severalClasses = (text: string, before: number[][] = []): number[][] => [...before, classNumbers(text)]

program
  .command('classes')
  .description('make classes of clusters: merge, name, colour, cut the tree, undo; changes are made in the order of this list')
  .argument('<project>')
  .addOption(head)
  .option('--import <file>', 'classes of a run with as many clusters (.json), or names and colours (.qml of QGIS)')
  .option('--cut <n>', 'as many classes as this, by the tree', count(1, 250))
  .option('--split <class>', 'every cluster of a class becomes one by itself again', count(1, 250))
  .option('--merge <classes>', 'the first takes in the others, 3,7,12; may be given several times', severalClasses)
  .option('--name <name>', 'of what the last --merge made')
  .option('--rename <class=name>', '3=Water; may be given several times', namedClass)
  .option('--recolour <class=colour>', '3=#1f77b4; may be given several times', namedClass)
  .option('--ignore <classes>', 'leave them without label', classNumbers)
  .option('--count <classes>', 'no longer ignore them', classNumbers)
  .option('--undo [n]', 'go so many steps back', count(1, 1e6))
  .option('--redo [n]', 'go so many steps forth', count(1, 1e6))
  .option('--history', 'list all steps')
  .option('--list', 'list the classes, which is what happens anyway')
  .option('--export <file>', 'write the classes (.json), or a style for QGIS (.qml)')
  .option('--overwrite', 'with --export, also over a file that Smalti did not write', false)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti classes photos.smalti\nsmalti classes photos.smalti --merge 3,7 --name Water --rename 2=Forest --ignore 4\nsmalti classes photos.smalti --cut 5\nsmalti classes photos.smalti --undo'))
  .action((project: string, options) => {
    const merges = (options.merge as number[][] | undefined) ?? []
    const pairs = (key: 'rename' | 'recolour'): [number, string][] => (options[key] as [number, string][] | undefined) ?? []
    const edits: SchemeEdit[] = [
      ...(options.cut === undefined ? [] : [{ kind: 'cut' as const, groups: options.cut }]),
      ...(options.split === undefined ? [] : [{ kind: 'split' as const, class: options.split - 1, along: 'clusters' as const }]),
      ...merges.map((classes, i) => ({ kind: 'merge' as const, classes, name: i === merges.length - 1 ? options.name : undefined })),
      ...pairs('rename').map(([id, name]) => ({ kind: 'rename' as const, class: id, name })),
      ...pairs('recolour').map(([id, colour]) => ({ kind: 'recolour' as const, class: id, colour })),
      ...(options.ignore ? [{ kind: 'ignore' as const, classes: options.ignore, ignored: true }] : []),
      ...(options.count ? [{ kind: 'ignore' as const, classes: options.count, ignored: false }] : [])
    ]
    const steps = (value: true | number | undefined): number => (value === true ? 1 : (value ?? 0))
    const undo = options.undo === undefined && options.redo === undefined ? undefined : steps(options.undo) - steps(options.redo)
    const input = { project: resolve(project), head: options.head, edits, undo, from: options.import && resolve(options.import), into: options.export && resolve(options.export), overwrite: options.overwrite }
    return perform('classes', input, options.json, (output) => classesText(output, options.history))
  })

const SHOWN_DECISIONS = new Set([2, 3, 5, 8, 12, 20, 30, 40])

program
  .command('evaluate')
  .description('compare label masks with known truth')
  .argument('<project>')
  .requiredOption('--truth <path>', 'masks (PNG, GeoTIFF) or GeoJSON with the names of the images, or one GeoJSON file; value 255 is not scored')
  .addOption(images())
  .option('--truth-map <file>', 'JSON from mask values or colours to classes, {"0":0,"5":1} or {"#ff0000":0}; what is not named is not scored')
  .addOption(head)
  .option('--boundary <px>', 'also the errors no farther than so many pixels from a true boundary', count(1, 100))
  .option('--curve', 'also the best accuracy with 1 to 40 nodes of the tree of clusters: what so many decisions are worth', false)
  .addOption(new Option('--mapping <how>', 'how clusters are given to classes').choices(['many-to-one', 'hungarian']).default('many-to-one'))
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti evaluate p --truth masks\nsmalti evaluate p --truth masks --truth-map map.json --head B --mapping hungarian'))
  .action(async (project: string, options) => {
    const truthMap = options.truthMap === undefined ? undefined : ((await readJson(options.truthMap, '--truth-map')) as Record<string, number>)
    const input = { project: resolve(project), images: options.images && placed(options.images), truth: resolve(options.truth), truthMap, head: options.head, mapping: options.mapping, curve: options.curve, boundary: options.boundary }
    return perform('evaluate', input, options.json, (output) =>
      [
        `Head ${output.head}, ${output.how}, ${output.images} images, ${output.pixels} pixels`,
        `  accuracy  ${output.accuracy.toFixed(4)}  (largest class ${output.majority.toFixed(4)})`,
        `  NMI       ${output.nmi.toFixed(4)}`,
        `  ARI       ${output.ari.toFixed(4)}`,
        `  mIoU      ${output.miou.toFixed(4)}`,
        ...(output.boundary ? [`  errors    ${output.boundary.errorRate.toFixed(4)} of ${output.boundary.pixels} pixels within ${options.boundary} of a boundary`] : []),
        ...(output.curve?.flatMap((accuracy, i) => (SHOWN_DECISIONS.has(i + 1) ? [`  ${String(i + 1).padStart(2)} decisions  ${accuracy.toFixed(4)}`] : [])) ?? [])
      ].join('\n')
    )
  })

withCleanUp(program.command('export'))
  .description('write labels for other programs')
  .argument('<project>')
  .addOption(new Option('--format <name>', 'see below').choices(EXPORT_FORMATS).default('png'))
  .requiredOption('--out <folder>')
  .addOption(images())
  .addOption(head)
  .option('--confidence', 'beside label GeoTIFFs, how probable each pixel’s class is', false)
  .option('--probabilities', 'beside label GeoTIFFs, how probable each class is, a band each, at the network’s resolution', false)
  .option('--overwrite', 'also over files that no earlier export wrote', false)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', `\nFormats:\n${Object.entries(FORMAT_NOTES).map(([name, note]) => `  ${name.padEnd(15)} ${note}`).join('\n')}\n${examples('smalti export photos.smalti --format geotiff --out labels\nsmalti export photos.smalti --format geopackage --sieve 100px --out polygons\nsmalti segment p --heatmaps && smalti export p --format geotiff --confidence --out labels')}`)
  .action((project: string, options) => {
    const input = { project: resolve(project), format: options.format, out: resolve(options.out), head: options.head, images: options.images && placed(options.images), cleanUp: cleanUpOf(options), measures: { confidence: options.confidence, probabilities: options.probabilities }, overwrite: options.overwrite }
    return perform('export', input, options.json, (output) => `Wrote ${output.files} files of head ${output.head} as ${output.format} to ${output.out}`)
  })

program
  .command('info')
  .description('versions, backends, device, and why anything is not used')
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti info'))
  .action((options) =>
    perform('info', {}, options.json, (output) =>
      [
        `Smalti ${output.smalti} on ${output.platform}, Node ${output.node}`,
        `${output.processors}, ${output.memoryGiB} GiB`,
        ...output.backends.map(({ name, used, device, reason }) => `  ${name.padEnd(12)} ${used ? device : `not used: ${reason}`}`),
        ...Object.entries(output.libraries).map(([name, version]) => `  ${name} ${version}`)
      ].join('\n')
    )
  )

/** Its shape is checked by the engine. */
async function readJson(path: string, option: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (fault) {
    throw new SmaltiError('InvalidSetting', { setting: option, reason: (fault as Error).message })
  }
}

try {
  await program.parseAsync()
} catch (fault) {
  if (fault instanceof CommanderError) {
    process.exitCode = fault.exitCode === 0 ? EXIT.ok : EXIT.badInput
  } else {
    const error = asSmaltiError(fault)
    process.stderr.write(`${error.message}\n`)
    process.exitCode = INPUT_FAULTS.has(error.name) ? EXIT.badInput : EXIT.failed
  }
}
