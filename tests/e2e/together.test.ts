import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { drawScenes, smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, electronPath, openWindow } from '../fixtures/window.ts'

const present = electronPath() !== undefined
if (!present) console.warn('NOT TESTED: Electron is not installed here')

describe.runIf(present)('several programs on one project', () => {
  let images: string
  let project: string
  const windows: Window[] = []
  beforeAll(async () => {
    const folder = await temporaryFolder()
    images = (await drawScenes(join(folder, 'scenes'), 2, 128)).images
    project = join(folder, 'p.smalti')
    expect(
      (await smalti('train', images, '--project', project, '--classes', '3', '--over', '8', '--preset', 'preview')).code
    ).toBe(0)
    expect((await smalti('segment', project)).code).toBe(0)
  })
  afterEach(async () => {
    for (const window of windows.splice(0)) await window.close()
  })

  /** Opens a project in a new window. */
  async function windowOn(path: string): Promise<Window> {
    const window = await openWindow()
    windows.push(window)
    await window.drop(path)
    await rows(window).first().waitFor()
    return window
  }

  const rows = ({ page }: Window) => page.getByRole('list', { name: 'Classes' }).locator('.row')
  async function merge(window: Window, first: number, second: number): Promise<void> {
    await rows(window).nth(first).click()
    await rows(window)
      .nth(second)
      .click({ modifiers: ['Control'] })
    await window.page.getByRole('button', { name: 'Merge', exact: true }).click()
  }

  it('keeps the classes of one window when another edits them, and reloads them there with a notice', async () => {
    const [one, other] = [await windowOn(project), await windowOn(project)]
    const before = await rows(one).count()
    await merge(one, 0, 1)
    await expect.poll(() => rows(one).count()).toBe(before - 1)
    await merge(other, 2, 3)
    await other.page.getByText('were changed elsewhere').waitFor()
    // The other window shows these classes; its own edit had the same number of classes, but different ones.
    const names = (window: Window): Promise<string[]> => rows(window).locator('.name').allTextContents()
    await expect.poll(() => names(other)).toEqual(await names(one))
    await merge(other, 2, 3)
    await expect.poll(() => rows(other).count()).toBe(before - 2)
    const { stdout } = await smalti('classes', project, '--json')
    expect((JSON.parse(stdout) as { scheme: { classes: unknown[] } }).scheme.classes).toHaveLength(before - 2)
  })

  it('refuses a second training of the same project, and still allows reading it', async () => {
    const second = join(await temporaryFolder(), 'copy.smalti')
    await cp(project, second, { recursive: true })
    const { page } = await windowOn(second)
    await page.getByTitle(second, { exact: true }).waitFor()
    await page
      .getByRole('button', { name: /1 · Train/i })
      .or(page.getByText('1 · Train'))
      .first()
      .click()
    await page.getByLabel('Preset').first().selectOption('quick')
    await page.getByLabel('Time limit (min)').first().fill('0.3')
    await page.getByRole('button', { name: /^(Train|Train again)$/ }).click()
    await page.getByText('left').first().waitFor()
    const train = await smalti(
      'train',
      images,
      '--project',
      second,
      '--classes',
      '4',
      '--over',
      '9',
      '--preset',
      'preview'
    )
    expect([train.code, train.stderr]).toEqual([2, expect.stringContaining('is open in another Smalti')])
    const [described, exported] = await Promise.all([
      smalti('describe', second),
      smalti('export', second, '--out', join(second, '..', 'out'))
    ])
    expect([described.code, exported.code, described.stderr, exported.stderr].slice(0, 2)).toEqual([0, 0])
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await page
      .getByRole('button', { name: /^(Train|Continue training|Train again)$/ })
      .and(page.locator(':enabled'))
      .waitFor()
  })
})
