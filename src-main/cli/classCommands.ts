import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { CorrectionShape, CorrectionTarget, SchemeEdit } from '../contract/classes.ts'
import { SmaltiError } from '../contract/errors.ts'
import { classesText } from './classesText.ts'
import { classNumbers, count, examples, head, named, positive, severalClasses, stepsBack } from './options.ts'
import { perform } from './perform.ts'

/** `120.5,33 130,40`: columns and rows. */
function pixels(text: string): [number, number][] {
  const points = text
    .trim()
    .split(/\s+/)
    .map((point) => point.split(',').map(Number))
  if (points.some((point) => point.length !== 2 || point.some((value) => !Number.isFinite(value))))
    throw new InvalidArgumentError('It must be pixels such as 120,33 or "120,33 130,40 125,60".')
  return points as [number, number][]
}
/** `3`, `none` or `model`. */
function target(text: string): CorrectionTarget {
  return text === 'none' || text === 'model' ? text : count(1, 250)(text) - 1
}

/** What is made of clusters: classes, and corrections by hand. */
export function addClassCommands(program: Command): void {
  program
    .command('classes')
    .description(
      'make classes of clusters: merge, name, colour, cut the tree, undo; changes are made in the order of this list'
    )
    .argument('<project>')
    .addOption(head())
    .option('--import <file>', 'classes of a run with as many clusters (.json), or names and colours (.qml of QGIS)')
    .option('--from-run <run>', 'the classes of another run, by where they lie, such as run-0001')
    .option('--cut <n>', 'as many classes as this, by the tree', count(1, 250))
    .option('--split <class>', 'every cluster of a class becomes one by itself again', count(1, 250))
    .option('--merge <classes>', 'the first takes in the others, 3,7,12; may be given several times', severalClasses)
    .option('--name <name>', 'of what the last --merge made')
    .option('--rename <class=name>', '3=Water; may be given several times', named)
    .option('--recolour <class=colour>', '3=#1f77b4; may be given several times', named)
    .option('--add <name>', 'a class that the network did not find, to be painted by smalti correct')
    .option('--ignore <classes>', 'leave them without label', classNumbers)
    .option('--count <classes>', 'no longer ignore them', classNumbers)
    .option('--undo [n]', 'go so many steps back', count(1, 1e6))
    .option('--redo [n]', 'go so many steps forth', count(1, 1e6))
    .option('--history', 'list all steps')
    .option('--list', 'list the classes, which is what happens anyway')
    .option('--export <file>', 'write the classes (.json), or a style for QGIS (.qml)')
    .option('--overwrite', 'with --export, also over a file that Smalti did not write', false)
    .option('--json', 'print one JSON object as the last line')
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
          reason: 'it goes with --merge; --rename 3=Water names a class that is there'
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
    .description('correct labels of an image by hand; each correction is a step of the classes’ history')
    .argument('<project>')
    .requiredOption('--image <path>', 'as it is listed, below the folder of images')
    .requiredOption('--to <class>', 'a class by its number, none (no label), or model (what the network found)', target)
    .option('--polygon <pixels>', 'all inside, columns and rows: "10,10 200,10 100,150"', pixels)
    .option('--brush <pixels>', 'all within --radius of a line', pixels)
    .option('--radius <px>', 'of the brush', positive, 10)
    .option('--fill <pixel>', 'the connected area of one class', pixels)
    .addOption(head())
    .option('--json', 'print one JSON object as the last line')
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
          reason: 'one of --polygon, --brush and --fill is needed'
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
            ? `${step.name} (${step.corrected!.tiles.length} ${step.corrected!.tiles.length === 1 ? 'tile' : 'tiles'}, ${moved} pixels differ from the network’s labels there)`
            : 'Nothing changed.'
        }
      )
    })
}
