import { type Command, Option } from 'commander'
import { detailsText } from '../../contract/words/details.ts'
import { RUNTIMES, megabytes } from '../../contract/runtimes.ts'
import { count, examples, placed, skippedText } from '../options.ts'
import { perform } from '../perform.ts'

/** Adds the commands about images, computer and optional runtimes. */
export function addProgramCommands(program: Command): void {
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
}
