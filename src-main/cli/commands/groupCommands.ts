import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { duration } from '../../contract/words/duration.ts'
import { plural } from '../../contract/words/plural.ts'
import type { CommandOutput } from '../../contract/commands.ts'
import type { GroupEdit } from '../../contract/groups.ts'
import { GROUP_METHODS } from '../../contract/recipe.ts'
import { DEFAULT_SETTINGS } from '../../contract/settings.ts'
import {
  backend,
  count,
  examples,
  named,
  placed,
  positive,
  severalClasses,
  skippedText,
  stepsBack
} from '../options.ts'
import { perform } from '../perform.ts'

/** Parses `photos/a.jpg=3`; the option can be repeated. */
function movedImage(text: string, before: [string, number][] = []): [string, number][] {
  const [, path, number] = /^(.+)=(\d+)$/.exec(text) ?? []
  if (path === undefined) throw new InvalidArgumentError('Give an image and a group, such as photos/a.jpg=3.')
  return [...before, [path, count(1, 1e6)(number) - 1]]
}

/** Formats one line per group with its number, size and name, then on request all steps, with undone ones marked. */
function groupsText({ groups, steps, history }: CommandOutput<'groups'>, withHistory: boolean | undefined): string {
  const lines = groups.map(
    ({ id, images, name }) => `  ${String(id + 1).padStart(3)}  ${String(images).padStart(6)}  ${name}`
  )
  const told = withHistory
    ? ['History:', ...steps.map((step, i) => `  ${i < history.done ? ' ' : '×'} ${i + 1}  ${step}`)]
    : []
  return [`${plural(history.images.length, 'image')} in ${plural(groups.length, 'group')}`, ...lines, ...told].join(
    '\n'
  )
}

/** Adds the commands that group whole images and edit the groups. */
export function addGroupCommands(program: Command): void {
  program
    .command('group')
    .description(
      'sort whole images into groups; saves them in a project, or exports a table, a contact sheet and sorted copies'
    )
    .argument('<images...>', 'folders (including subfolders) or files')
    .option('--project <folder>', 'project folder for the groups, for smalti groups and the window; created if needed')
    .option('--out <folder>', 'folder for the table and the contact sheet')
    .option('--groups <n>', 'number of groups', count(2, 64), 10)
    .addOption(new Option('--method <name>', 'grouping method').choices(GROUP_METHODS).default('information'))
    .option('--minutes <n>', 'time limit in minutes', positive)
    .option('--steps <n>', 'exact number of training steps instead of a time limit', count(1, 1e9))
    .option('--seed <n>', 'random seed', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
    .addOption(backend().default(DEFAULT_SETTINGS.backend))
    .option('--copies', 'with --out, also copy each image to the subfolder of its group', false)
    .option('--overwrite', 'with --out, overwrite files that no earlier export wrote', false)
    .option('--json', 'print the result as one JSON object, on the last line')
    .addHelpText(
      'after',
      examples(
        'smalti group photos --groups 10 --project photos.smalti\nsmalti group photos --groups 4 --out sorted --copies --minutes 5'
      )
    )
    .action((paths: string[], options) => {
      const { groups, method, minutes, steps, seed, copies, overwrite } = options
      const input = {
        sources: placed(paths),
        project: options.project && resolve(options.project),
        out: options.out && resolve(options.out),
        groups,
        method,
        minutes,
        steps,
        seed,
        copies,
        overwrite,
        backend: options.backend
      }
      return perform(
        'group',
        input,
        options.json,
        (output) =>
          [
            `Grouped ${plural(output.images, 'image')} in ${duration(output.seconds)} with ${output.backend}: ${output.sizes.map((size, i) => `${i + 1}: ${size}`).join(', ')}`,
            ...(output.project === undefined ? [] : [`Project: ${output.project}`]),
            ...(output.out === undefined ? [] : [`Table and contact sheet: ${output.out}`])
          ].join('\n') + skippedText(output.skipped)
      )
    })

  program
    .command('groups')
    .description('list, edit or export the groups of a project; edits apply in the order listed here')
    .argument('<project>')
    .option('--add <name>', 'add an empty group')
    .option('--move <image=group>', 'move an image, such as a.jpg=3; repeatable', movedImage)
    .option('--merge <groups>', 'merge groups into the first, such as 3,7; repeatable', severalClasses)
    .option('--rename <group=name>', 'rename a group, such as 3=Water; repeatable', named)
    .option('--undo [n]', 'undo the last step, or the last n', count(1, 1e6))
    .option('--redo [n]', 'redo one step, or n', count(1, 1e6))
    .option('--history', 'show the history')
    .option('--out <folder>', 'export a table and a contact sheet to this folder')
    .option('--copies', 'with --out, also copy each image to the subfolder of its group', false)
    .option('--overwrite', 'with --out, overwrite files that no earlier export wrote', false)
    .option('--json', 'print the result as one JSON object, on the last line')
    .addHelpText(
      'after',
      examples(
        'smalti groups photos.smalti\nsmalti groups photos.smalti --move a.jpg=3 --merge 1,4 --rename 1=Ships\nsmalti groups photos.smalti --out sorted --copies'
      )
    )
    .action((project: string, options) => {
      const edits: GroupEdit[] = [
        ...(options.add === undefined ? [] : [{ kind: 'add' as const, name: options.add as string }]),
        ...((options.move as [string, number][] | undefined) ?? []).map(([path, to]) => ({
          kind: 'move' as const,
          paths: [path],
          to
        })),
        ...((options.merge as number[][] | undefined) ?? []).map((groups) => ({ kind: 'merge' as const, groups })),
        ...((options.rename as [number, string][] | undefined) ?? []).map(([group, name]) => ({
          kind: 'rename' as const,
          group,
          name
        }))
      ]
      const input = {
        project: resolve(project),
        edits,
        undo: stepsBack(options),
        out: options.out && resolve(options.out),
        copies: options.copies,
        overwrite: options.overwrite
      }
      return perform(
        'groups',
        input,
        options.json,
        (output) =>
          `${groupsText(output, options.history)}${output.files > 0 ? `\nExported ${plural(output.files, 'file')} to ${input.out}${skippedText(output.skipped)}` : ''}`
      )
    })
}
