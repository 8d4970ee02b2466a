import { cp, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { writeSample } from '../../src-main/engine/sample/writeSample.ts'
import { smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, electronPath, openWindow } from '../fixtures/window.ts'

const present = electronPath() !== undefined
if (!present) console.warn('NOT TESTED: Electron is not installed here')

describe.runIf(present)('looking at scenes', () => {
  let window: Window
  let images: string
  /** A segmented project of these images, which tests copy. */
  let segmented: string
  beforeAll(async () => {
    const folder = await temporaryFolder()
    ;({ images } = await writeSample(folder, new AbortController().signal, () => undefined))
    segmented = join(folder, 'segmented.smalti')
    for (const command of [
      ['train', images, '--project', segmented, '--preset', 'preview'],
      ['segment', segmented]
    ])
      expect((await smalti(...command)).code).toBe(0)
  })
  beforeEach(async () => {
    window = await openWindow()
  })
  afterEach(() => window.close())

  /** Opens the images, and the first one in the viewer. */
  async function openImages(): Promise<void> {
    await window.drop(images)
    await window.page.getByText('4 images').waitFor()
    await window.page.locator('main img').first().click()
  }
  /** Opens a copy of the segmented project. */
  async function openSegmented(): Promise<void> {
    const project = join(await temporaryFolder(), 'own.smalti')
    await cp(segmented, project, { recursive: true })
    await window.drop(project)
    await window.page.getByRole('list', { name: 'Classes' }).locator('.row').first().waitFor()
  }
  const button = (name: string) => window.page.getByRole('button', { name, exact: true })
  const more = () => window.page.getByText('More settings').click()
  /** Returns the mean colour in the middle of the viewer, once everything is loaded and drawn. */
  async function colour(): Promise<number[]> {
    await window.page.locator('.stage[aria-busy=false]').waitFor()
    await window.page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    )
    const box = (await window.page.locator('.stage').boundingBox())!
    const png = await window.page.screenshot({
      clip: { x: box.x + box.width / 2 - 60, y: box.y + box.height / 2 - 60, width: 120, height: 120 }
    })
    return (await sharp(png).stats()).channels.slice(0, 3).map(({ mean }) => mean)
  }

  it('shows the chosen bands and stretch, and resets them', async () => {
    const { page } = window
    await openImages()
    const usual = await colour()
    await button('Adjust').click()
    await page.getByLabel('Red band').selectOption('2')
    await page.getByLabel('Blue band').selectOption('2')
    await expect
      .poll(colour)
      .toSatisfy(([red, , blue]: number[]) => Math.abs(red - usual[1]) < 4 && Math.abs(blue - usual[1]) < 4)
    const grey = await colour()
    await page.getByLabel('Stretch').selectOption('0.05')
    await expect.poll(colour).toSatisfy(([, green]: number[]) => Math.abs(green - grey[1]) > 3)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect((await new AxeBuilder({ page }).setLegacyMode(true).analyze()).violations.map(({ id }) => id)).toEqual([])
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await button('Reset').click()
    await expect
      .poll(colour)
      .toSatisfy((again: number[]) => again.every((value, channel) => Math.abs(value - usual[channel]) < 2))
  })

  it('toggles the grid by a key', async () => {
    const { page } = window
    await openImages()
    await page.keyboard.press('k')
    await page.locator('.middle svg text').first().waitFor()
    const texts = await page.locator('.middle svg text').allTextContents()
    expect(texts.length).toBeGreaterThan(3)
    expect(texts.every((text) => Number.isFinite(Number(text)))).toBe(true)
    await page.keyboard.press('k')
    expect(await page.locator('.middle svg text').count()).toBe(0)
  })

  it('trains on and labels only the area that was drawn', async () => {
    const { page } = window
    await openImages()
    await more()
    await button('Draw').click()
    const box = (await page.locator('.stage').boundingBox())!
    const at = (x: number, y: number): [number, number] => [box.x + box.width * x, box.y + box.height * y]
    // The left half of the image, which is in the middle of the stage.
    for (const corner of [at(0.02, 0.02), at(0.5, 0.02), at(0.5, 0.98), at(0.02, 0.98)])
      await page.mouse.click(...corner)
    await page.keyboard.press('Enter')
    await page.getByText(/^area-.*geojson$/).waitFor()
    await button('Done').click()
    await more()
    await page.getByRole('combobox').first().selectOption('preview')
    await button('Train').click()
    await page.getByText('Clustering finished').waitFor()
    await button('Segment').click()
    await page.getByText(/^Segmented/).waitFor()
    const out = join(await temporaryFolder(), 'masks')
    // Smalti asks before it writes to a folder that was typed rather than chosen.
    await window.agree()
    await page.keyboard.press('Control+e')
    await page.getByLabel('Export format').selectOption('png')
    await page.getByLabel('Export folder').fill(out)
    await page
      .locator('.plan')
      .getByText(/^\d+ files?/)
      .waitFor()
    await button('Export').click()
    await page.getByText('(png).').waitFor()
    const [first] = (await readdir(join(out))).filter((name) => /scene-1.*\.png$/.test(name)).sort()
    const { data, info } = await sharp(await readFile(join(out, first)))
      .raw()
      .toBuffer({ resolveWithObject: true })
    const labelledIn = (from: number, to: number): number => {
      let count = 0
      for (let y = 0; y < info.height; y++)
        for (let x = from; x < to; x++) count += Number(data[(y * info.width + x) * info.channels] !== 255)
      return count / ((to - from) * info.height)
    }
    expect(labelledIn(0, Math.floor(0.48 * info.width))).toBeGreaterThan(0.99)
    expect(labelledIn(Math.ceil(0.52 * info.width), info.width)).toBe(0)
  })

  it('blinks labels, and stops', async () => {
    const { page } = window
    await openSegmented()
    await page.locator('main img').first().click()
    await colour()
    await page.keyboard.press('x')
    const first = (await colour()).map(Math.round).join()
    const rounded = async (): Promise<string> => (await colour()).map(Math.round).join()
    await expect.poll(rounded).not.toBe(first)
    await expect.poll(rounded).toBe(first)
    await page.keyboard.press('x')
    expect(await rounded()).toBe(await rounded())
  })

  it('merges clusters selected by a lasso on their map', async () => {
    const { page } = window
    await openSegmented()
    await page.getByText('Cluster map').click()
    const map = page.getByRole('img', { name: /Map of \d+ clusters/ })
    await map.scrollIntoViewIfNeeded()
    const { x, y, width, height } = (await map.boundingBox())!
    const rows = page.getByRole('list', { name: 'Classes' }).locator('.row')
    const before = await rows.count()
    // Everything in the left half.
    await page.mouse.move(x + 2, y + 2)
    await page.mouse.down()
    for (const [dx, dy] of [
      [0.5, 0.01],
      [0.5, 0.99],
      [0.01, 0.99]
    ])
      await page.mouse.move(x + dx * width, y + dy * height, { steps: 4 })
    await page.mouse.up()
    const selected = await page.locator('circle.selected').count()
    expect(selected).toBeGreaterThan(1)
    await page.keyboard.press('m')
    expect(await rows.count()).toBe(before - selected + 1)
    await page.keyboard.press('Control+z')
    expect(await rows.count()).toBe(before)
  })

  it('compares methods, each in its own run', async () => {
    const { page } = window
    await window.drop(images)
    await page.getByText('4 images').waitFor()
    await more()
    await page.getByText('Compare methods').click()
    for (const method of ['kmeans-bands', 'random-cnn'])
      await page.getByRole('checkbox', { name: method, exact: true }).check()
    await button('Train and segment with 2 methods').click()
    const runs = page.locator('ul[aria-label=Runs] li')
    await expect.poll(() => runs.count()).toBe(2)
    await page.getByText(/^Segmented/).waitFor()
    await expect
      .poll(async () => (await runs.allTextContents()).filter((text) => /\d segmented/.test(text)).length)
      .toBe(2)
    await page.getByText('Runs', { exact: true }).click()
    await runs.first().getByRole('button', { name: 'Evaluate quality' }).click()
    await page.getByText(/at least [\d.]+ nats/).waitFor()
    for (const method of ['kmeans-bands', 'random-cnn']) expect((await runs.allTextContents()).join()).toContain(method)
  })
})
