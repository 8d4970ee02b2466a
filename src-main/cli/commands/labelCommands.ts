import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { duration } from '../../contract/words/duration.ts'
import { plural } from '../../contract/words/plural.ts'
import { EXPORT_FORMATS, FORMAT_NOTES } from '../../contract/labels.ts'
import { descriptionText } from '../descriptionText.ts'
import {
  backend,
  count,
  examples,
  head,
  placed,
  shardOf,
  skippedText,
  area,
  cleanUpOf,
  images,
  warningText,
  withCleanUp
} from '../options.ts'
import { perform } from '../perform.ts'

/** Adds the commands that label images, and describe the labels. */
export function addLabelCommands(program: Command): void {
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
}

/** Adds the command that exports. */
export function addExportCommand(program: Command): void {
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
}
