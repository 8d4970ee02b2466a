import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { CorrectionShape, CorrectionTarget, SchemeEdit } from '../../contract/classes.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { plural } from '../../contract/words/plural.ts'
import { classesText } from '../classesText.ts'
import { classNumbers, count, examples, head, named, positive, severalClasses, stepsBack } from '../options.ts'
import { perform } from '../perform.ts'

/** Parses columns and rows such as `120.5,33 130,40`. */
function pixels(text: string): [number, number][] {
  const points = text
    .trim()
    .split(/\s+/)
    .map((point) => point.split(',').map(Number))
  if (points.some((point) => point.length !== 2 || point.some((value) => !Number.isFinite(value))))
    throw new InvalidArgumentError('Give pixels such as 120,33 or "120,33 130,40 125,60".')
  return points as [number, number][]
}
/** Parses `3`, `none` or `model`. */
function target(text: string): CorrectionTarget {
  return text === 'none' || text === 'model' ? text : count(1, 250)(text) - 1
}

/** Adds the commands for classes and for corrections by hand. */
export function addClassCommands(program: Command): void {
  program
    .command('classes')
    .description('list or edit classes: merge, split, name, recolour, undo; edits apply in the order listed here')
    .argument('<project>')
    .addOption(head())
    .option(
      '--import <file>',
      'import classes (.json, for the same number of clusters) or names and colours (.qml from QGIS)'
    )
    .option('--from-run <run>', 'copy the classes of another run, such as run-0001, matched by location')
    .option('--cut <n>', 'set the number of classes, following the cluster tree', count(1, 250))
    .option('--split <class>', 'split a class into its clusters', count(1, 250))
    .option('--merge <classes>', 'merge classes into the first, such as 3,7,12; repeatable', severalClasses)
    .option('--name <name>', 'name for the result of the last --merge')
    .option('--rename <class=name>', 'rename a class, such as 3=Water; repeatable', named)
    .option('--recolour <class=colour>', 'change the colour of a class, such as 3=#1f77b4; repeatable', named)
    .option('--add <name>', 'add a class that training did not find, to paint with smalti correct')
    .option('--ignore <classes>', 'ignore classes, leaving their pixels without a label', classNumbers)
    .option('--count <classes>', 'stop ignoring classes', classNumbers)
    .option('--undo [n]', 'undo the last step, or the last n', count(1, 1e6))
    .option('--redo [n]', 'redo one step, or n', count(1, 1e6))
    .option('--history', 'show the history')
    .option('--list', 'list the classes (the default)')
    .option('--export <file>', 'export the classes (.json) or a QGIS style (.qml)')
    .option('--overwrite', 'with --export, overwrite a file that Smalti did not write', false)
    .option('--json', 'print the result as one JSON object, on the last line')
    .addHelpText(
      'after',
      examples(
        'smalti classes photos.smalti\nsmalti classes photos.smalti --merge 3,7 --name Water --rename 2=Forest --ignore 4\nsmalti classes photos.smalti --cut 5\nsmalti classes photos.smalti --undo'
      )
    )
    .action((project: string, options) => {
      const merges = (options.merge as number[][] | undefined) ?? []
      if (options.name !== undefined && merges.length === 0)
        throw new SmaltiError('InvalidSetting', {
          setting: '--name',
          reason: 'use it with --merge. To rename a class, use --rename 3=Water'
        })
      const pairs = (key: 'rename' | 'recolour'): [number, string][] =>
        (options[key] as [number, string][] | undefined) ?? []
      const edits: SchemeEdit[] = [
        ...(options.cut === undefined ? [] : [{ kind: 'cut' as const, groups: options.cut }]),
        ...(options.split === undefined
          ? []
          : [{ kind: 'split' as const, class: options.split - 1, along: 'clusters' as const }]),
        ...merges.map((classes, i) => ({
          kind: 'merge' as const,
          classes,
          name: i === merges.length - 1 ? options.name : undefined
        })),
        ...(options.add === undefined ? [] : [{ kind: 'add' as const, name: options.add as string }]),
        ...pairs('rename').map(([id, name]) => ({ kind: 'rename' as const, class: id, name })),
        ...pairs('recolour').map(([id, colour]) => ({ kind: 'recolour' as const, class: id, colour })),
        ...(options.ignore ? [{ kind: 'ignore' as const, classes: options.ignore, ignored: true }] : []),
        ...(options.count ? [{ kind: 'ignore' as const, classes: options.count, ignored: false }] : [])
      ]
      const input = {
        project: resolve(project),
        head: options.head,
        edits,
        undo: stepsBack(options),
        fromRun: options.fromRun,
        from: options.import && resolve(options.import),
        into: options.export && resolve(options.export),
        overwrite: options.overwrite
      }
      return perform('classes', input, options.json, (output) => classesText(output, options.history))
    })

  program
    .command('correct')
    .description('correct the labels of an image by hand; each correction can be undone')
    .argument('<project>')
    .requiredOption('--image <path>', 'image path as listed, relative to the image folder')
    .requiredOption('--to <class>', 'class number, none (no label) or model (the original label)', target)
    .option('--polygon <pixels>', 'correct a polygon, given as columns and rows: "10,10 200,10 100,150"', pixels)
    .option('--brush <pixels>', 'correct everything within --radius of a line', pixels)
    .option('--radius <px>', 'radius of the brush in pixels', positive, 10)
    .option('--fill <pixel>', 'correct the connected area around a pixel', pixels)
    .addOption(head())
    .option('--json', 'print the result as one JSON object, on the last line')
    .addHelpText(
      'after',
      examples(
        'smalti correct photos.smalti --image a.jpg --to 3 --polygon "10,10 200,10 100,150"\nsmalti correct photos.smalti --image a.jpg --to 2 --fill 120,33\nsmalti correct photos.smalti --image a.jpg --to model --brush "10,10 90,40" --radius 20'
      )
    )
    .action((project: string, options) => {
      const shapes: CorrectionShape[] = [
        ...(options.polygon ? [{ kind: 'polygon' as const, ring: options.polygon }] : []),
        ...(options.brush ? [{ kind: 'brush' as const, line: options.brush, radius: options.radius }] : []),
        ...(options.fill ? [{ kind: 'fill' as const, at: options.fill[0] }] : [])
      ]
      if (shapes.length !== 1)
        throw new SmaltiError('InvalidSetting', {
          setting: 'correct',
          reason: 'give exactly one of --polygon, --brush and --fill'
        })
      return perform(
        'correct',
        { project: resolve(project), head: options.head, path: options.image, shape: shapes[0], to: options.to },
        options.json,
        ({ step }) => {
          const moved = step?.corrected?.tiles
            .flatMap((tile) => tile.moved)
            .reduce((sum, [, by]) => sum + Math.max(0, by), 0)
          return step
            ? `${step.name} (${plural(step.corrected!.tiles.length, 'tile')}; ${plural(moved ?? 0, 'pixel')} there ${moved === 1 ? 'differs' : 'differ'} from the model labels)`
            : 'Nothing changed.'
        }
      )
    })
}
