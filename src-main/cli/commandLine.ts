import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import type { EngineProcess } from '../contract/engine/client.ts'
import { diagnosisText } from '../contract/words/diagnosis.ts'
import type { CommandOutput } from '../contract/commands.ts'
import { detailsText } from '../contract/words/details.ts'
import { duration } from '../contract/words/duration.ts'
import { plural } from '../contract/words/plural.ts'
import { SmaltiError, asSmaltiError } from '../contract/errors.ts'
import { leftOutText } from '../contract/evaluation.ts'
import { LEARNT_METHODS, METHODS, METHOD_NOTES, type RecipeChanges } from '../contract/recipe.ts'
import { RUNTIMES, megabytes } from '../contract/runtimes.ts'
import { DEFAULT_SETTINGS, PRESETS } from '../contract/settings.ts'
import { EXPORT_FORMATS, FORMAT_NOTES, type CleanUp } from '../contract/labels.ts'
import { addClassCommands } from './classCommands.ts'
import { addGroupCommands } from './groupCommands.ts'
import { insisted } from './interruption.ts'
import { descriptionText } from './descriptionText.ts'
import {
  backend,
  count,
  decimals,
  examples,
  head,
  number,
  numbers,
  patchSize,
  placed,
  positive,
  shardOf,
  skippedText
} from './options.ts'
import { EXIT, type Outcome, conclusionOf, lastOutcome, perform, useEngines } from './perform.ts'
import { runsText } from './runsText.ts'

const warningText = (warnings: { path: string; reason: string }[]): string =>
  warnings.map(({ path, reason }) => `\nNote: ${path}: ${reason}`).join('')

/** The program with all its commands; `docs/command-line.md` is generated from it. */
export const program = new Command('smalti')
  .description('Finds the classes in your images without labels.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(use --help for options and examples)')

const images = (): Option =>
  new Option(
    '--images <paths...>',
    'use these images instead of those of training (folders, files or GeoTIFF URLs); their labels are stored separately'
  )
const area = (what: string): Option => new Option('--area <file>', `limit ${what} to the polygons of a GeoJSON file`)
const withCleanUp = (command: Command): Command =>
  command
    .option(
      '--majority <radius>',
      'majority filter: each pixel takes the most frequent label within this radius in pixels; applied before --sieve',
      count(1, 32)
    )
    .option(
      '--sieve <size>',
      'minimum mapping unit, such as 200px or 50m2: smaller patches join the neighbour with the longest border',
      patchSize
    )
const cleanUpOf = ({ majority, sieve }: CleanUp): CleanUp | undefined =>
  majority === undefined && sieve === undefined ? undefined : { majority, sieve }

program
  .command('train')
  .description('train on images without labels; continues an unfinished run with the same settings')
  .argument('<images...>', 'folders (including subfolders), files or GeoTIFF URLs')
  .requiredOption('--project <folder>', 'project folder, created if needed')
  .option('--classes <n>', 'number of classes to find (head B)', count(2, 64), DEFAULT_SETTINGS.classes)
  .option('--over <n>', 'number of clusters to start from (head A)', count(2, 250), DEFAULT_SETTINGS.over)
  .addOption(new Option('--preset <name>', 'training recipe').choices(PRESETS).default(DEFAULT_SETTINGS.preset))
  .addOption(
    new Option('--method <name>', 'clustering method instead of that of the preset; see below').choices(METHODS)
  )
  .option('--features <file>', 'cluster the features of a pretrained ONNX vision network instead of training one')
  .option(
    '--features-mean <list>',
    'mean to subtract from each band (0…1); defaults to the network’s metadata, else to ImageNet',
    decimals
  )
  .option('--features-std <list>', 'standard deviation to divide each band by; same defaults', decimals)
  .option(
    '--recipe <file>',
    'JSON file that overrides parts of the preset, such as {"radius":5,"views":{"quarterTurns":true}}'
  )
  .option('--minutes <n>', 'time limit in minutes; the preset may finish earlier', positive)
  .option('--steps <n>', 'exact number of training steps instead of a time limit', count(1, 1e9))
  .option('--seed <n>', 'random seed', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .option(
    '--scale <f>',
    'scale factor for the images, at most 1',
    number((f) => f > 0 && f <= 1, 'a number above 0 and at most 1'),
    DEFAULT_SETTINGS.scale
  )
  .addOption(
    new Option('--upright <how>', 'use the vertical position in the image, as in photographs with the sky at the top')
      .choices(['auto', 'yes', 'no'])
      .default(DEFAULT_SETTINGS.upright)
  )
  .option('--gsd <metres>', 'resample georeferenced images to this pixel size (ground sampling distance)', positive)
  .option(
    '--bands <list>',
    'bands to use, counted from 1, such as 4,3,2; defaults to all that the images share',
    (text: string) => numbers(1, 64, text)
  )
  .option(
    '--page <n>',
    'page of multi-page TIFFs, counted from 1; defaults to the first, or to all marked as channels',
    count(1, 1e6)
  )
  .addOption(area('training, labels and exports'))
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--retime', 'with --backend auto, measure again which backend is the fastest', false)
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText(
    'after',
    examples(
      'smalti train photos --project photos.smalti\nsmalti train scenes --project p --classes 6 --over 30 --scale 0.5 --minutes 20\nsmalti train flight-1 flight-2 extra.tif --project p --bands 4,3,2 --gsd 0.2 --area aoi.geojson\nsmalti train scenes --project p --preset preview\nsmalti train scenes --project p --method deep-infomax --recipe infomax.json'
    ) + `\n\nMethods:\n${METHODS.map((name) => `  ${name.padEnd(18)} ${METHOD_NOTES[name].note}`).join('\n')}`
  )
  .action(async (paths: string[], options) => {
    const { classes, over, preset, method, minutes, steps, seed, scale, gsd, bands, page, upright } = options
    const recipe =
      options.recipe === undefined ? undefined : ((await readJson(options.recipe, '--recipe')) as RecipeChanges)
    const features =
      options.features === undefined
        ? undefined
        : { file: resolve(options.features), mean: options.featuresMean, std: options.featuresStd }
    const settings = {
      classes,
      over,
      preset,
      method,
      features,
      recipe,
      minutes,
      steps,
      seed,
      scale,
      gsd,
      bands,
      page,
      upright,
      area: options.area && resolve(options.area),
      backend: options.backend
    }
    return perform(
      'train',
      { sources: placed(paths), project: resolve(options.project), settings, retime: options.retime },
      options.json,
      (output) => {
        const heads =
          output.report?.heads
            .map(
              ({ name, information, ceiling, masses }) =>
                `  ${masses.length > 0 ? `Head ${name}` : output.method}: information ${information.toFixed(3)} of at most ${ceiling.toFixed(3)} nats`
            )
            .join('\n') ?? ''
        const rows = output.upright?.used ? `\nImage position used: ${output.upright.reason}.` : ''
        const from = output.resumedFrom ? ` (continued from step ${output.resumedFrom})` : ''
        if (!(LEARNT_METHODS as readonly string[]).includes(output.method)) {
          return `Clustering finished (${output.method}): ${plural(output.images, 'image')} in ${duration(output.seconds)} with ${output.backend}.${rows}\nProject: ${output.project}${warningText(output.warnings)}${skippedText(output.skipped)}`
        }
        return `Training finished: ${plural(output.steps, 'step')}${from} on ${plural(output.images, 'image')} in ${duration(output.seconds)} with ${output.backend} (${output.device}).\n${heads}${rows}\nProject: ${output.project}${warningText(output.warnings)}${skippedText(output.skipped)}`
      }
    )
  })

addGroupCommands(program)

withCleanUp(program.command('segment'))
  .description('label every image (skips images already labelled)')
  .argument('<project>')
  .addOption(images())
  .addOption(area('labels'))
  .option(
    '--heatmaps',
    'also save the probabilities of the clusters, which export --confidence and --probabilities need',
    false
  )
  .option('--page <n>', 'page of multi-page TIFFs, counted from 1; defaults to that of training', count(1, 1e6))
  .option(
    '--shard <i/n>',
    'label only part i of n, to share the work between processes or machines; join the parts with merge-shards',
    shardOf
  )
  .addOption(backend())
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText(
    'after',
    examples(
      'smalti segment photos.smalti\nsmalti segment photos.smalti --images new-photos https://example.com/scene.tif\nsmalti segment p --sieve 50m2 --majority 2\nsmalti segment p --shard 3/16'
    )
  )
  .action((project: string, options) => {
    const input = {
      project: resolve(project),
      images: options.images && placed(options.images),
      backend: options.backend,
      area: options.area && resolve(options.area),
      cleanUp: cleanUpOf(options),
      heatmaps: options.heatmaps,
      page: options.page,
      shard: options.shard
    }
    return perform('segment', input, options.json, (output) => {
      const before = output.images - output.labelled
      return `Segmented ${plural(output.labelled, options.shard ? 'part' : 'image')} in ${duration(output.seconds)} with ${output.backend}${before > 0 && !options.shard ? `; ${before} already labelled` : ''}.\nLabels: ${output.labels}${warningText(output.warnings)}${skippedText(output.skipped)}`
    })
  })

program
  .command('merge-shards')
  .description('join the labels of all shards, as if segmented in one go')
  .argument('<project>')
  .addOption(images())
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText('after', examples('smalti merge-shards p'))
  .action((project: string, options) =>
    perform(
      'mergeShards',
      { project: resolve(project), images: options.images && placed(options.images) },
      options.json,
      (output) =>
        `Merged ${plural(output.shards, 'shard')} of ${plural(output.images, 'image')}.\nLabels: ${output.labels}${skippedText(output.skipped)}`
    )
  )

program
  .command('describe')
  .description('describe the clusters: share, area, confidence, mean band values, neighbours, typical places')
  .argument('<project>')
  .addOption(images())
  .addOption(head())
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText('after', examples('smalti describe photos.smalti\nsmalti describe photos.smalti --head B --json'))
  .action((project: string, options) =>
    perform(
      'describe',
      { project: resolve(project), images: options.images && placed(options.images), head: options.head },
      options.json,
      descriptionText
    )
  )

program
  .command('diagnose')
  .description('measure a run’s features without labels')
  .argument('<project>')
  .option('--run <run>', 'run to measure, such as run-0001, instead of the current one')
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText('after', examples('smalti diagnose photos.smalti\nsmalti diagnose photos.smalti --run run-0001'))
  .action((project: string, options) =>
    perform(
      'diagnose',
      { project: resolve(project), run: options.run },
      options.json,
      (found) => `${found.run}: ${diagnosisText(found)}`
    )
  )

program
  .command('runs')
  .description('list, rename or switch the runs of a project; each keeps its labels and classes')
  .argument('<project>')
  .option('--use <run>', 'switch to another run, such as run-0002')
  .option('--name <name>', 'rename the current run')
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText(
    'after',
    examples(
      'smalti runs photos.smalti\nsmalti runs photos.smalti --use run-0001\nsmalti runs photos.smalti --name "with near infrared"'
    )
  )
  .action((project: string, options) =>
    perform(
      'runs',
      {
        project: resolve(project),
        use: options.use,
        rename: options.name === undefined ? undefined : { run: options.use, name: options.name }
      },
      options.json,
      runsText
    )
  )

const comparedText = ({ images, imagesWithoutTruth }: CommandOutput<'evaluate'>): string =>
  imagesWithoutTruth > 0 ? `${images} of ${plural(images + imagesWithoutTruth, 'image')}` : plural(images, 'image')

const SHOWN_DECISIONS = new Set([2, 3, 5, 8, 12, 20, 30, 40])

addClassCommands(program)

program
  .command('evaluate')
  .description('check the accuracy of labels against reference masks')
  .argument('<project>')
  .requiredOption(
    '--truth <path>',
    'reference masks (PNG, GeoTIFF) or GeoJSON files named like the images, or one GeoJSON file for all; nodata, negative values and 255 are not scored'
  )
  .addOption(images())
  .option(
    '--truth-map <file>',
    'JSON file that maps values or colours to classes, such as {"0":0,"300":1} or {"#ff0000":0}; other values are not scored'
  )
  .addOption(head())
  .option('--boundary <px>', 'also count errors within this distance of a true boundary', count(1, 100))
  .option('--curve', 'also show the best accuracy with 1 to 40 classes cut from the cluster tree', false)
  .addOption(
    new Option('--mapping <how>', 'how to match clusters to true classes: each to its most frequent one, or one to one')
      .choices(['many-to-one', 'hungarian'])
      .default('many-to-one')
  )
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText(
    'after',
    examples(
      'smalti evaluate p --truth masks\nsmalti evaluate p --truth masks --truth-map map.json --head B --mapping hungarian'
    )
  )
  .action(async (project: string, options) => {
    const truthMap =
      options.truthMap === undefined
        ? undefined
        : ((await readJson(options.truthMap, '--truth-map')) as Record<string, number>)
    const input = {
      project: resolve(project),
      images: options.images && placed(options.images),
      truth: resolve(options.truth),
      truthMap,
      head: options.head,
      mapping: options.mapping,
      curve: options.curve,
      boundary: options.boundary
    }
    return perform('evaluate', input, options.json, (output) =>
      [
        `Head ${output.head}, ${output.how}, ${comparedText(output)}, ${plural(output.pixels, 'pixel')}`,
        `  accuracy  ${output.accuracy.toFixed(4)}  (majority baseline ${output.majority.toFixed(4)})`,
        `  NMI       ${output.nmi.toFixed(4)}`,
        `  ARI       ${output.ari.toFixed(4)}`,
        `  mIoU      ${output.miou.toFixed(4)}`,
        ...leftOutText(output.leftOut).map((reason, i) => `  ${i === 0 ? 'left out' : '        '}  ${reason}`),
        ...(output.boundary
          ? [
              `  errors    ${output.boundary.errorRate.toFixed(4)} of ${plural(output.boundary.pixels, 'pixel')} within ${options.boundary} px of a boundary`
            ]
          : []),
        ...(output.curve?.flatMap((accuracy, i) =>
          SHOWN_DECISIONS.has(i + 1) ? [`  ${String(i + 1).padStart(2)} classes  ${accuracy.toFixed(4)}`] : []
        ) ?? []),
        ...(output.warning === undefined ? [] : [`Warning: ${output.warning}`])
      ].join('\n')
    )
  })

withCleanUp(program.command('export'))
  .description('export labels for other programs')
  .argument('<project>')
  .addOption(new Option('--format <name>', 'file format; see below').choices(EXPORT_FORMATS).default('png'))
  .requiredOption('--out <folder>', 'folder to export to')
  .addOption(images())
  .addOption(head())
  .option('--confidence', 'with label GeoTIFFs, also export the probability of each pixel’s class', false)
  .option(
    '--probabilities',
    'with label GeoTIFFs, also export the probability of every class, one band each, at the network’s resolution',
    false
  )
  .addOption(
    new Option('--what <what>', 'export the classes with corrections, or the original clusters')
      .choices(['classes', 'clusters'])
      .default('classes')
  )
  .option('--only <paths...>', 'export only these images, named as listed')
  .option('--plan', 'show what would be exported, without writing anything', false)
  .option('--overwrite', 'overwrite files that no earlier export wrote', false)
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText(
    'after',
    `\nFormats:\n${Object.entries(FORMAT_NOTES)
      .map(([name, note]) => `  ${name.padEnd(15)} ${note}`)
      .join(
        '\n'
      )}\n${examples('smalti export photos.smalti --format geotiff --out labels\nsmalti export photos.smalti --format geopackage --sieve 100px --out polygons\nsmalti segment p --heatmaps && smalti export p --format geotiff --confidence --out labels')}`
  )
  .action((project: string, options) => {
    const input = {
      project: resolve(project),
      format: options.format,
      out: resolve(options.out),
      head: options.head,
      images: options.images && placed(options.images),
      cleanUp: cleanUpOf(options),
      measures: { confidence: options.confidence, probabilities: options.probabilities },
      what: options.what,
      only: options.only,
      plan: options.plan,
      overwrite: options.overwrite
    }
    return perform('export', input, options.json, (output) =>
      [
        `${options.plan ? 'Would export' : 'Exported'} ${plural(output.files, 'file')} (${output.format}, head ${output.head}) to ${output.out}`,
        ...(output.notes ?? [])
      ].join('\n')
    )
  })

program
  .command('info')
  .description(
    'show the size, bands, nodata, CRS, accuracy, pixel size and sidecars of images; without images, show versions and backends'
  )
  .argument('[images...]', 'folders, files or GeoTIFF URLs')
  .option('--page <n>', 'page of multi-page TIFFs, counted from 1', count(1, 1e6))
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText('after', examples('smalti info scene.tif\nsmalti info flight --json\nsmalti info'))
  .action((paths: string[], options) => {
    if (paths.length > 0)
      return perform(
        'details',
        { sources: placed(paths), page: options.page },
        options.json,
        ({ images: found, skipped }) => detailsText(found) + skippedText(skipped)
      )
    return perform('info', {}, options.json, (output) =>
      [
        `Smalti ${output.smalti} on ${output.platform}, Node ${output.node}`,
        `${output.processors}, ${output.memoryGiB} GiB`,
        ...output.backends.map(
          ({ name, used, device, reason }) => `  ${name.padEnd(12)} ${used ? device : `not available: ${reason}`}`
        ),
        ...Object.entries(output.libraries).map(([name, version]) => `  ${name} ${version}`)
      ].join('\n')
    )
  })

program
  .command('runtimes')
  .description('manage optional compute runtimes')
  .addOption(new Option('--fetch <name>', 'download a runtime').choices(RUNTIMES))
  .addOption(new Option('--remove <name>', 'remove a runtime').choices(RUNTIMES))
  .option('--json', 'print the result as one JSON object, on the last line')
  .addHelpText('after', examples('smalti runtimes\nsmalti runtimes --fetch tensorflow'))
  .action(({ fetch, remove, json }) =>
    perform('runtimes', { fetch, remove }, json, ({ runtimes }) =>
      runtimes.length === 0
        ? 'This build offers no runtimes.'
        : runtimes
            .map(
              ({ name, version, packed, bytes, here }) =>
                `${name} ${version}: ${here ? `installed, ${megabytes(bytes)}` : `not installed; --fetch ${name} downloads ${megabytes(packed)} (${megabytes(bytes)} on disk)`}`
            )
            .join('\n')
    )
  )

/** Reads a JSON file; the engine checks its shape. */
async function readJson(path: string, option: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (fault) {
    throw new SmaltiError('InvalidSetting', { setting: option, reason: (fault as Error).message })
  }
}

/** Milliseconds the engine may take to end after the user's second interruption. */
const PATIENCE = 3000

/**
 * Runs the command line with the arguments after the program's name, and ends the process. The outcome is decided and
 * printed in one go, so a signal either comes before it and counts, or finds nothing left to end.
 */
export async function runCommandLine(
  args: readonly string[],
  startEngine: () => EngineProcess,
  exit: (code: number) => void
): Promise<void> {
  useEngines(startEngine)
  // Work that waits for a file or a pipe, and not for an engine, ends with the process.
  insisted.addEventListener('abort', () => setTimeout(() => exit(EXIT.interrupted), PATIENCE))
  let usage: CommanderError | undefined
  let outcome: Outcome
  try {
    await program.parseAsync(args, { from: 'user' })
    outcome = lastOutcome()
  } catch (fault) {
    if (fault instanceof CommanderError) usage = fault
    outcome = usage ? {} : { error: asSmaltiError(fault) }
  }
  const { code, stdout, stderr } = conclusionOf(outcome)
  process.stderr.write(stderr)
  // Stdout may be a pipe, which is written only when its reader is ready.
  process.stdout.write(stdout, () => exit(usage && usage.exitCode !== 0 && code === EXIT.ok ? EXIT.badInput : code))
}
