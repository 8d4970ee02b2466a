import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import sharp from 'sharp'
import { groupSteps, groupsNow, groupsUndone, withGroupEdit } from '../../../src-main/classes/groups.ts'
import type { GroupEdit, GroupHistory } from '../../../src-main/contract/groups.ts'
import { SmaltiError } from '../../../src-main/contract/errors.ts'
import { writeGroups } from '../../../src-main/export/groups.ts'
import { loadGroups, saveFoundGroups, saveGroupEdits } from '../../../src-main/project/groups.ts'
import { openOrCreateProject } from '../../../src-main/project/project.ts'

const found: GroupHistory = {
  sorting: 'the first',
  groups: 3,
  images: ['a', 'b', 'c', 'd'].map((name, i) => ({
    path: `${name}.png`,
    file: `/images/${name}.png`,
    group: i % 3,
    confidence: i / 4
  })),
  edits: [],
  done: 0
}
const made = (...edits: GroupEdit[]): GroupHistory => edits.reduce(withGroupEdit, found)
const groupOf = (history: GroupHistory): number[] => groupsNow(history).images.map(({ group }) => group)

describe('groups of images', () => {
  it('stay as they were found until something changes', () => {
    expect(groupsNow(found).groups.map(({ name }) => name)).toEqual(['Group 1', 'Group 2', 'Group 3'])
    expect(groupOf(found)).toEqual([0, 1, 2, 0])
  })
  it('receive an image, merge, get a name and grow by one', () => {
    const history = made(
      { kind: 'move', paths: ['a.png', 'd.png'], to: 1 },
      { kind: 'merge', groups: [2, 1] },
      { kind: 'rename', group: 2, name: 'Ships' },
      { kind: 'add', name: 'Boats' }
    )
    expect(groupOf(history)).toEqual([2, 2, 2, 2])
    expect(groupsNow(history).groups).toEqual([
      { id: 0, name: 'Group 1' },
      { id: 2, name: 'Ships' },
      { id: 3, name: 'Boats' }
    ])
  })
  it('go back and forward to any step, and a new step replaces undone ones', () => {
    const history = made({ kind: 'move', paths: ['a.png'], to: 1 }, { kind: 'move', paths: ['b.png'], to: 2 })
    const back = groupsUndone(history, 1)
    expect(groupOf(back)).toEqual([1, 1, 2, 0])
    expect(groupOf(groupsUndone(back, -5))).toEqual(groupOf(history))
    expect(groupsUndone(history, 99).done).toBe(0)
    expect(withGroupEdit(back, { kind: 'rename', group: 0, name: 'x' }).edits.length).toBe(2)
  })
  it.each<GroupEdit>([
    { kind: 'move', paths: ['a.png'], to: 7 },
    { kind: 'move', paths: ['nobody.png'], to: 0 },
    { kind: 'merge', groups: [0, 9] },
    { kind: 'rename', group: 5, name: 'x' }
  ])('reject %j', (edit) => {
    expect(() => withGroupEdit(found, edit)).toThrow(SmaltiError)
  })
  it('describe each step', () => {
    const history = made(
      { kind: 'rename', group: 0, name: 'Sea' },
      { kind: 'merge', groups: [0, 2] },
      { kind: 'move', paths: ['a.png', 'b.png'], to: 1 }
    )
    expect(groupSteps(groupsUndone(history, 2))).toEqual([
      'Rename Group 1 to Sea',
      'Merge Sea and Group 3',
      'Move 2 images to Group 2'
    ])
  })
})

describe('saved groups', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'groups-'))
    await mkdir(join(folder, 'images'))
    for (const [i, { path }] of found.images.entries())
      await sharp({ create: { width: 40, height: 30, channels: 3, background: { r: 60 * i, g: 100, b: 0 } } })
        .png()
        .toFile(join(folder, 'images', path))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const images = () => found.images.map((image) => ({ ...image, file: join(folder, 'images', image.path) }))
  const territory = () => ({ sources: [join(folder, 'images')], images: images().map(({ file }) => file) })

  it('keep their steps until the images are grouped again', async () => {
    const project = await openOrCreateProject(join(folder, 'p.smalti'), ['/images'])
    expect(await loadGroups(project)).toBeUndefined()
    await saveFoundGroups(project, found)
    const history = made({ kind: 'move', paths: ['a.png'], to: 1 })
    await saveGroupEdits(project, history)
    const { sorting, ...kept } = (await loadGroups(project))!
    expect({ ...kept, sorting: history.sorting }).toEqual(history)
    await saveFoundGroups(project, found)
    const again = (await loadGroups(project))!
    expect({ ...again, sorting: found.sorting }).toEqual(found)
    expect(again.sorting).not.toBe(sorting)
  })

  it('are copied, and an image that has moved to another group leaves no copy behind', async () => {
    const out = join(folder, 'out')
    const options = { copies: true, overwrite: false, territory: territory() }
    const history = { ...found, images: images() }
    expect(await writeGroups(groupsNow(history), out, options)).toEqual({ files: 6, skipped: [] })
    expect(
      (await readFile(join(out, 'group-01', 'a.png'))).equals(await readFile(join(folder, 'images', 'a.png')))
    ).toBe(true)
    await writeFile(join(out, 'mine.txt'), 'mine')
    const after = [
      { kind: 'move' as const, paths: ['a.png'], to: 1 },
      { kind: 'rename' as const, group: 1, name: 'Über/..see: 1' }
    ].reduce(withGroupEdit, history)
    await writeGroups(groupsNow(after), out, options)
    await expect(readFile(join(out, 'group-01', 'a.png'))).rejects.toThrow()
    expect((await readFile(join(out, 'group-02 Übersee 1', 'a.png'))).length).toBeGreaterThan(0)
    expect(await readFile(join(out, 'mine.txt'), 'utf8')).toBe('mine')
    const table = (await readFile(join(out, 'groups.csv'), 'utf8')).split('\r\n')
    expect(table.slice(0, 2)).toEqual(['path,group,name,confidence', 'a.png,2,Über/..see: 1,0.0000'])
  })

  it('are written without missing images, which are reported', async () => {
    const gone = images().map((image) =>
      image.path === 'c.png' ? { ...image, file: join(folder, 'images', 'gone.png') } : image
    )
    const { files, skipped } = await writeGroups(groupsNow({ ...found, images: gone }), join(folder, 'without'), {
      copies: true,
      overwrite: false,
      territory: territory()
    })
    expect(files).toBe(5)
    expect(skipped.map(({ path }) => path)).toEqual(['c.png'])
    expect(await readFile(join(folder, 'without', 'groups.csv'), 'utf8')).toContain('c.png,3')
  })

  it('never overwrite other files and never go among the images', async () => {
    const out = join(folder, 'taken')
    await mkdir(join(out, 'group-01'), { recursive: true })
    await writeFile(join(out, 'group-01', 'a.png'), 'an original')
    const options = { copies: true, overwrite: false, territory: territory() }
    const groups = groupsNow({ ...found, images: images() })
    await expect(writeGroups(groups, out, options)).rejects.toMatchObject({ name: 'WouldOverwrite' })
    expect(await readFile(join(out, 'group-01', 'a.png'), 'utf8')).toBe('an original')
    await expect(readFile(join(out, 'groups.csv'))).rejects.toThrow()
    await expect(writeGroups(groups, join(folder, 'images', 'sorted'), options)).rejects.toMatchObject({
      name: 'AmongImages'
    })
  })
})
