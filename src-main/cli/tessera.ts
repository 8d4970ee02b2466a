import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommandInput, CommandName, CommandOutput } from '../contract/commands.ts'
import { duration } from '../contract/duration.ts'
import { TesseraError, asTesseraError } from '../contract/errors.ts'
import { GROUP_METHODS, METHODS, type RecipeChanges } from '../contract/recipe.ts'
import { BACKEND_CHOICES, DEFAULT_SETTINGS, HEADS, PRESETS } from '../contract/settings.ts'
import { startEngineProcess } from '../engine/childProcess.ts'
import { progressPrinter } from './progressLine.ts'

/** Faults that lie with what was asked for, rather than with the work itself. */
const INPUT_FAULTS = new Set<string>([
  'FolderNotFound', 'EmptyFolder', 'NoReadableImages', 'UnreadableImage', 'NotEnoughPixels', 'NotEnoughImages', 'ProjectNotFound', 'ProjectUnreadable', 'ProjectTooNew',
  'ProjectLocked', 'FolderNotWritable', 'DiskFull', 'NothingTrained', 'NothingSegmented', 'CheckpointUnreadable', 'CheckpointMismatch',
  'BackendUnavailable', 'TruthMissing', 'TruthMismatch', 'InvalidSetting'
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
    const error = asTesseraError(fault)
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

const program = new Command('tessera')
  .description('Finds the classes in your images without labels.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(add --help for the options and examples)')

const head = new Option('--head <head>', 'A: many over-clusters, B: the classes directly').choices(HEADS).default('A')
const backend = (): Option => new Option('--backend <name>', 'what computes').choices(BACKEND_CHOICES)
const examples = (text: string): string => `\nExamples:\n${text.trim().split('\n').map((line) => `  $ ${line.trim()}`).join('\n')}`

program
  .command('train')
  .description('learn clusters from a folder of images; an unfinished run of the same settings goes on')
  .argument('<folder>', 'images, sub-folders included')
  .requiredOption('--project <folder>', 'where the project is kept; made if need be')
  .option('--classes <n>', 'classes looked for (head B)', count(2, 64), DEFAULT_SETTINGS.classes)
  .option('--over <n>', 'over-clusters (head A)', count(2, 250), DEFAULT_SETTINGS.over)
  .addOption(new Option('--preset <name>', 'recipe').choices(PRESETS).default(DEFAULT_SETTINGS.preset))
  .addOption(new Option('--method <name>', 'how clusters are found (the preset decides otherwise)').choices(METHODS))
  .option('--recipe <file>', 'JSON with changes to the preset, such as {"radius":5,"views":{"quarterTurns":true}}')
  .option('--minutes <n>', 'train for at most so long; the preset may be done before', positive)
  .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
  .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .option('--scale <f>', 'factor on the size of the images, at most 1', number((f) => f > 0 && f <= 1, 'above 0 and at most 1'), DEFAULT_SETTINGS.scale)
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera train photos --project photos.tessera\ntessera train scenes --project p --classes 6 --over 30 --scale 0.5 --minutes 20\ntessera train scenes --project p --preset preview'))
  .action(async (folder: string, options) => {
    const { classes, over, preset, method, minutes, steps, seed, scale } = options
    const recipe = options.recipe === undefined ? undefined : ((await readJson(options.recipe, '--recipe')) as RecipeChanges)
    const settings = { classes, over, preset, method, recipe, minutes, steps, seed, scale, backend: options.backend }
    return perform('train', { folder: resolve(folder), project: resolve(options.project), settings }, options.json, (output) => {
      const heads = output.report?.heads.map(({ name, information, ceiling }) => `  head ${name}: ${information.toFixed(3)} of at most ${ceiling.toFixed(3)} nats`).join('\n') ?? ''
      const from = output.resumedFrom ? ` (from step ${output.resumedFrom})` : ''
      if (output.method !== 'information') {
        return `Clustered ${output.images} images by ${output.method} in ${duration(output.seconds)} with ${output.backend}.\nProject: ${output.project}${skippedText(output.skipped)}`
      }
      return `Trained ${output.steps} steps${from} on ${output.images} images in ${duration(output.seconds)} with ${output.backend} (${output.device}).\n${heads}\nProject: ${output.project}${skippedText(output.skipped)}`
    })
  })

program
  .command('group')
  .description('sort whole images into groups: a table, a contact sheet and, if asked for, sub-folders')
  .argument('<folder>', 'images, sub-folders included')
  .requiredOption('--out <folder>', 'where the table and the contact sheet go')
  .option('--groups <n>', 'groups looked for', count(2, 64), 10)
  .addOption(new Option('--method <name>', 'how groups are found').choices(GROUP_METHODS).default('information'))
  .option('--minutes <n>', 'time limit of training', positive)
  .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
  .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--copies', 'also copy each image into the sub-folder of its group', false)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera group photos --groups 10 --out sorted\ntessera group photos --groups 4 --out sorted --copies --minutes 5'))
  .action((folder: string, options) => {
    const { groups, method, minutes, steps, seed, copies } = options
    const input = { folder: resolve(folder), out: resolve(options.out), groups, method, minutes, steps, seed, copies, backend: options.backend }
    return perform('group', input, options.json, (output) =>
      [
        `Grouped ${output.images} images in ${duration(output.seconds)} with ${output.backend}: ${output.sizes.map((size, i) => `${i + 1}: ${size}`).join(', ')}`,
        `Table: ${output.table}`,
        `Contact sheet: ${output.contactSheet}${skippedText(output.skipped)}`
      ].join('\n')
    )
  })

program
  .command('segment')
  .description('label every image with both heads')
  .argument('<project>')
  .option('--images <folder>', 'other images than those of training')
  .addOption(backend())
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera segment photos.tessera\ntessera segment photos.tessera --images new-photos'))
  .action((project: string, options) =>
    perform('segment', { project: resolve(project), images: options.images && resolve(options.images), backend: options.backend }, options.json, (output) =>
      `Segmented ${output.images} images in ${duration(output.seconds)} with ${output.backend}.\nLabel masks: ${output.labels}${skippedText(output.skipped)}`
    )
  )

program
  .command('evaluate')
  .description('compare label masks with known truth')
  .argument('<project>')
  .requiredOption('--truth <folder>', 'masks with the names of the images; value 255 is not scored')
  .option('--truth-map <file>', 'JSON from mask values to classes, {"0":0,"5":1}; values not named are not scored')
  .addOption(head)
  .addOption(new Option('--mapping <how>', 'how clusters are given to classes').choices(['many-to-one', 'hungarian']).default('many-to-one'))
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera evaluate p --truth masks\ntessera evaluate p --truth masks --truth-map map.json --head B --mapping hungarian'))
  .action(async (project: string, options) => {
    const truthMap = options.truthMap === undefined ? undefined : ((await readJson(options.truthMap, '--truth-map')) as Record<string, number>)
    const input = { project: resolve(project), truth: resolve(options.truth), truthMap, head: options.head, mapping: options.mapping }
    return perform('evaluate', input, options.json, (output) =>
      [
        `Head ${output.head}, ${output.how}, ${output.images} images, ${output.pixels} pixels`,
        `  accuracy  ${output.accuracy.toFixed(4)}  (largest class ${output.majority.toFixed(4)})`,
        `  NMI       ${output.nmi.toFixed(4)}`,
        `  ARI       ${output.ari.toFixed(4)}`,
        `  mIoU      ${output.miou.toFixed(4)}`
      ].join('\n')
    )
  })

program
  .command('export')
  .description('write label masks for other programs')
  .argument('<project>')
  .addOption(new Option('--format <name>', 'png: one 8-bit mask for each image').choices(['png']).default('png'))
  .requiredOption('--out <folder>')
  .addOption(head)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera export photos.tessera --format png --out masks\ntessera export photos.tessera --out masks --head B'))
  .action((project: string, options) =>
    perform('export', { project: resolve(project), format: options.format, out: resolve(options.out), head: options.head }, options.json, (output) =>
      `Wrote ${output.files} masks of head ${output.head} and classes.json to ${output.out}`
    )
  )

program
  .command('info')
  .description('versions, backends, device, and why anything is not used')
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('tessera info'))
  .action((options) =>
    perform('info', {}, options.json, (output) =>
      [
        `Tessera ${output.tessera} on ${output.platform}, Node ${output.node}`,
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
    throw new TesseraError('InvalidSetting', { setting: option, reason: (fault as Error).message })
  }
}

try {
  await program.parseAsync()
} catch (fault) {
  if (fault instanceof CommanderError) {
    process.exitCode = fault.exitCode === 0 ? EXIT.ok : EXIT.badInput
  } else {
    const error = asTesseraError(fault)
    process.stderr.write(`${error.message}\n`)
    process.exitCode = INPUT_FAULTS.has(error.name) ? EXIT.badInput : EXIT.failed
  }
}
