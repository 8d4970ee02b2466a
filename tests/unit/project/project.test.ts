import { mkdir, mkdtemp, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readCheckpoint, writeCheckpoint } from '../../../src-main/project/checkpoint.ts'
import { writeFileSafely } from '../../../src-main/project/files.ts'
import { loadGroups, saveFoundGroups } from '../../../src-main/project/groups.ts'
import { labelSetOf, loadLabelIndex, saveLabelIndex } from '../../../src-main/project/labelSets.ts'
import {
  adoptRun,
  loadRun,
  loadRunNotes,
  openOrCreateProject,
  openProject,
  saveCatalogue,
  saveProject,
  startRun
} from '../../../src-main/project/project.ts'
import { loadClassHistory } from '../../../src-main/project/scheme.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-project-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('checkpoint', () => {
  const arrays = { weights: Float32Array.of(1, -2, 3.5), empty: new Float32Array(0), bias: Float32Array.of(7) }

  it('is read back bit for bit', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 3 }, arrays })
    expect(await readCheckpoint(path)).toEqual({ meta: { step: 3 }, arrays })
  })

  it('falls back to the one before if it is damaged', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 1 }, arrays })
    await writeCheckpoint(path, { meta: { step: 2 }, arrays })
    await truncate(path, 60)
    expect((await readCheckpoint(path))?.meta).toEqual({ step: 1 })
  })

  it('is found if a crash came between its two renames', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 1 }, arrays })
    await writeFile(`${path}.next`, await readFile(path))
    await rm(path)
    expect((await readCheckpoint(path))?.meta).toEqual({ step: 1 })
  })

  it('is rejected by name if every copy is damaged', async () => {
    const path = join(folder, 'checkpoint')
    await writeFile(path, 'SMALTI01 and then nonsense')
    await expect(readCheckpoint(path)).rejects.toMatchObject({ name: 'CheckpointUnreadable' })
  })

  it('is undefined before the first', async () => {
    expect(await readCheckpoint(join(folder, 'checkpoint'))).toBeUndefined()
  })
})

describe('project', () => {
  it('is created once and then opened', async () => {
    const made = await openOrCreateProject(join(folder, 'p'), ['/images'])
    const started = await startRun(made)
    await saveProject(started)
    expect(await openProject(join(folder, 'p'))).toEqual({
      folder: join(folder, 'p'),
      sources: ['/images'],
      run: 'run-0001'
    })
    expect((await startRun(started)).run).toBe('run-0002')
  })

  it.each([
    ['ProjectNotFound', undefined],
    ['ProjectUnreadable', '{"format": 1'],
    ['ProjectUnreadable', '{"format": 1, "images": 5}'],
    ['ProjectUnreadable', '{"format": 2, "sources": [""]}'],
    ['ProjectUnreadable', '{"format": 2, "sources": ["/a\\u0000b"]}'],
    ['ProjectUnreadable', '{"format": 2, "sources": ["/a"], "run": "../../elsewhere"}'],
    ['ProjectTooNew', '{"format": 99, "images": "/x"}']
  ])('fails to open with %s', async (name, content) => {
    if (content !== undefined) await writeFile(join(folder, 'project.json'), content)
    await expect(openProject(folder)).rejects.toMatchObject({ name })
  })

  it('from someone else can’t lead an export out of its folder', async () => {
    const project = await startRun({ folder, sources: ['/images'] })
    const set = labelSetOf(project)
    const image = { path: 'a/b.png', file: '/images/a/b.png', width: 1, height: 1, rasters: {} }
    const index = { step: 1, key: '0', sources: ['/images'], images: [image], skipped: [], partial: false, classes: {} }
    await mkdir(set.folder, { recursive: true })
    await saveLabelIndex(set, index)
    expect((await loadLabelIndex(project, set))?.images).toEqual([image])
    for (const path of ['../b.png', 'a/../../b.png', '/etc/b.png', 'a\0.png', '']) {
      await saveLabelIndex(set, { ...index, images: [{ ...image, path }] })
      await expect(loadLabelIndex(project, set)).rejects.toMatchObject({ name: 'ProjectUnreadable' })
      await saveLabelIndex(set, { ...index, images: [{ ...image, rasters: { A: path } }] })
      await expect(loadLabelIndex(project, set)).rejects.toMatchObject({ name: 'ProjectUnreadable' })
      await saveFoundGroups(project, { groups: 1, images: [{ path, file: '/images/b.png', group: 0, confidence: 1 }] })
      await expect(loadGroups(project)).rejects.toMatchObject({ name: 'ProjectUnreadable' })
    }
  })

  it('reports a file in the place of its folder', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(openOrCreateProject(join(folder, 'file', 'p'), ['/images'])).rejects.toMatchObject({
      name: 'FolderNotWritable'
    })
  })

  it('leaves no unfinished file behind', async () => {
    await writeFileSafely(join(folder, 'b.txt'), 'text')
    expect(await readdir(folder)).toEqual(['b.txt'])
  })

  it('in an older format is kept next to the new one', async () => {
    const old = JSON.stringify({ format: 1, images: '/images', run: 'run-0001' })
    await writeFile(join(folder, 'project.json'), old)
    const project = await openProject(folder)
    await saveProject(project)
    await saveProject({ ...project, run: 'run-0002' })
    expect(await readFile(join(folder, 'project.format-1.json'), 'utf8')).toBe(old)
    expect(await openProject(folder)).toEqual({ folder, sources: ['/images'], run: 'run-0002' })
    expect((await readdir(folder)).sort()).toEqual(['project.format-1.json', 'project.json'])
  })

  it('that disappears between two reads, perhaps with its drive, counts as missing, not as empty', async () => {
    const project = await startRun(await openOrCreateProject(join(folder, 'p'), ['/images']))
    const reads: Record<string, () => Promise<unknown>> = {
      labels: () => loadLabelIndex(project, labelSetOf(project)),
      classes: () => loadClassHistory(project),
      run: () => loadRun(project),
      notes: () => loadRunNotes(project)
    }
    for (const read of Object.values(reads)) expect(await read()).toBeUndefined()
    await rename(join(folder, 'p'), join(folder, 'away'))
    for (const read of Object.values(reads)) await expect(read()).rejects.toMatchObject({ name: 'ProjectNotFound' })
  })

  it('that was moved away isn’t partly recreated in its old place', async () => {
    const project = await startRun(await openOrCreateProject(join(folder, 'p'), ['/images']))
    await rename(join(folder, 'p'), join(folder, 'moved'))
    for (const save of [
      () => adoptRun(project),
      () => saveCatalogue(project, { sources: [], images: [], skipped: [] })
    ])
      await expect(save()).rejects.toMatchObject({
        name: 'FolderNotWritable',
        message: expect.stringContaining('it no longer exists') as string
      })
    expect(await readdir(folder)).toEqual(['moved'])
  })
})
