import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { duration } from '../../contract/words/duration.ts'
import { plural } from '../../contract/words/plural.ts'
import { LEARNT_METHODS, METHODS, METHOD_NOTES, type RecipeChanges } from '../../contract/recipe.ts'
import { DEFAULT_SETTINGS, PRESETS } from '../../contract/settings.ts'
import {
  backend,
  count,
  decimals,
  examples,
  number,
  numbers,
  placed,
  positive,
  skippedText,
  area,
  readJson,
  warningText
} from '../options.ts'
import { perform } from '../perform.ts'

/** Adds the command that trains. */
export function addTrainCommand(program: Command): void {
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
}
