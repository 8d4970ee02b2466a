import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openOutFolder } from '../../../src-main/export/outFolder.ts'
import { writeFileSafely } from '../../../src-main/project/files.ts'
import { PROCESS_TAG } from '../../../src-main/project/machine.ts'

/** Files that an ended process of this computer, and one of another, wrote. No process has this id. */
const GONE = `${PROCESS_TAG.split('-')[0]}-4194304-00`
const ELSEWHERE = 'ffffffffffff-4194304-00'

describe('an export folder', () => {
  let folder: string
  const territory = { sources: [], images: [] }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'smalti-out-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('loses only the unfinished files of a killed export', async () => {
    await mkdir(join(folder, 'north'))
    const others = [
      `a.qml.${PROCESS_TAG}-00.partial`,
      `a.qml.${ELSEWHERE}.partial`,
      `notes.${GONE}.partial`,
      'a.qml.partial'
    ]
    for (const name of [
      ...others,
      `a.qml.${GONE}.partial`,
      `north/b.tif.${GONE}.partial`,
      `.smalti-export.json.${GONE}.partial`
    ])
      await writeFile(join(folder, name), 'x')
    {
      await using out = await openOutFolder(folder, ['a.qml', 'north/b.tif'], territory, false)
      await out.write('a.qml', 'style')
      await out.write('north/b.tif', 'labels')
      await out.finish()
    }
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(
      ['.smalti-export.json', 'a.qml', 'north', 'north/b.tif', ...others].sort()
    )
  })

  it('accepts one export at a time', async () => {
    {
      await using first = await openOutFolder(folder, ['a.qml'], territory, false)
      await expect(openOutFolder(folder, ['b.qml'], territory, false)).rejects.toMatchObject({
        name: 'FolderInUse',
        message: expect.stringContaining(`process ${process.pid}`) as string
      })
      await first.write('a.qml', 'style')
      await first.finish()
    }
    await using second = await openOutFolder(folder, ['a.qml'], territory, false)
    expect(second.earlier).toEqual(['a.qml'])
  })

  it('can’t be a file', async () => {
    await writeFile(join(folder, 'file'), 'x')
    await expect(openOutFolder(join(folder, 'file'), ['a.qml'], territory, false)).rejects.toMatchObject({
      name: 'FolderNotWritable'
    })
  })

  it('accepts names as long as the file system does', async () => {
    const longest = `${'x'.repeat(251)}.png`
    await writeFileSafely(join(folder, longest), 'x')
    {
      await using out = await openOutFolder(join(folder, 'out'), [longest], { sources: [], images: [] }, false)
      await out.write(longest, 'x')
      await out.finish()
    }
    expect(await readdir(join(folder, 'out'))).toEqual(['.smalti-export.json', longest])
  })

  it('loses unfinished files with long names that a killed export left', async () => {
    const longest = `${'x'.repeat(251)}.png`
    await writeFileSafely(join(folder, longest), 'x')
    {
      await using out = await openOutFolder(folder, ['y.png', longest], { sources: [], images: [] }, true)
      await expect(
        out.stream(longest, async (handle, path) => {
          await handle.close()
          // What a killed process would leave under the name of a process that has ended.
          await writeFile(path.replace(`-${process.pid}-`, '-4194304-'), 'half')
          throw new Error('killed')
        })
      ).rejects.toThrow()
    }
    expect((await readdir(folder)).some((name) => /-4194304-\w+\.partial$/.test(name))).toBe(true)
    await using again = await openOutFolder(folder, ['y.png', longest], { sources: [], images: [] }, true)
    expect((await readdir(again.folder)).sort()).toEqual(['.smalti-export.json', '.smalti-export.lock', longest])
  })

  it('rejects two files with the same name, and subfolders that contain images', async () => {
    await expect(openOutFolder(folder, ['A.png', 'a.png'], { sources: [], images: [] }, false)).rejects.toMatchObject({
      name: 'InvalidSetting'
    })
    await mkdir(join(folder, 'images'))
    await expect(
      openOutFolder(folder, ['images/b.jpg'], { sources: [join(folder, 'images')], images: [] }, false)
    ).rejects.toMatchObject({ name: 'AmongImages' })
    expect(existsSync(join(folder, '.smalti-export.json'))).toBe(false)
  })
})
