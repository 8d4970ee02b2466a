import { mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/commandLine.ts'
import { hasYaml, read } from '../fixtures/exportReader.ts'
import { oracleLack } from '../fixtures/gdal.ts'
import { CLASSES, exported, labelledProject } from '../fixtures/labelledProject.ts'

describe.skipIf(oracleLack !== undefined || !hasYaml)('a YOLO data set', () => {
  let folder: string
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const lists = async (place: string): Promise<string[][]> =>
    Promise.all(
      ['train.txt', 'val.txt'].map(async (name) => (await readFile(join(place, name), 'utf8')).split('\n').slice(0, -1))
    )

  it.each([
    [1, [1, 1]],
    [2, [1, 1]],
    [4, [3, 1]],
    [5, [4, 1]],
    [11, [9, 2]]
  ])('of %d images trains and validates on %j', async (count, expected) => {
    const place = join(folder, String(count))
    const images = await labelledProject(
      place,
      Array.from({ length: count }, (_, i) => `${String(i).padStart(2, '0')}.png`),
      CLASSES
    )
    await exported(images, { format: 'yolo', out: join(place, 'yolo') })
    const found = read<{ train: { image: string }[]; val: { image: string }[] }>({
      ask: 'yolo',
      path: join(place, 'yolo', 'data.yaml')
    })
    expect([found.train.length, found.val.length]).toEqual(expected)
    if (count > 1) expect(found.train.some(({ image }) => found.val.some((other) => other.image === image))).toBe(false)
  })

  it('needs no copies if the images are in a folder named images next to it', async () => {
    const place = join(folder, 'beside')
    const images = await labelledProject(place, ['a.png', 'sub/b.png'], CLASSES)
    await mkdir(join(place, 'set'))
    await rename(join(place, 'pictures'), join(place, 'set', 'images'))
    const index = join(images.project.folder, 'runs', 'run-0001', 'labels', 'training', 'labels.json')
    for (const file of [index, join(images.project.folder, 'project.json')])
      await writeFile(
        file,
        (await readFile(file, 'utf8')).replaceAll(join(place, 'pictures'), join(place, 'set', 'images'))
      )
    const before = await stat(join(place, 'set', 'images', 'a.png'))
    await symlink(join(place, 'set'), join(place, 'link'))
    for (const name of ['set', 'link'])
      expect((await exported(images, { format: 'yolo', out: join(place, name) })).files).toBe(5)
    expect(await stat(join(place, 'set', 'images', 'a.png'))).toMatchObject({
      mtimeMs: before.mtimeMs,
      ino: before.ino
    })
    expect(
      read<{ train: { image: string }[] }>({ ask: 'yolo', path: join(place, 'set', 'data.yaml') }).train.map(
        ({ image }) => image
      )
    ).toEqual(['images/a.png'])
  })

  it('is rejected if a copy would go into an image folder', async () => {
    const place = join(folder, 'among')
    const images = await labelledProject(place, ['a.png', 'a.jpg'], CLASSES)
    await rename(join(place, 'pictures'), join(place, 'images'))
    const index = join(images.project.folder, 'runs', 'run-0001', 'labels', 'training', 'labels.json')
    for (const file of [index, join(images.project.folder, 'project.json')])
      await writeFile(file, (await readFile(file, 'utf8')).replaceAll(join(place, 'pictures'), join(place, 'images')))
    await expect(exported(images, { format: 'yolo', out: place })).rejects.toMatchObject({ name: 'AmongImages' })
    expect((await readdir(join(place, 'images'))).sort()).toEqual(['a.jpg', 'a.png'])
  })

  it('leaves out missing images and says so', async () => {
    const place = join(folder, 'gone')
    const images = await labelledProject(place, ['a.png', 'b.png', 'c.png'], CLASSES)
    await rm(join(place, 'pictures', 'b.png'))
    const { notes } = await exported(images, { format: 'yolo', out: join(place, 'yolo') })
    expect(notes).toEqual(['1 image could not be copied next to the labels, so train.txt and val.txt omit it.'])
    expect(await lists(join(place, 'yolo'))).toEqual([['./images/a.png'], ['./images/c.png']])
    expect((await readFile(join(place, 'yolo', 'labels', 'b.txt'), 'utf8')).length).toBeGreaterThan(0)
    expect(await readFile(join(place, 'yolo', 'data.yaml'), 'utf8')).toContain(
      '# Not copied and in neither list: copy "b.png" to "images/b.png"'
    )
  })
})
