import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import type { EngineProcess } from '../contract/client.ts'
import { diagnosisText } from '../contract/words/diagnosis.ts'
import type { CommandOutput } from '../contract/commands.ts'
import { detailsText } from '../contract/words/details.ts'
import { duration } from '../contract/words/duration.ts'
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

const program = new Command('smalti')
  .description('Finds the classes in your images without labels.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(add --help for the options and examples)')

const images = (): Option =>
  new Option(
    '--images <paths...>',
    'other images than those of training: folders, files, addresses of GeoTIFFs; their labels are a set of their own'
  )
const area = (what: string): Option => new Option('--area <file>', `GeoJSON polygons that limit ${what}`)
const withCleanUp = (command: Command): Command =>
  command
    .option(
      '--majority <radius>',
      'each pixel takes the most frequent label of the square about it, first',
      count(1, 32)
    )
    .option(
      '--sieve <size>',
      'minimum mapping unit, 200px or 50m2: smaller patches join the neighbour of the longest border',
      patchSize
    )
const cleanUpOf = ({ majority, sieve }: CleanUp): CleanUp | undefined =>
  majority === undefined && sieve === undefined ? undefined : { majority, sieve }

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
  .option(
    '--features-mean <list>',
    'what is taken from each of its bands of 0…1; its own metadata or ImageNet’s otherwise',
    decimals
  )
  .option('--features-std <list>', 'what they are divided by then', decimals)
  .option('--recipe <file>', 'JSON with changes to the preset, such as {"radius":5,"views":{"quarterTurns":true}}')
  .option('--minutes <n>', 'train for at most so long; the preset may be done before', positive)
  .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
  .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
  .option(
    '--scale <f>',
    'factor on the size of the images, at most 1',
    number((f) => f > 0 && f <= 1, 'above 0 and at most 1'),
    DEFAULT_SETTINGS.scale
  )
  .addOption(
    new Option(
      '--upright <how>',
      'whether a pixel’s row says something of its class, as in photographs with the sky above'
    )
      .choices(['auto', 'yes', 'no'])
      .default(DEFAULT_SETTINGS.upright)
  )
  .option('--gsd <metres>', 'ground sampling distance to which georeferenced images are brought', positive)
  .option(
    '--bands <list>',
    'bands looked at, counted from 1, such as 4,3,2; all that the images have in common otherwise',
    (text: string) => numbers(1, 64, text)
  )
  .option(
    '--page <n>',
    'page of TIFFs of several, counted from 1; otherwise the first, or all that a file calls channels',
    count(1, 1e6)
  )
  .addOption(area('training, labels and exports'))
  .addOption(backend().default(DEFAULT_SETTINGS.backend))
  .option('--retime', 'with --backend auto, measure anew which is the fastest here', false)
  .option('--json', 'print one JSON object as the last line')
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
                `  ${masses.length > 0 ? `head ${name}` : output.method}: ${information.toFixed(3)} of at most ${ceiling.toFixed(3)} nats`
            )
            .join('\n') ?? ''
        const rows = output.upright?.used ? `\nThe row of a pixel counts: ${output.upright.reason}.` : ''
        const from = output.resumedFrom ? ` (from step ${output.resumedFrom})` : ''
        if (!(LEARNT_METHODS as readonly string[]).includes(output.method)) {
          return `Clustered ${output.images} images by ${output.method} in ${duration(output.seconds)} with ${output.backend}.${rows}\nProject: ${output.project}${warningText(output.warnings)}${skippedText(output.skipped)}`
        }
        return `Trained ${output.steps} steps${from} on ${output.images} images in ${duration(output.seconds)} with ${output.backend} (${output.device}).\n${heads}${rows}\nProject: ${output.project}${warningText(output.warnings)}${skippedText(output.skipped)}`
      }
    )
  })

addGroupCommands(program)

withCleanUp(program.command('segment'))
  .description('label every image with both heads; what is labelled already stays')
  .argument('<project>')
  .addOption(images())
  .addOption(area('the labels'))
  .option(
    '--heatmaps',
    'also keep how probable each cluster is, for --confidence and --probabilities of exports',
    false
  )
  .option('--page <n>', 'page of TIFFs of several, counted from 1; that of training otherwise', count(1, 1e6))
  .option(
    '--shard <i/n>',
    'label only one of n parts, for as many processes or machines; merge-shards then joins them',
    shardOf
  )
  .addOption(backend())
  .option('--json', 'print one JSON object as the last line')
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
    perform(
      'mergeShards',
      { project: resolve(project), images: options.images && placed(options.images) },
      options.json,
      (output) =>
        `Merged ${output.shards} shards of ${output.images} images.\nLabels: ${output.labels}${skippedText(output.skipped)}`
    )
  )

program
  .command('describe')
  .description(
    'what is known of the clusters of a segmentation: shares, area, certainty, mean bands, neighbours, certain places'
  )
  .argument('<project>')
  .addOption(images())
  .addOption(head())
  .option('--json', 'print one JSON object as the last line')
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
  .description('what a run’s features tell, and how they depend on each other, without labels')
  .argument('<project>')
  .option('--run <run>', 'another run than the one in use, such as run-0001')
  .option('--json', 'print one JSON object as the last line')
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
  .description('the trainings of a project: each keeps its labels and classes, and one is in use')
  .argument('<project>')
  .option('--use <run>', 'make another run the one in use, such as run-0002')
  .option('--name <name>', 'what the run in use is called')
  .option('--json', 'print one JSON object as the last line')
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
  imagesWithoutTruth > 0
    ? `${images} of ${images + imagesWithoutTruth} images`
    : images === 1
      ? '1 image'
      : `${images} images`

const SHOWN_DECISIONS = new Set([2, 3, 5, 8, 12, 20, 30, 40])

addClassCommands(program)

program
  .command('evaluate')
  .description('compare label masks with known truth')
  .argument('<project>')
  .requiredOption(
    '--truth <path>',
    'masks (PNG, GeoTIFF) or GeoJSON with the names of the images, or one GeoJSON file; nodata, negative values and 255 are not scored'
  )
  .addOption(images())
  .option(
    '--truth-map <file>',
    'JSON from values or colours to classes, {"0":0,"300":1} or {"#ff0000":0}; values that it does not name are not scored'
  )
  .addOption(head())
  .option('--boundary <px>', 'also the errors no farther than so many pixels from a true boundary', count(1, 100))
  .option(
    '--curve',
    'also the best accuracy with 1 to 40 nodes of the tree of clusters: what so many decisions are worth',
    false
  )
  .addOption(
    new Option('--mapping <how>', 'how clusters are given to classes')
      .choices(['many-to-one', 'hungarian'])
      .default('many-to-one')
  )
  .option('--json', 'print one JSON object as the last line')
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
        `Head ${output.head}, ${output.how}, ${comparedText(output)}, ${output.pixels} pixels`,
        `  accuracy  ${output.accuracy.toFixed(4)}  (largest class ${output.majority.toFixed(4)})`,
        `  NMI       ${output.nmi.toFixed(4)}`,
        `  ARI       ${output.ari.toFixed(4)}`,
        `  mIoU      ${output.miou.toFixed(4)}`,
        ...leftOutText(output.leftOut).map((reason, i) => `  ${i === 0 ? 'left out' : '        '}  ${reason}`),
        ...(output.boundary
          ? [
              `  errors    ${output.boundary.errorRate.toFixed(4)} of ${output.boundary.pixels} pixels within ${options.boundary} of a boundary`
            ]
          : []),
        ...(output.curve?.flatMap((accuracy, i) =>
          SHOWN_DECISIONS.has(i + 1) ? [`  ${String(i + 1).padStart(2)} decisions  ${accuracy.toFixed(4)}`] : []
        ) ?? []),
        ...(output.warning === undefined ? [] : [`Warning: ${output.warning}`])
      ].join('\n')
    )
  })

withCleanUp(program.command('export'))
  .description('write labels for other programs')
  .argument('<project>')
  .addOption(new Option('--format <name>', 'see below').choices(EXPORT_FORMATS).default('png'))
  .requiredOption('--out <folder>')
  .addOption(images())
  .addOption(head())
  .option('--confidence', 'beside label GeoTIFFs, how probable each pixel’s class is', false)
  .option(
    '--probabilities',
    'beside label GeoTIFFs, how probable each class is, a band each, at the network’s resolution',
    false
  )
  .addOption(
    new Option('--what <what>', 'classes with what was corrected by hand, or clusters as the network found them')
      .choices(['classes', 'clusters'])
      .default('classes')
  )
  .option('--only <paths...>', 'only these of the images, as they are listed')
  .option('--plan', 'write nothing, only tell what would be written', false)
  .option('--overwrite', 'also over files that no earlier export wrote', false)
  .option('--json', 'print one JSON object as the last line')
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
        `${options.plan ? 'Would write' : 'Wrote'} ${output.files} files of head ${output.head} as ${output.format} to ${output.out}`,
        ...(output.notes ?? [])
      ].join('\n')
    )
  })

program
  .command('info')
  .description(
    'describe images: size, bands, nodata, CRS, accuracy, pixel size, sidecars; without any, the program itself'
  )
  .argument('[images...]', 'images, folders and addresses of GeoTIFFs')
  .option('--page <n>', 'page of TIFFs of several, counted from 1', count(1, 1e6))
  .option('--json', 'print one JSON object as the last line')
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
          ({ name, used, device, reason }) => `  ${name.padEnd(12)} ${used ? device : `not used: ${reason}`}`
        ),
        ...Object.entries(output.libraries).map(([name, version]) => `  ${name} ${version}`)
      ].join('\n')
    )
  })

program
  .command('runtimes')
  .description('libraries that compute, which packages do not hold: what may be fetched, and what is here')
  .addOption(new Option('--fetch <name>', 'fetch it, as this release pins it').choices(RUNTIMES))
  .addOption(new Option('--remove <name>', 'remove it').choices(RUNTIMES))
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', examples('smalti runtimes\nsmalti runtimes --fetch tensorflow'))
  .action(({ fetch, remove, json }) =>
    perform('runtimes', { fetch, remove }, json, ({ runtimes }) =>
      runtimes.length === 0
        ? 'This build fetches none.'
        : runtimes
            .map(
              ({ name, version, packed, bytes, here }) =>
                `${name} ${version}: ${here ? `here, ${megabytes(bytes)}` : `not here; --fetch ${name} fetches ${megabytes(packed)}, ${megabytes(bytes)} on the disk`}`
            )
            .join('\n')
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

/** Milliseconds that the engine may take to end once the user insists. */
const PATIENCE = 3000

/**
 * Runs the command line with the arguments after the program's name, and ends the process. How it ended is decided and printed
 * at once: a signal comes before that, and counts, or finds nothing to end any more.
 */
export async function runCommandLine(
  args: readonly string[],
  startEngine: () => EngineProcess,
  exit: (code: number) => void
): Promise<void> {
  useEngines(startEngine)
  // What waits for a file or a pipe, and for no engine, ends with its process.
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
  // It may be a pipe, which is written when its reader has time.
  process.stdout.write(stdout, () => exit(usage && usage.exitCode !== 0 && code === EXIT.ok ? EXIT.badInput : code))
}
