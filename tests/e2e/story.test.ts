import { copyFile, mkdir, readFile, readdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import sharp from 'sharp'
import { afterEach, describe, expect, it } from 'vitest'
import { drawScenes, smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, electronPath, openWindow, viewerPicture } from '../fixtures/window.ts'

const present = electronPath() !== undefined
if (!present) console.warn('NOT TESTED: Electron is not installed here')
const AERIAL = '../shared/data/dubai72/images'
const SCENES = 6

/** Copies some aerial photographs, or draws scenes if there are none. */
async function someImages(folder: string): Promise<string> {
  if (!existsSync(AERIAL)) {
    console.warn(`NOT TESTED on aerial photographs: ${AERIAL} does not exist`)
    return (await drawScenes(folder, SCENES, 256)).images
  }
  const images = join(folder, 'dubai')
  await mkdir(images)
  for (const name of (await readdir(AERIAL)).sort().slice(0, SCENES))
    await copyFile(join(AERIAL, name), join(images, name))
  return images
}

describe.runIf(present)('from a dropped folder to exports', () => {
  let folder: string
  let images: string
  let project: string
  let window: Window
  const complaints: string[] = []

  async function open(home?: string): Promise<void> {
    window = await openWindow(home)
    window.page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
    window.page.on('pageerror', (fault) => void complaints.push(fault.message))
  }
  afterEach(() => window.close())

  const button = (name: string) => window.page.getByRole('button', { name, exact: true })
  const rows = () => window.page.getByRole('list', { name: 'Classes' }).locator('.row')
  const names = (): Promise<string[]> => rows().locator('.name').allTextContents()
  const steps = async (): Promise<string[]> => {
    await button('History').click()
    const found = await window.page.getByRole('list', { name: 'History' }).getByRole('button').allTextContents()
    await button('History').click()
    return found
  }
  /** The image with its labels as shown on screen, without the tools over it. */
  const shown = (): Promise<Buffer> => viewerPicture(window.page)
  const expectAccessible = async (): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await window.page.emulateMedia({ colorScheme })
      const { violations } = await new AxeBuilder({ page: window.page }).setLegacyMode(true).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
    }
    await window.page.emulateMedia({ colorScheme: 'light' })
  }
  async function exportAs(format: string, out: string): Promise<void> {
    const { page } = window
    // Smalti asks before it writes to a folder that was typed rather than chosen.
    await window.agree()
    await page.keyboard.press('Control+e')
    await page.getByLabel('Export format').selectOption(format)
    await page.getByLabel('Export folder').fill(out)
    await page
      .locator('.plan')
      .getByText(/^\d+ files?/)
      .waitFor()
    await button('Export').click()
    await page.getByText(`(${format}).`).waitFor()
  }
  let kept: { names: string[]; steps: string[]; picture: Buffer }

  async function trainAndSegment(): Promise<void> {
    const { page } = window
    await window.drop(images)
    await page.getByText(`${SCENES} images`).first().waitFor()
    await page.getByRole('combobox').first().selectOption('preview')
    await button('Train').click()
    await page.getByText('Clustering finished').waitFor()
    await button('Segment').click()
    await page.getByText(`Segmented ${SCENES} images`).waitFor()
    project = await page.evaluate(
      (path) =>
        (
          globalThis as unknown as { smalti: { projectFolderFor(images: string): Promise<string> } }
        ).smalti.projectFolderFor(path),
      images
    )
  }

  /** Makes classes by the tree, by suggested merges and by hand. */
  async function makeClasses(): Promise<void> {
    const { page } = window
    const slider = page.getByLabel('Number of classes')
    await slider.fill('8')
    await slider.dispatchEvent('change')
    expect(await names()).toHaveLength(8)
    await page.getByText('Suggested merges').click()
    for (let left = 7; left >= 6; left--) {
      await page.locator('.advice button', { hasText: 'Merge' }).first().click()
      // A suggestion under the pointer would show its preview.
      await page.mouse.move(700, 5)
      expect(await names()).toHaveLength(left)
    }
    await page.getByText('Suggested merges').click()
    for (let left = 5; left >= 4; left--) {
      await rows().nth(0).click()
      await rows()
        .nth(1)
        .click({ modifiers: ['Control'] })
      await page.keyboard.press('m')
      expect(await names()).toHaveLength(left)
      await page.keyboard.press('Escape')
    }
    await rows().nth(1).press('F2')
    await page.getByLabel('Class name').fill('Wüste')
    await page.keyboard.press('Enter')
    await rows().filter({ hasText: 'Wüste' }).waitFor()
    await rows().nth(2).click()
    await page.keyboard.press('h')
    for (let i = 0; i < 3; i++) await page.keyboard.press('Control+z')
    expect(await names()).toHaveLength(5)
    await page.keyboard.press('Control+Shift+z')
    expect(await names()).toHaveLength(4)
    expect(await steps()).toEqual([
      'Original clusters',
      'Set to 8 classes',
      ...Array.from({ length: 4 }, () => expect.stringMatching(/^Merge /) as string),
      expect.stringMatching(/^Rename .* to Wüste$/),
      expect.stringMatching(/^Hide /)
    ])
    await page.keyboard.press('Control+Shift+z')
  }

  /** Corrects labels with the brush, a polygon and a fill, and undoes corrections. */
  async function correctLabels(): Promise<void> {
    const { page } = window
    await rows().filter({ hasText: 'Wüste' }).click()
    await page.keyboard.press('d')
    await expectAccessible()
    const box = (await page.locator('.stage').boundingBox())!
    const at = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height]
    const before = await shown()
    await page.mouse.move(...at(0.4, 0.4))
    await page.mouse.down()
    await page.mouse.move(...at(0.6, 0.6), { steps: 5 })
    await page.mouse.up()
    await page.mouse.move(...at(0.02, 0.98))
    await expect.poll(steps).toContain('Paint Wüste')
    const painted = await shown()
    expect(painted.equals(before)).toBe(false)
    await page.keyboard.press('Control+z')
    await expect.poll(async () => (await shown()).equals(before)).toBe(true)
    await page.keyboard.press('Control+Shift+z')
    await expect.poll(async () => (await shown()).equals(painted)).toBe(true)
    await page.keyboard.press('p')
    for (const corner of [at(0.42, 0.55), at(0.5, 0.65), at(0.4, 0.66)]) await page.mouse.click(...corner)
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.press('n')
    await rows().filter({ hasText: 'New class 1' }).waitFor()
    await page.keyboard.press('g')
    await page.mouse.click(...at(0.5, 0.5))
    await page.mouse.move(...at(0.02, 0.98))
    await page.keyboard.press('Escape')
    await expect
      .poll(async () => (await steps()).slice(-4))
      .toEqual(['Paint Wüste', 'Draw polygon: Wüste', 'Add New class 1', 'Fill with New class 1'])
    const { pixels, scheme } = JSON.parse((await smalti('classes', project, '--json')).stdout) as {
      pixels: number[]
      scheme: { classes: { name: string }[] }
    }
    expect(scheme.classes.map(({ name }) => name)).toEqual(await names())
    expect(pixels.at(-1)).toBeGreaterThan(100)
    // The exports check that these counts match the masks.
    kept = { names: await names(), steps: await steps(), picture: await shown() }
  }

  /** Compares the exports of the window with those of the command line. */
  async function compareExports(): Promise<void> {
    for (const format of ['geotiff', 'png', 'flatgeobuf', 'csv', 'report']) {
      const [mine, theirs] = [join(folder, `window ${format}`), join(folder, `cli ${format}`)]
      await exportAs(format, mine)
      expect((await smalti('export', project, '--format', format, '--out', theirs)).code).toBe(0)
      const files = (await readdir(mine, { recursive: true }))
        .filter((name) => /\.(tif|png|fgb|csv|qml|xml)$/.test(name))
        .sort()
      expect(format === 'report' ? 1 : files.length).toBeGreaterThan(0)
      for (const name of files)
        expect((await readFile(join(mine, name))).equals(await readFile(join(theirs, name))), name).toBe(true)
    }
    // The areas in the list match the masks.
    const counts = new Map<number, number>()
    for (const name of (await readdir(join(folder, 'window png'), { recursive: true })).filter((file) =>
      file.endsWith('.png')
    )) {
      for (const value of await sharp(join(folder, 'window png', name))
        .toColourspace('b-w')
        .raw()
        .toBuffer())
        counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    const { pixels } = JSON.parse((await smalti('classes', project, '--json')).stdout) as { pixels: number[] }
    expect(pixels).toEqual(pixels.map((_, value) => counts.get(value) ?? 0))
  }

  async function showHeatmaps(): Promise<void> {
    const { page } = window
    const classesShown = await shown()
    await page.keyboard.press('j')
    await page.getByRole('img', { name: /dark means unlikely/ }).waitFor()
    const heat = await shown()
    await page.keyboard.press('c')
    const confidence = await shown()
    await expectAccessible()
    await page.keyboard.press('c')
    expect([heat.equals(classesShown), confidence.equals(heat)]).toEqual([false, false])
    expect((await shown()).equals(classesShown)).toBe(true)
  }

  /** Restarts the program and expects the same classes, history and view. */
  async function restart(): Promise<void> {
    await window.app.close()
    await open(window.home)
    await window.page.getByText('dubai').or(window.page.getByText('images')).first().waitFor()
    await window.drop(images)
    await window.page.locator('main img').first().waitFor()
    await window.page.locator('main img').first().click()
    expect([await names(), await steps()]).toEqual([kept.names, kept.steps])
    await window.page.mouse.move(5, 5)
    expect((await shown()).equals(kept.picture)).toBe(true)
    await button('Undo').click()
    await button('Redo').click()
    expect((await shown()).equals(kept.picture)).toBe(true)
    expect(complaints).toEqual([])
  }

  it('keeps masks, classes and images equal in the window, in exports and after a restart', async () => {
    folder = await temporaryFolder()
    images = await someImages(folder)
    await open()
    await trainAndSegment()
    await makeClasses()
    await correctLabels()
    await compareExports()
    await showHeatmaps()
    await restart()
  })
})
