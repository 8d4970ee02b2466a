import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openOutFolder } from '../../../src-main/export/outFolder.ts'
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
})
