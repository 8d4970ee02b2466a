import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openOutFolder } from '../../src-main/export/outFolder.ts'

/** No process has this number. */
const GONE = 4194303

describe('the folder of an export', () => {
  let folder: string
  const territory = { sources: [], images: [] }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'smalti-out-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('loses what a killed export had half written, and nothing else', async () => {
    await mkdir(join(folder, 'north'))
    const others = [`a.qml.${process.ppid}.partial`, `notes.${GONE}.partial`, 'a.qml.partial']
    for (const name of [...others, `a.qml.${GONE}.partial`, `north/b.tif.${GONE}.partial`, `.smalti-export.json.${GONE}.partial`]) await writeFile(join(folder, name), 'x')
    const out = await openOutFolder(folder, ['a.qml', 'north/b.tif'], territory, false)
    await out.write('a.qml', 'style')
    await out.write('north/b.tif', 'labels')
    await out.finish()
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['.smalti-export.json', 'a.qml', 'north', 'north/b.tif', ...others].sort())
  })

  it('is no file', async () => {
    await writeFile(join(folder, 'file'), 'x')
    await expect(openOutFolder(join(folder, 'file'), ['a.qml'], territory, false)).rejects.toMatchObject({ name: 'FolderNotWritable' })
  })
})
