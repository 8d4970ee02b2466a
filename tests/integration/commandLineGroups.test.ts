import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandOutput } from '../../src-main/contract/commands.ts'
import '../fixtures/gpu.ts'
import { json, sceneFolder, smalti } from '../fixtures/commandLine.ts'

let folder: string
let scenes: { images: string; truth: string }

beforeAll(async () => void ({ folder, scenes } = await sceneFolder()))

describe('the command line', () => {
  it('groups whole images into a table, a contact sheet and sub-folders', async () => {
    const out = join(folder, 'grouped')
    const grouped = json<CommandOutput<'group'>>(
      await smalti(
        'group',
        scenes.images,
        '--out',
        out,
        '--groups',
        '2',
        '--steps',
        '3',
        '--copies',
        '--backend',
        'onnxruntime',
        '--json'
      )
    )
    expect(grouped).toMatchObject({ images: 3, steps: 3 })
    expect(grouped.sizes.reduce((a, b) => a + b)).toBe(3)
    const rows = (await readFile(join(out, 'groups.csv'), 'utf8')).trim().split('\r\n')
    expect(rows[0]).toBe('path,group,name,confidence')
    for (const row of rows.slice(1)) {
      const [path, group] = row.split(',')
      const copy = await readFile(join(out, `group-0${group}`, path))
      expect(copy.equals(await readFile(join(scenes.images, path)))).toBe(true)
    }
    expect(await sharp(join(out, 'contact-sheet.png')).metadata()).toMatchObject({ format: 'png', channels: 3 })
    const project = join(folder, 'grouped.smalti')
    expect((await smalti('groups', project)).stderr).toContain('no Smalti project')
    await smalti(
      'group',
      scenes.images,
      '--project',
      project,
      '--groups',
      '2',
      '--steps',
      '3',
      '--backend',
      'onnxruntime'
    )
    const [image] = rows[1].split(',')
    const changed = await smalti(
      'groups',
      project,
      '--add',
      'Mine',
      '--move',
      `${image}=3`,
      '--rename',
      '3=Ours',
      '--history'
    )
    expect(changed.stdout).toContain('1  Ours')
    const again = json<CommandOutput<'groups'>>(await smalti('groups', project, '--undo', '2', '--json'))
    expect(again.history).toMatchObject({
      done: 1,
      edits: [{ kind: 'add' }, { kind: 'move', paths: [image], to: 2 }, { kind: 'rename' }]
    })
    await smalti('groups', project, '--redo', '--out', join(folder, 'grouped-again'), '--copies')
    expect(
      (await readFile(join(folder, 'grouped-again', 'group-03 Mine', image))).equals(
        await readFile(join(scenes.images, image))
      )
    ).toBe(true)
    const among = json<{ error: { name: string } }>(
      await smalti(
        'group',
        scenes.images,
        '--out',
        join(scenes.images, 'sorted'),
        '--groups',
        '2',
        '--steps',
        '3',
        '--json'
      )
    )
    expect(among.error.name).toBe('AmongImages')
    for (const method of ['deep-infomax', 'exemplar', 'adaptive', 'random-cnn'])
      expect(
        (
          await smalti(
            'group',
            scenes.images,
            '--out',
            join(folder, `grouped-${method}`),
            '--method',
            method,
            '--groups',
            '2',
            '--steps',
            '3',
            '--backend',
            'onnxruntime'
          )
        ).stderr
      ).not.toContain('wrong')
    const few = await smalti('group', scenes.images, '--out', out, '--groups', '9', '--json')
    expect(few.code).toBe(2)
    expect(json<{ error: { name: string } }>(few).error.name).toBe('NotEnoughImages')
  })
})
