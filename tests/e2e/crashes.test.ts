import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { drawScenes, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, drawn, electronPath, openWindow } from '../fixtures/window.ts'

const present = electronPath() !== undefined
if (!present) console.warn('NOT TESTED: Electron is not installed here')

describe.runIf(present)('a window whose processes are killed', () => {
  let images: string
  let window: Window
  beforeEach(async () => {
    images = (await drawScenes(join(await temporaryFolder(), 'scenes'), 3, 160)).images
    window = await openWindow()
    await window.drop(images)
    await window.page.getByText('3 images').first().waitFor()
    await window.page.locator('main img').first().waitFor()
  })
  afterEach(() => window.close())

  const idOf = (service: string): Promise<number | undefined> =>
    window.app.evaluate(({ app }, name) => app.getAppMetrics().find((process) => process.name === name)?.pid, service)

  it('renders pictures again after the picture server is killed', async () => {
    const server = (await idOf('Smalti pictures'))!
    process.kill(server, 'SIGSTOP')
    const answers = window.page.evaluate(() =>
      Promise.all(
        [...document.querySelectorAll<HTMLImageElement>('main img')].flatMap(({ src }) =>
          [1, 2, 3].map((time) => fetch(`${src}&time=${time}`).then(({ status }) => status))
        )
      )
    )
    // The requests are sent before the page continues; only the answers are missing.
    await drawn(window.page)
    process.kill(server, 'SIGKILL')
    expect(await answers).toEqual(Array(9).fill(200))
    expect(await idOf('Smalti pictures')).not.toBe(server)
  })

  it('reports that the engine stopped, keeps what was learnt, and continues with a new engine', async () => {
    const { page } = window
    const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true })
    await page.getByLabel('Time limit (min)').first().fill('0.15')
    await button('Train').click()
    await page.getByText('left').first().waitFor()
    await window.drop(images)
    await page.getByText('is in progress').waitFor()
    process.kill((await idOf('Smalti engine'))!, 'SIGKILL')
    await page.getByText('The engine stopped unexpectedly').waitFor()
    expect(await page.getByText('is in progress').count()).toBe(0)
    await button(/^(Train|Continue training|Train again)$/).click()
    await button('Segment').and(page.locator(':enabled')).waitFor()
    await button('Segment').click()
    await page.getByText('Segmented 3 images').waitFor()
  })
})
