import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { initialScheme } from '../../../src-main/classes/scheme.ts'
import { readSchemeFile, writeSchemeFile } from '../../../src-main/export/schemeFile.ts'
import { after } from '../../fixtures/clusterTree.ts'

describe('classes', () => {
  it('are written to files and read again, including QGIS styles', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'classes-'))
    const scheme = after([
      { kind: 'merge', classes: [1, 3], name: 'Wälder & "Wiesen" <1>' },
      { kind: 'recolour', class: 1, colour: '#00AA11' },
      { kind: 'ignore', classes: [4], ignored: true }
    ])
    const [file, style] = [join(folder, 'a.json'), join(folder, 'a.qml')]
    await writeSchemeFile(file, scheme, false)
    await writeSchemeFile(file, scheme, false)
    expect(await readSchemeFile(file, initialScheme(5))).toEqual(scheme)
    await writeSchemeFile(style, scheme, false)
    await expect(writeSchemeFile(style, scheme, false)).rejects.toThrow('was not written by an earlier export')
    const restyled = await readSchemeFile(style, after([{ kind: 'merge', classes: [1, 3] }]))
    expect(restyled.classes.map(({ name, colour }) => [name, colour])).toEqual(
      scheme.classes.map(({ name, colour }) => [name, colour])
    )
    await writeFile(style, '<paletteEntry value="0" label="&#x110000; &#38; &mine;" color="#00aa11"/>')
    expect((await readSchemeFile(style, initialScheme(5))).classes[0].name).toBe('&#x110000; & &mine;')
    const notes = join(folder, 'notes.json')
    await writeFile(notes, '{"mine": 1}')
    await expect(writeSchemeFile(notes, scheme, false)).rejects.toThrow('was not written by an earlier export')
    expect(await readFile(notes, 'utf8')).toBe('{"mine": 1}')
    await expect(readSchemeFile(notes, scheme)).rejects.toThrow("it isn't a class file written by Smalti")
    await expect(readSchemeFile(join(folder, 'none.json'), scheme)).rejects.toThrow("the file doesn't exist")
    await expect(writeSchemeFile(join(folder, 'a.txt'), scheme, false)).rejects.toThrow('must end in .json')
  })
})
