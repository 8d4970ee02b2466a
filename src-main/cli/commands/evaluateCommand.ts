import { leftOutText } from '../../contract/evaluation.ts'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { CommandOutput } from '../../contract/commands.ts'
import { plural } from '../../contract/words/plural.ts'
import { count, examples, head, placed, images, readJson } from '../options.ts'
import { perform } from '../perform.ts'

const comparedText = ({ images, imagesWithoutTruth }: CommandOutput<'evaluate'>): string =>
  imagesWithoutTruth > 0 ? `${images} of ${plural(images + imagesWithoutTruth, 'image')}` : plural(images, 'image')

const SHOWN_DECISIONS = new Set([2, 3, 5, 8, 12, 20, 30, 40])

/** Adds the command that checks accuracy. */
export function addEvaluateCommand(program: Command): void {
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
      new Option(
        '--mapping <how>',
        'how to match clusters to true classes: each to its most frequent one, or one to one'
      )
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
}
