import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { drawScenes, smalti } from '../fixtures/commandLine.ts'
import {
  PREVIEW,
  apart,
  button,
  expectAccessible,
  fold,
  folder,
  names,
  openFirst,
  present,
  project,
  row,
  shown,
  trained,
  useProject,
  useWindow,
  window
} from '../fixtures/windowTests.ts'

describe.runIf(present)('the window with a project', () => {
  useWindow()
  useProject()

  it('shows what is wrong with recipe overrides, and accepts valid ones', async () => {
    const { page } = window
    await fold('1 · Train')
    await page.getByText('More settings').click()
    const field = page.getByLabel('Recipe overrides')
    await field.fill('{"radius": -1}')
    await field.blur()
    await page.getByRole('alert').getByText('radius').waitFor()
    expect(await button('Train again').isDisabled()).toBe(true)
    await expectAccessible()
    await page.getByRole('textbox', { name: 'Bands' }).fill('3, 9x')
    await page.getByRole('textbox', { name: 'Bands' }).blur()
    await page.getByRole('alert').getByText('Bands: enter a number').waitFor()
    await page.getByRole('textbox', { name: 'Bands' }).fill('')
    await page.getByRole('textbox', { name: 'Bands' }).blur()
    await window.answerDialog(join(folder, 'area.geojson'))
    await button('Load GeoJSON…').click()
    await page.getByText('area.geojson', { exact: true }).waitFor()
    await button('Clear').click()
    await field.fill('{"radius": 5}')
    await field.blur()
    await page.getByRole('alert').waitFor({ state: 'detached' })
    expect(await button('Train again').isEnabled()).toBe(true)
    await field.fill('')
    await field.blur()
    // The same through the recipe's own controls.
    await page.getByText('Recipe', { exact: true }).click()
    await page.getByLabel('Neighbourhood').fill('7')
    await page.getByLabel('Neighbourhood').blur()
    await page.getByLabel('Rotate by 90°').click()
    const changed = JSON.parse(await field.inputValue()) as { radius: number; views: object }
    expect([changed.radius, Object.keys(changed.views)]).toEqual([7, ['quarterTurns']])
    await expectAccessible()
    await page.getByLabel('Neighbourhood').fill('')
    await page.getByLabel('Neighbourhood').blur()
    await page.getByLabel('Rotate by 90°').click()
    expect(await field.inputValue()).toBe('')
    await page.getByText('Recipe', { exact: true }).click()
  })

  it('gives a preview in seconds', async () => {
    const { page } = window
    await fold('1 · Train')
    await page.getByRole('combobox').first().selectOption('preview')
    await button('Train again').click()
    await page.getByText('Clustering finished: 3 images').waitFor()
    await button('Segment').click()
    await page.getByText('Segmented 3 images').waitFor()
  })

  it('keeps earlier runs with their labels and classes, and returns to them', async () => {
    const { page } = window
    for (const command of [
      ['classes', project, '--rename', '1=Water & roads'],
      ['train', trained.images, '--project', project, ...PREVIEW, '--seed', '4'],
      ['segment', project]
    ])
      expect((await smalti(...command)).code).toBe(0)
    await window.drop(project)
    await expect.poll(names).toContain('Cluster 1')
    await openFirst()
    await fold('Runs')
    const runs = page.getByRole('list', { name: 'Runs' }).locator('.row')
    expect(await runs.count()).toBe(2)
    await expectAccessible()
    await runs.nth(0).press('F2')
    await page.getByLabel('Run name').fill('a first look')
    await page.keyboard.press('Enter')
    await runs.filter({ hasText: 'a first look' }).waitFor()
    await runs.filter({ hasText: 'run-0001' }).first().click()
    await row('Water & roads').waitFor()
    // Both runs on one image, on either side of the divider.
    await page.locator('main img').first().or(page.locator('.stage')).first().waitFor()
    await button('Compare').first().click()
    const line = page.getByRole('slider', { name: 'Comparison divider' })
    await line.waitFor()
    await line.press('End')
    const own = await shown()
    await line.press('Home')
    await expect.poll(async () => apart(own, await shown())).toBeGreaterThan(0.3)
    await expectAccessible()
    await button('Stop comparing').click()
    await line.waitFor({ state: 'detached' })
    await runs.filter({ hasText: 'a first look' }).first().click()
    await row('Cluster 8').waitFor()
    expect((await smalti('runs', project)).stdout).toMatch(
      /→ run-0002 {2}“a first look” {2}preview, 5 classes from 8 clusters, seed 4: .*\n {2}run-0001 /
    )
    const refused = await smalti('runs', project, '--use', 'run-0007')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('it has run-0002, run-0001')])
    // Classes are copied from one run to the other by place, and the other run is moved to the bin.
    await button('Copy classes from this run').click()
    await row('Water & roads').waitFor()
    await button('Undo').click()
    await row('Cluster 8').waitFor()
    await button('Move to bin').click()
    await runs.nth(1).waitFor({ state: 'detached' })
    expect(await readdir(join(project, 'runs'))).toEqual(['run-0002'])
  })

  it('refuses the project of other images, and a second job at the same time', async () => {
    const { page } = window
    const others = (await drawScenes(join(folder, 'others'), 1, 96)).images
    await window.drop(others)
    await page.getByText('1 image ·').waitFor()
    await window.answerDialog(project)
    await button('Change…').click()
    await page.getByRole('alert').getByText('belongs to different images').waitFor()
    await page.getByRole('button', { name: 'Dismiss' }).click()
    const own = join(folder, 'kept elsewhere')
    await window.answerDialog(own)
    await button('Change…').click()
    await page.getByTitle(own, { exact: true }).waitFor()
    await page.getByLabel('Classes', { exact: true }).fill('30')
    await page.getByRole('alert').getByText('Choose at most 20 classes').waitFor()
    expect(await button('Train').isDisabled()).toBe(true)
    await page.getByLabel('Classes', { exact: true }).fill('3')
    await button('Train').click()
    await page.getByText('left').first().waitFor()
    await window.drop(trained.images)
    await page.getByRole('alert').getByText('Training is in progress').waitFor()
    await button('Stop').click()
    await button('Stop').waitFor({ state: 'detached' })
    await window.drop(trained.images)
    await page.getByText('3 images').first().waitFor()
    await window.drop(others)
    await page.getByTitle(own, { exact: true }).waitFor()
    await window.drop(trained.images)
    await page.getByText('3 images').first().waitFor()
  })

  it('stays responsive while it trains, and pauses and stops', async () => {
    const { page, app } = window
    // The project remembers the settings of its last run, which used the preview preset.
    await fold('1 · Train')
    await page.getByText('More settings').click()
    await page.getByRole('combobox').first().selectOption('quick')
    await page.getByLabel('Steps').fill('')
    await page.getByLabel('Steps').blur()
    await page.getByLabel('Seed').fill('4')
    await page.getByLabel('Backend').selectOption('auto')
    await button('Train again').click()
    await page.getByText('left').first().waitFor()
    await page.getByRole('img', { name: /Separation during training/ }).waitFor()
    await page.getByText('preview so far').waitFor()
    await expectAccessible()
    await app.evaluate(async () => {
      const { monitorEventLoopDelay } = process.getBuiltinModule('node:perf_hooks')
      const monitor = monitorEventLoopDelay({ resolution: 5 })
      monitor.enable()
      Object.assign(globalThis, { monitor })
      return Promise.resolve()
    })
    const gaps = await page.evaluate(async () => {
      const times: number[] = []
      const until = performance.now() + 5000
      await new Promise<void>((resolve) => {
        const frame = (now: number): void => {
          times.push(now)
          if (now < until) requestAnimationFrame(frame)
          else resolve()
        }
        requestAnimationFrame(frame)
      })
      return times.slice(1).map((time, i) => time - times[i])
    })
    const delay = await app.evaluate(
      () => (globalThis as unknown as { monitor: { percentile(p: number): number } }).monitor.percentile(99) / 1e6
    )
    const frame = gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.99)]
    console.log(
      `while training: frame gap p99 ${frame.toFixed(1)} ms over ${gaps.length} frames, ` +
        `main process delay p99 ${delay.toFixed(1)} ms`
    )
    // How smooth this is depends on the machine, and a benchmark measures it. Here, something must be drawn at all.
    expect(gaps.length).toBeGreaterThan(1)

    const answered = async (name: string, sign: () => Promise<void>): Promise<number> => {
      const started = performance.now()
      await button(name).click()
      await sign()
      return performance.now() - started
    }
    const pausing = await answered('Pause', () => page.getByText(/Pausing…|Paused/).waitFor())
    await page.getByText('Paused').waitFor()
    // Progress that was under way has arrived by now, and nothing follows it.
    const progress = (): Promise<string | null> => page.getByRole('progressbar').first().getAttribute('value')
    const held = await progress()
    await page.evaluate(async () => {
      for (let frame = 0; frame < 60; frame++) await new Promise((done) => requestAnimationFrame(done))
    })
    expect(await progress()).toBe(held)
    await button('Resume').click()
    await expect.poll(progress).not.toBe(held)
    const stopping = await answered('Stop', () =>
      page.getByText('Stopping…').or(button('Continue training')).first().waitFor()
    )
    console.log(`pause answered in ${pausing.toFixed(0)} ms, stop in ${stopping.toFixed(0)} ms`)
    await button('Continue training').waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })
})
