/**
 * Measures the window on a large scene, in real Electron: `npm run bench -- window [side]`. A scene is generated, with
 * overviews if GDAL is available, segmented after a short preview, and viewed as a person would.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { smalti, temporaryFolder } from '../fixtures/commandLine.ts'
import { type Window, openWindow } from '../fixtures/window.ts'
import { writeScene } from './scene.ts'

const side = Number(process.argv[2] ?? 20_000)
const folder = process.env.SMALTI_BENCH_FOLDER ?? (await temporaryFolder())
const project = join(folder, 'scene.smalti')
const say = (what: string, value: string): void => console.log(`${what.padEnd(58)} ${value}`)
const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]

async function scenes(): Promise<{ plain: string; tiled: string | undefined }> {
  const [plain, tiled] = ['plain', 'overviews'].map((name) => join(folder, name))
  await mkdir(plain, { recursive: true })
  await mkdir(tiled, { recursive: true })
  await writeScene(join(plain, 'scene.tif'), side)
  await copyFile(join(plain, 'scene.tif'), join(tiled, 'scene.tif'))
  const made = spawnSync('/usr/bin/python3', [
    '-c',
    `from osgeo import gdal; gdal.SetConfigOption('COMPRESS_OVERVIEW','DEFLATE'); d=gdal.Open(${JSON.stringify(join(tiled, 'scene.tif'))},1); d.BuildOverviews('AVERAGE',[2,4,8,16,32])`
  ])
  return { plain, tiled: made.status === 0 ? tiled : undefined }
}

/** Returns the gaps between frames, in milliseconds, during some work. */
async function frames(page: Page, work: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const times: number[] = []
    Object.assign(globalThis, { times, counting: true })
    const frame = (now: number): void => {
      times.push(now)
      if ((globalThis as unknown as { counting: boolean }).counting) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  await work()
  const times = await page.evaluate(() => {
    const state = globalThis as unknown as { times: number[]; counting: boolean }
    state.counting = false
    return state.times
  })
  return times.slice(1).map((time, i) => time - times[i])
}

/** Milliseconds from an action until the frame that shows it, measured by the page. */
const untilDrawn = (page: Page, key: string): Promise<number> =>
  page.evaluate(async (pressed) => {
    const began = performance.now()
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: pressed, bubbles: true }))
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    return performance.now() - began
  }, key)

async function firstPicture(
  { page, answerDialog }: Window,
  images: string
): Promise<{ coarse: number; progress: number; whole: number }> {
  await answerDialog(images)
  await page.keyboard.press('Control+o')
  await page.locator('main img').first().waitFor({ timeout: 120_000 })
  const began = Date.now()
  const answered: number[] = []
  page.on(
    'response',
    (response) => void (response.url().startsWith('smalti://tile') && answered.push(Date.now() - began))
  )
  await page.locator('main img').first().click()
  await page
    .getByRole('progressbar')
    .waitFor({ timeout: 10_000 })
    .catch(() => undefined)
  const progress = Date.now() - began
  await page.getByRole('progressbar').waitFor({ state: 'detached', timeout: 300_000 })
  page.removeAllListeners('response')
  return { coarse: answered[0] ?? Number.NaN, progress, whole: Date.now() - began }
}

// Scenes and labels of an earlier run are used again.
const isNew = !existsSync(project)
/** Measures the memory of the picture server while one scene after the other is viewed. */
async function manyScenes({ page, app, answerDialog }: Window): Promise<void> {
  const many = join(folder, 'many')
  await mkdir(many, { recursive: true })
  for (let i = 0; i < SCENES; i++)
    if (!existsSync(join(many, `${i}.tif`))) await writeScene(join(many, `${i}.tif`), MANY_SIDE, i + 1)
  await answerDialog(many)
  await page.keyboard.press('Control+o')
  await page.getByText(`${SCENES} images`).waitFor({ timeout: 60_000 })
  await page.locator('main img').first().click()
  const memory: number[] = []
  for (let i = 0; i < SCENES; i++) {
    await page.locator('header .path', { hasText: `${i}.tif` }).waitFor()
    await page.waitForTimeout(500)
    await page.waitForFunction(() => !document.querySelector('[role=progressbar]'), undefined, { timeout: 60_000 })
    for (let zoom = 0; zoom < 6; zoom++) await page.keyboard.press('+')
    await page.waitForTimeout(1500)
    memory.push(await picturesMemory(app))
    await page.keyboard.press('ArrowRight')
  }
  say(
    `picture server after 1 … ${SCENES} scenes of ${MANY_SIDE}²`,
    `${memory.map((mebibytes) => mebibytes.toFixed(0)).join(', ')} MiB`
  )
}
const [SCENES, MANY_SIDE] = [10, 6000]

const picturesMemory = (app: Window['app']): Promise<number> =>
  app.evaluate(
    ({ app: running }) =>
      (running.getAppMetrics().find(({ name }) => name === 'Smalti pictures')?.memory.workingSetSize ?? 0) / 1024
  )

/** Measures how soon the picture server rests after the viewer leaves a scene that has to be read as a whole. */
async function abandoned({ page, app, answerDialog }: Window, images: string, small: string): Promise<void> {
  await answerDialog(images)
  await page.keyboard.press('Control+o')
  await page.locator('main img').first().waitFor({ timeout: 60_000 })
  await page.locator('main img').first().click()
  await page.waitForTimeout(2500)
  const busy = await processorShare(app)
  await page.keyboard.press('Escape')
  await answerDialog(small)
  await page.keyboard.press('Control+o')
  await page.getByRole('heading', { name: 'small' }).waitFor()
  await page.waitForTimeout(300)
  await processorShare(app)
  await page.waitForTimeout(1000)
  say(
    'processor of the picture server before, 0.3 to 1.3 s after',
    `${busy.toFixed(0)} %, ${(await processorShare(app)).toFixed(0)} %`
  )
}
const processorShare = (app: Window['app']): Promise<number> =>
  app.evaluate(
    ({ app: running }) =>
      running.getAppMetrics().find(({ name }) => name === 'Smalti pictures')?.cpu.percentCPUUsage ?? 0
  )

const { plain, tiled } = isNew ? await scenes() : { plain: join(folder, 'plain'), tiled: join(folder, 'overviews') }
say(`A scene of ${side} × ${side} pixels`, folder)
const began = Date.now()
for (const command of !isNew
  ? []
  : [
      ['train', plain, '--project', project, '--preset', 'preview', '--minutes', '0.5'],
      ['segment', project]
    ]) {
  const { code, stderr } = await smalti(...command)
  if (code !== 0) throw new Error(stderr)
}
say('trained and segmented in', `${Math.round((Date.now() - began) / 1e3)} s`)

const window = await openWindow()
const { page, app } = window
await page.getByText('Drop images or folders here').waitFor()
await page.waitForTimeout(1000)
try {
  for (const [name, images] of [
    ['with overviews', tiled],
    ['without overviews', plain]
  ] as const) {
    if (!images) continue
    if (images === plain)
      await page.evaluate(
        ([path, kept]) =>
          (
            globalThis as unknown as { smalti: { rememberProject(images: string, project: string): Promise<void> } }
          ).smalti.rememberProject(path, kept),
        [images, project]
      )
    const { coarse, progress, whole } = await firstPicture(window, images)
    say(`first picture ${name}: first tile, progress, all in sight`, `${coarse} ms, ${progress} ms, ${whole} ms`)
  }
  let tiles = 0
  page.on('request', (request) => void (/^smalti:\/\/(tile|labels)/.test(request.url()) && tiles++))
  const box = (await page.locator('.stage').boundingBox())!
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  const gaps = await frames(page, async () => {
    await page.mouse.move(x, y)
    for (let i = 0; i < 12; i++) {
      await page.mouse.wheel(0, -150)
      await page.waitForTimeout(60)
    }
    for (let i = 0; i < 6; i++) {
      await page.mouse.down()
      await page.mouse.move(x - 300, y + 80 * (i % 3), { steps: 20 })
      await page.mouse.up()
      await page.mouse.move(x, y)
    }
    for (let i = 0; i < 12; i++) {
      await page.mouse.wheel(0, 150)
      await page.waitForTimeout(60)
    }
  })
  say(
    'pan and zoom: frame gaps p50, p95, p99',
    `${[0.5, 0.95, 0.99].map((share) => percentile(gaps, share).toFixed(1)).join(', ')} ms over ${gaps.length} frames, ${tiles} tiles`
  )
  await page.waitForTimeout(2000)
  const rows = page.getByRole('list', { name: 'Classes' }).locator('.row')
  await rows.nth(0).click()
  await rows.nth(1).click({ modifiers: ['Control'] })
  tiles = 0
  say('merge, until it is drawn', `${(await untilDrawn(page, 'm')).toFixed(0)} ms`)
  say('hide, until it is drawn', `${(await untilDrawn(page, 'h')).toFixed(0)} ms`)
  say('tiles asked for meanwhile', String(tiles))
  await page.keyboard.press('d')
  const painting = Date.now()
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.mouse.move(x + 100, y + 50, { steps: 5 })
  await page.mouse.up()
  await page.getByRole('progressbar').waitFor({ state: 'detached' })
  await page.waitForFunction(() => !document.querySelector('[role=progressbar]'))
  say('a stroke of the brush, kept and shown', `${Date.now() - painting} ms`)
  await page.keyboard.press('Escape')
  await manyScenes(window)
  const small = join(folder, 'small')
  await mkdir(small, { recursive: true })
  await writeScene(join(small, 'scene.tif'), 512)
  await abandoned(window, plain, small)
  const processes = await app.evaluate(({ app: running }) =>
    running
      .getAppMetrics()
      .map(({ name, type, memory }) => `${name ?? type} ${Math.round(memory.workingSetSize / 1024)} MiB`)
  )
  say('memory', processes.join(', '))
} finally {
  await window.close()
}
