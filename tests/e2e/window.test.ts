import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { drawScenes, smalti } from '../fixtures/commandLine.ts'
import {
  PREVIEW,
  button,
  expectAccessible,
  fold,
  folder,
  present,
  row,
  useWindow,
  window
} from '../fixtures/windowTests.ts'

describe.runIf(present)('the window', () => {
  useWindow()

  it('shows an accessible start page', async () => {
    await window.page.getByText('Drop images or folders here').waitFor()
    await expectAccessible()
  })

  it('isolates its page from the system', async () => {
    const found = await window.page.evaluate(async () => {
      const remote = await fetch('https://example.org/').then(
        () => 'fetched',
        () => 'refused'
      )
      return {
        remote,
        node: 'require' in globalThis || 'process' in globalThis,
        api: Object.keys((globalThis as unknown as { smalti: object }).smalti).sort()
      }
    })
    expect(found).toEqual({
      remote: 'refused',
      node: false,
      api: [
        'abandonPictures',
        'binRun',
        'cancel',
        'chooseFile',
        'chooseFolder',
        'chooseImages',
        'onAction',
        'onOpened',
        'onProgress',
        'onUpdate',
        'pathOf',
        'projectFolderFor',
        'recentImages',
        'rememberProject',
        'run',
        'sampleFolder',
        'showFolder',
        'takeOpened',
        'update'
      ]
    })
  })

  it('refuses a malformed message', async () => {
    const answer = await window.page.evaluate(async () => {
      const { smalti } = globalThis as unknown as { smalti: { run(...args: unknown[]): Promise<unknown> } }
      return Promise.all([
        smalti.run(1, 'eval', {}).then(
          () => 'answered',
          () => 'refused'
        ),
        smalti.run(2, 'train', { folder: 5 }).then(
          (outcome) => Object.keys(outcome as object)[0],
          () => 'refused'
        )
      ])
    })
    expect(answer).toEqual(['refused', 'error'])
  })

  it.each([
    ['an empty folder', 'There are no files in'],
    ['a folder of text files', "Smalti can't read an image from"],
    ['a folder of one truncated image', 'the file is truncated']
  ])('says what is wrong with %s', async (name, sentence) => {
    const bad = join(folder, name)
    await mkdir(bad)
    if (name.includes('text')) await writeFile(join(bad, 'a.txt'), 'text')
    if (name.includes('truncated')) {
      const { images } = await drawScenes(folder, 2, 192)
      await writeFile(join(bad, 'half.png'), (await readFile(join(images, 'scene 1.png'))).subarray(0, 9000))
    }
    await window.drop(bad)
    const alert = window.page.getByRole('alert')
    await alert.getByText(sentence).waitFor()
    await window.page.getByRole('button', { name: 'Dismiss' }).click()
    await alert.waitFor({ state: 'detached' })
  })

  it('exports the same masks from a dropped folder as the command line', async () => {
    const { page } = window
    const { images } = await drawScenes(folder, 3, 128)
    await writeFile(join(images, 'notes.txt'), 'no image')
    await window.drop(images)
    await page.getByText('3 images, 1 skipped').waitFor()
    await page.getByText('Skipped files').click()
    await page.getByText("it isn't an image in a supported format").waitFor()
    expect(await page.locator('main img').count()).toBe(3)
    await expectAccessible()

    await page.getByText('More settings').click()
    await page.getByLabel('Clusters to start from').fill('8')
    await page.getByLabel('Seed').fill('3')
    await page.getByLabel('Steps').fill('25')
    await page.getByLabel('Steps').blur()
    await page.getByLabel('Backend').selectOption('onnxruntime')
    await button('Train').click()
    await page.getByText('Training finished: 25 steps').waitFor()
    await page.getByRole('img', { name: /Separation during training/ }).waitFor()

    await button('Segment').click()
    await page.getByText('Segmented 3 images').waitFor()
    await page.locator('.stage canvas').first().waitFor()
    await expectAccessible()

    const out = join(folder, 'window-masks')
    await window.answerDialog(out)
    await button('Export…').click()
    await page.getByLabel('Export format').selectOption('png')
    await button('Choose…').click()
    await page.getByText('3 files, about').waitFor()
    await expectAccessible()
    await button('Export').click()
    await page.getByText('Exported 3 files').waitFor()

    const project = join(folder, 'cli.smalti')
    const settings = ['--classes', '5', '--over', '8', '--seed', '3', '--steps', '25', '--backend', 'onnxruntime']
    for (const command of [
      ['train', images, '--project', project, ...settings],
      ['segment', project],
      ['export', project, '--out', join(folder, 'cli-masks')]
    ]) {
      expect((await smalti(...command)).code).toBe(0)
    }
    for (const name of ['north/scene 0.png', 'scene 1.png', 'scene 2.png']) {
      const [fromWindow, fromCommandLine] = await Promise.all(
        ['window-masks', 'cli-masks'].map((part) => readFile(join(folder, part, name)))
      )
      expect(fromWindow.equals(fromCommandLine), name).toBe(true)
    }
  })

  it('finds the project again after the images folder is renamed', async () => {
    const { page } = window
    const { images } = await drawScenes(folder, 3, 128)
    await window.drop(images)
    await page.getByText('3 images').first().waitFor()
    const own = await page.evaluate(
      (path) =>
        (
          globalThis as unknown as { smalti: { projectFolderFor(images: string): Promise<string> } }
        ).smalti.projectFolderFor(path),
      images
    )
    for (const command of [
      ['train', images, '--project', own, ...PREVIEW],
      ['segment', own]
    ])
      expect((await smalti(...command)).code).toBe(0)
    const moved = join(folder, 'renamed images')
    await rename(images, moved)
    await window.drop(moved)
    await page.getByRole('heading', { name: 'renamed images' }).waitFor()
    await row('Cluster 8').waitFor()
    await fold('2 · Segment')
    await button('Segment again').click()
    await page.getByText('Segmented 0 images').waitFor()
  })

  it('copies diagnostics of versions and error names, and nothing else', async () => {
    await window.app.evaluate(({ Menu, clipboard }) => {
      clipboard.clear()
      const help = Menu.getApplicationMenu()?.items.find(({ label }) => label === 'Help')
      help?.submenu?.items.find(({ label }) => label === 'Copy diagnostics')?.click()
    })
    await expect.poll(() => window.app.evaluate(({ clipboard }) => clipboard.readText())).toContain('onnxruntime')
    const report = await window.app.evaluate(({ clipboard }) => clipboard.readText())
    expect(report).toMatch(/^Smalti \d/)
    expect(report).not.toContain(folder)
  })

  it('says what is wrong with an image of one pixel', async () => {
    const tiny = join(folder, 'tiny')
    await mkdir(tiny)
    await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } })
      .png()
      .toFile(join(tiny, 'one.png'))
    await window.drop(tiny)
    await window.page.getByText('1 image ·').waitFor()
    await button('Train').click()
    await window.page.getByRole('alert').getByText('The images are too small').waitFor()
  })
})
