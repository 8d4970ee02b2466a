import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drawScenes, start } from '../../fixtures/commandLine.ts'
import { measured } from '../processes.ts'

const NAMES = {
  Turkish: 'İstanbul ığüşöç',
  Arabic: 'صور الغابة',
  Chinese: '森林航拍',
  emoji: '🌲🛰️',
  long: 'n'.repeat(200),
  'dots and spaces': ' two  spaces . . ',
  'leading dash': '-rf',
  quotes: `it's "quoted" $HOME \`x\``,
  percent: '100%25 of%20it',
  combining: 'é (combined)',
  newline: 'two\nlines'
}

/**
 * Trains, segments and exports in folders and with images of odd names. Everything must work or fail with a named
 * error.
 */
export async function measureOddNames(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-names-'))
  const results: string[] = []
  try {
    const { images } = await drawScenes(base, 2, 96)
    for (const [kind, name] of Object.entries(NAMES)) {
      const folder = join(base, 'here', name)
      await mkdir(folder, { recursive: true })
      await cp(join(images, 'scene 1.png'), join(folder, `${name}.png`))
      // On most disks that run this, a and A are two files.
      await cp(join(images, 'north', 'scene 0.png'), join(folder, `${name.toUpperCase().slice(0, 190)}A.png`))
      const project = join(base, 'projects', `${name}.smalti`)
      try {
        await measured([
          'train',
          folder,
          '--project',
          project,
          '--classes',
          '3',
          '--over',
          '6',
          '--preset',
          'preview',
          '--backend',
          'onnxruntime'
        ])
        await measured(['segment', project])
        for (const format of ['png', 'geotiff', 'geopackage', 'coco-panoptic', 'yolo', 'report'])
          await measured(['export', project, '--format', format, '--out', join(base, 'out', format, name)])
        const written = await readdir(join(base, 'out', 'png', name), { recursive: true })
        results.push(
          `${kind}: ${written.filter((file) => file.endsWith('.png')).length === 2 ? 'works' : `WROTE ${written.join(', ')}`}`
        )
      } catch (fault) {
        results.push(`${kind}: ${(fault as Error).message.split('\n').at(-2) ?? (fault as Error).message}`)
      }
      await rm(join(base, 'here'), { recursive: true })
    }
    const twins = join(base, 'twins')
    await mkdir(twins)
    for (const name of ['scene.png', 'SCENE.png', 'scene.PNG']) await cp(join(images, 'scene 1.png'), join(twins, name))
    const project = join(base, 'twins.smalti')
    await measured([
      'train',
      twins,
      '--project',
      project,
      '--classes',
      '3',
      '--over',
      '6',
      '--preset',
      'preview',
      '--backend',
      'onnxruntime'
    ])
    await measured(['segment', project])
    const exported = await start('export', project, '--out', join(base, 'twins-out')).finished
    const count =
      exported.code === 0 ? (await readdir(join(base, 'twins-out'))).filter((file) => file.endsWith('.png')).length : 0
    results.push(
      `names that differ in case alone: ${exported.code === 0 ? `${count} of 3 masks` : exported.stderr.trim()}`
    )
  } finally {
    await rm(base, { recursive: true, force: true })
  }
  console.log(`Odd names:\n  ${results.join('\n  ')}`)
}
