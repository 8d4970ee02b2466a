import { resolve } from 'node:path'
import type { Command } from 'commander'
import { diagnosisText } from '../../contract/words/diagnosis.ts'
import { examples } from '../options.ts'
import { perform } from '../perform.ts'
import { runsText } from '../runsText.ts'

/** Adds the commands that list and measure runs. */
export function addRunCommands(program: Command): void {
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
}
