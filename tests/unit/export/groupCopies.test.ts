import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { writeGroups } from '../../../src-main/export/groups.ts'
import { clashes } from '../../fixtures/fileNames.ts'

describe('copies of groups', () => {
  it('never collide, keep their names where possible, and are listed in a table that can be read back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'smalti-copies-'))
    try {
      const paths = [
        'A.png',
        'a.png',
        'a.jpg',
        'n\u00e9.png',
        'ne\u0301.png',
        '=x.png',
        'con.png',
        `${'ö'.repeat(125)}.png`
      ]
      await mkdir(join(folder, 'images'))
      const images = paths.map((path, i) => ({ path, file: join(folder, 'images', path), group: i % 2, confidence: 1 }))
      for (const { file } of images)
        await sharp({ create: { width: 8, height: 8, channels: 3, background: '#102030' } })
          .toFormat(file.endsWith('jpg') ? 'jpeg' : 'png')
          .toFile(file)
      const groups = {
        groups: [
          { id: 0, name: '=SUM(1)' },
          { id: 1, name: '森'.repeat(90) }
        ],
        images
      }
      const { files } = await writeGroups(groups, join(folder, 'out'), {
        copies: true,
        overwrite: false,
        territory: { sources: [join(folder, 'images')], images: images.map(({ file }) => file) }
      })
      expect(files).toBe(2 + paths.length)
      const copies = (await readdir(join(folder, 'out'), { recursive: true })).filter((name) => name.includes('/'))
      expect(copies.length).toBe(paths.length)
      expect(clashes(copies.map((name) => name.slice(name.indexOf('/') + 1)))).toEqual([])
      expect(copies).toContain('group-01 SUM1/a.jpg')
      const table = await readFile(join(folder, 'out', 'names.csv'), 'utf8')
      expect(
        table
          .trim()
          .split('\r\n')
          .slice(1)
          .map((row) => row.slice(row.lastIndexOf(',') + 1))
          .sort()
      ).toEqual(['A.png', 'a.png', 'con.png', 'ne\u0301.png', 'n\u00e9.png'])
      expect(await readFile(join(folder, 'out', 'groups.csv'), 'utf8')).toContain(
        `"'=x.png",2,${'森'.repeat(90)},1.0000`
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
