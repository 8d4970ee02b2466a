import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { duration } from '../contract/words/duration.ts'
import type { CommandOutput } from '../contract/commands.ts'
import type { GroupEdit } from '../contract/groups.ts'
import { GROUP_METHODS } from '../contract/recipe.ts'
import { DEFAULT_SETTINGS } from '../contract/settings.ts'
import { backend, count, examples, named, placed, positive, severalClasses, skippedText, stepsBack } from './options.ts'
import { perform } from './perform.ts'

/** `photos/a.jpg=3`, as often as it is given. */
function movedImage(text: string, before: [string, number][] = []): [string, number][] {
  const [, path, number] = /^(.+)=(\d+)$/.exec(text) ?? []
  if (path === undefined) throw new InvalidArgumentError('It must be an image and its group, such as photos/a.jpg=3.')
  return [...before, [path, count(1, 1e6)(number) - 1]]
}

/** A line a group with its number, size and name; then all steps, those that were undone marked. */
function groupsText({ groups, steps, history }: CommandOutput<'groups'>, withHistory: boolean | undefined): string {
  const lines = groups.map(
    ({ id, images, name }) => `  ${String(id + 1).padStart(3)}  ${String(images).padStart(6)}  ${name}`
  )
  const told = withHistory
    ? ['Steps:', ...steps.map((step, i) => `  ${i < history.done ? ' ' : '×'} ${i + 1}  ${step}`)]
    : []
  return [`${history.images.length} images in ${groups.length} groups`, ...lines, ...told].join('\n')
}

/** Sorting whole images, and what is made of the groups. */
export function addGroupCommands(program: Command): void {
  program
    .command('group')
    .description(
      'sort whole images into groups: a project that keeps them, or a table, a contact sheet and, if asked for, sub-folders'
    )
    .argument('<images...>', 'folders, sub-folders included, and files')
    .option('--project <folder>', 'where the groups are kept, for smalti groups and the window; made if need be')
    .option('--out <folder>', 'where the table and the contact sheet go')
    .option('--groups <n>', 'groups looked for', count(2, 64), 10)
    .addOption(new Option('--method <name>', 'how groups are found').choices(GROUP_METHODS).default('information'))
    .option('--minutes <n>', 'time limit of training', positive)
    .option('--steps <n>', 'exact number of steps instead of the limits of time', count(1, 1e9))
    .option('--seed <n>', 'of all random choices', count(0, 2 ** 31 - 1), DEFAULT_SETTINGS.seed)
    .addOption(backend().default(DEFAULT_SETTINGS.backend))
    .option('--copies', 'with --out, also copy each image into the sub-folder of its group', false)
    .option('--overwrite', 'with --out, also over files that no earlier export wrote', false)
    .option('--json', 'print one JSON object as the last line')
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
            `Grouped ${output.images} images in ${duration(output.seconds)} with ${output.backend}: ${output.sizes.map((size, i) => `${i + 1}: ${size}`).join(', ')}`,
            ...(output.project === undefined ? [] : [`Project: ${output.project}`]),
            ...(output.out === undefined ? [] : [`Table and contact sheet: ${output.out}`])
          ].join('\n') + skippedText(output.skipped)
      )
    })

  program
    .command('groups')
    .description('change the groups of a project’s images and write them; changes are made in the order of this list')
    .argument('<project>')
    .option('--add <name>', 'a new, empty group')
    .option('--move <image=group>', 'a.jpg=3; may be given several times', movedImage)
    .option('--merge <groups>', 'the first takes in the others, 3,7; may be given several times', severalClasses)
    .option('--rename <group=name>', '3=Water; may be given several times', named)
    .option('--undo [n]', 'go so many steps back', count(1, 1e6))
    .option('--redo [n]', 'go so many steps forth', count(1, 1e6))
    .option('--history', 'list all steps')
    .option('--out <folder>', 'write a table and a contact sheet')
    .option('--copies', 'with --out, also copy each image into the sub-folder of its group', false)
    .option('--overwrite', 'with --out, also over files that no earlier export wrote', false)
    .option('--json', 'print one JSON object as the last line')
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
          `${groupsText(output, options.history)}${output.files > 0 ? `\nWrote ${output.files} files to ${input.out}${skippedText(output.skipped)}` : ''}`
      )
    })
}
