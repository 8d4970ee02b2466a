import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readCheckpoint, writeCheckpoint } from '../../src-main/project/checkpoint.ts'
import { writeFileSafely } from '../../src-main/project/files.ts'
import { withLock } from '../../src-main/project/lock.ts'
import { openOrCreateProject, openProject, saveProject, startRun } from '../../src-main/project/project.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalti-project-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('checkpoint', () => {
  const arrays = { weights: Float32Array.of(1, -2, 3.5), empty: new Float32Array(0), bias: Float32Array.of(7) }

  it('comes back bit for bit', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 3 }, arrays })
    expect(await readCheckpoint(path)).toEqual({ meta: { step: 3 }, arrays })
  })

  it('gives way to the one before when it is damaged', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 1 }, arrays })
    await writeCheckpoint(path, { meta: { step: 2 }, arrays })
    await truncate(path, 60)
    expect((await readCheckpoint(path))?.meta).toEqual({ step: 1 })
  })

  it('is found when a kill came between its two renames', async () => {
    const path = join(folder, 'checkpoint')
    await writeCheckpoint(path, { meta: { step: 1 }, arrays })
    await writeFile(`${path}.next`, await readFile(path))
    await rm(path)
    expect((await readCheckpoint(path))?.meta).toEqual({ step: 1 })
  })

  it('is refused by name when every copy is damaged', async () => {
    const path = join(folder, 'checkpoint')
    await writeFile(path, 'SMALTI01 and then nonsense')
    await expect(readCheckpoint(path)).rejects.toMatchObject({ name: 'CheckpointUnreadable' })
  })

  it('is absent before the first', async () => {
    expect(await readCheckpoint(join(folder, 'checkpoint'))).toBeUndefined()
  })
})

describe('project', () => {
  it('is made once and then opened', async () => {
    const made = await openOrCreateProject(join(folder, 'p'), ['/images'])
    const started = await startRun(made)
    await saveProject(started)
    expect(await openProject(join(folder, 'p'))).toEqual({ folder: join(folder, 'p'), sources: ['/images'], run: 'run-0001' })
    expect((await startRun(started)).run).toBe('run-0002')
  })

  it.each([
    ['ProjectNotFound', undefined],
    ['ProjectUnreadable', '{"format": 1'],
    ['ProjectUnreadable', '{"format": 1, "images": 5}'],
    ['ProjectTooNew', '{"format": 99, "images": "/x"}']
  ])('fails to open with %s', async (name, content) => {
    if (content !== undefined) await writeFile(join(folder, 'project.json'), content)
    await expect(openProject(folder)).rejects.toMatchObject({ name })
  })

  it('says so when a file is where its folder should be', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(openOrCreateProject(join(folder, 'file', 'p'), ['/images'])).rejects.toMatchObject({ name: 'FolderNotWritable' })
  })

  it('leaves no partial file behind', async () => {
    await writeFileSafely(join(folder, 'a', 'b.txt'), 'text')
    expect(await readdir(join(folder, 'a'))).toEqual(['b.txt'])
  })
})

describe('lock', () => {
  it('is refused while a living process holds it, and taken over from a dead one or one that left its number to another', async () => {
    await withLock(folder, async () => {
      const second = withLock(folder, () => Promise.resolve())
      await expect(second).rejects.toMatchObject({ name: 'ProjectLocked', details: { process: process.pid } })
    })
    for (const left of ['4194303 1', `${process.pid} 1`, '']) {
      await writeFile(join(folder, 'project.lock'), left)
      expect(await withLock(folder, () => Promise.resolve('worked'))).toBe('worked')
    }
    expect(await readdir(folder)).toEqual([])
  })

  it('clears away what a killed process had half written, and nothing else', async () => {
    const kept = ['mask.png', `mask.png.${process.pid}.partial`, 'notes.partial']
    for (const name of [...kept, 'mask.png.4194303.partial']) await writeFileSafely(join(folder, 'labels', name), 'x')
    await withLock(folder, () => Promise.resolve())
    expect((await readdir(join(folder, 'labels'))).sort()).toEqual(kept.sort())
  })
})
