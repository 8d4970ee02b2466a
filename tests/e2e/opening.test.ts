import { cp, mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { drawScenes, smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, electronPath, openWindow } from '../fixtures/window.ts'

const present = electronPath() !== undefined
if (!present) console.warn('NOT TESTED: Electron is not installed here')

describe.runIf(present)('opening, working by keyboard, and closing', () => {
  let folder: string
  let window: Window
  /** Two folders of images, and a project trained on both. */
  let sides: string[]
  let trained: string
  beforeAll(async () => {
    const own = await temporaryFolder()
    sides = await Promise.all(['east', 'west'].map(async (name) => (await drawScenes(join(own, name), 2, 96)).images))
    trained = join(own, 'both.smalti')
    expect(
      (await smalti('train', ...sides, '--project', trained, '--preset', 'preview', '--minutes', '0.1')).code
    ).toBe(0)
  })
  beforeEach(async () => {
    folder = await temporaryFolder()
    window = await openWindow()
  })
  afterEach(() => window.close())

  const button = (name: string) => window.page.getByRole('button', { name, exact: true })
  const rows = () => window.page.getByRole('list', { name: 'Classes' }).locator('.row')
  /** Presses Tab until the element with this name has the focus. */
  async function tabTo(name: string | RegExp): Promise<void> {
    for (let i = 0; i < 80; i++) {
      await window.page.keyboard.press('Tab')
      const found = await window.page.evaluate(() => {
        const element = document.activeElement as HTMLElement | null
        return [
          element?.getAttribute('aria-label'),
          element?.textContent?.trim(),
          (element as HTMLInputElement | null)?.labels?.[0]?.textContent?.trim()
        ]
          .filter(Boolean)
          .join(' | ')
      })
      if (typeof name === 'string' ? found.split(' | ').includes(name) : name.test(found)) return
    }
    throw new Error(`Tab does not reach ${name}`)
  }

  it('opens the sample images', async () => {
    const { page } = window
    await tabTo('Try sample images')
    await page.keyboard.press('Enter')
    await page.getByText('4 images').waitFor()
  })

  it('opens several folders as one project, finds it again, and opens a project by its own folder', async () => {
    const { page } = window
    await window.answerDialog(...sides)
    await page.keyboard.press('Control+o')
    await page.getByText('4 images').waitFor()
    await page.getByRole('heading', { name: 'images, images' }).waitFor()
    await page.getByLabel('Seed').waitFor({ state: 'attached' })
    await window.drop(sides[0], sides[0], join(sides[0], 'scene 1.png'))
    await page.getByRole('heading', { name: 'images', exact: true }).waitFor()
    await page.getByText('2 images').first().waitFor()
    await window.drop(trained)
    await page.getByTitle(trained, { exact: true }).waitFor()
    await button('Train again').waitFor()
    await window.drop(...sides)
    await page.getByTitle(trained, { exact: true }).waitFor()
    await button('Segment').and(page.locator(':enabled')).waitFor()
    expect(await page.locator('main img').count()).toBe(4)
  })

  it('segments, merges, renames, paints, undoes and exports by keyboard alone', async () => {
    const { page } = window
    const project = join(folder, 'own.smalti')
    await cp(trained, project, { recursive: true })
    await window.drop(project)
    await button('Segment').and(page.locator(':enabled')).waitFor()
    await page.keyboard.press('Control+g')
    await page.getByText('Segmented 4 images').waitFor()
    await page.locator('.stage').waitFor()
    const before = await rows().count()
    await tabTo(/^Cluster 1( |\d|$)/)
    await page.keyboard.press('Enter')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Space')
    await page.keyboard.press('m')
    await rows()
      .nth(before - 1)
      .waitFor({ state: 'detached' })
    await page.keyboard.press('F2')
    await page.keyboard.type('Forest')
    await page.keyboard.press('Enter')
    await rows().filter({ hasText: 'Forest' }).waitFor()
    await page.keyboard.press('d')
    for (const key of ['ArrowRight', 'ArrowRight', 'Enter', 'Shift+ArrowDown', 'Enter']) await page.keyboard.press(key)
    await page.keyboard.press('p')
    for (const key of ['Enter', 'Shift+ArrowLeft', 'Enter', 'Shift+ArrowUp', 'Enter', 'Shift+Enter'])
      await page.keyboard.press(key)
    const history = (): Promise<string[]> =>
      smalti('classes', project, '--json').then(({ stdout }) => (JSON.parse(stdout) as { steps: string[] }).steps)
    await expect
      .poll(async () => (await history()).filter((step) => /^(Paint|Draw|Rename|Merge)/.test(step)).length)
      .toBeGreaterThanOrEqual(4)
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Escape')
    const out = join(folder, 'by keys')
    await window.agree()
    await page.keyboard.press('Control+e')
    await tabTo('Export folder')
    await page.keyboard.press('Control+a')
    await page.keyboard.type(out)
    await page
      .locator('.plan')
      .getByText(/^\d+ files/)
      .waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Exported ').waitFor()
    expect((await readdir(out, { recursive: true })).filter((name) => name.endsWith('.tif'))).toHaveLength(4)
  })

  it('asks before it quits during training, and keeps what was learnt', async () => {
    const { page, app } = window
    const images = (await drawScenes(join(folder, 'long'), 2, 128)).images
    await mkdir(join(folder, 'long'), { recursive: true })
    await window.drop(images)
    await page.getByText('2 images').first().waitFor()
    const project = await page.evaluate(
      (path) =>
        (
          globalThis as unknown as { smalti: { projectFolderFor(images: string): Promise<string> } }
        ).smalti.projectFolderFor(path),
      images
    )
    await button('Train').click()
    await page.getByText('left').first().waitFor()
    const asked = await app.evaluate(async ({ BrowserWindow, dialog }) => {
      const questions: string[] = []
      dialog.showMessageBox = ((_: unknown, options: { detail: string }) => {
        questions.push(options.detail)
        return Promise.resolve({ response: questions.length === 1 ? 1 : 0 })
      }) as never
      const [own] = BrowserWindow.getAllWindows()
      own.close()
      while (questions.length === 0) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
      const still = !own.isDestroyed()
      return { questions, still }
    })
    expect(asked).toEqual({ questions: [expect.stringContaining('Training is in progress')], still: true })
    const closed = app.waitForEvent('close')
    await app.evaluate(({ BrowserWindow }) => void BrowserWindow.getAllWindows()[0].close())
    await closed
    const { run } = JSON.parse(await readFile(join(project, 'project.json'), 'utf8')) as { run: string }
    expect(run).toBe('run-0001')
    expect((await smalti('runs', project)).stdout).toMatch(/unfinished/)
  })
})
