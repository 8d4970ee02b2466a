import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { smalti } from '../fixtures/commandLine.ts'
import {
  apart,
  button,
  expectAccessible,
  folder,
  list,
  names,
  openFirst,
  present,
  project,
  row,
  shown,
  useProject,
  useWindow,
  window
} from '../fixtures/windowTests.ts'

describe.runIf(present)('the window with a project', () => {
  useWindow()
  useProject()

  it('paints the overlay in the colours of its classes, at the chosen opacity', async () => {
    const { page } = window
    await openFirst()
    await page.getByLabel('Opacity').fill('0')
    const bare = await shown()
    await page.getByLabel('Opacity').fill('1')
    const covered = await shown()
    expect(apart(bare, covered)).toBeGreaterThan(10)
    await page.locator('.stage').hover({ position: { x: 5, y: 5 } })
    await page.keyboard.down('Space')
    await expect.poll(async () => apart(bare, await shown())).toBeLessThan(2)
    await page.keyboard.up('Space')
    await expect.poll(async () => apart(covered, await shown())).toBeLessThan(2)
  })

  it('merges, renames, hides and cuts classes at once, undoes it, and keeps it after a restart', async () => {
    const { page } = window
    await openFirst()
    let tiles = 0
    page.on('request', (request) => void (request.url().startsWith('smalti://labels') && tiles++))
    expect(await names()).toEqual(Array.from({ length: 8 }, (_, k) => `Cluster ${k + 1}`))
    await row('Cluster 2').click()
    await row('Cluster 5').click({ modifiers: ['Control'] })
    await expectAccessible()
    await page.emulateMedia({ colorScheme: 'dark' })
    await expectAccessible()
    await page.emulateMedia({ colorScheme: 'light' })
    await page.keyboard.press('m')
    expect(await names()).toHaveLength(7)
    await row('Cluster 2').press('F2')
    await page.getByLabel('Class name').fill('Water & roads')
    await page.keyboard.press('Enter')
    await row('Water & roads').waitFor()
    // The overlay follows within a frame or two, and loads no tiles.
    await page.getByLabel('Colour of Water & roads').fill('#ff0000')
    await page.getByLabel('Number of classes').fill('2')
    expect(await names()).toHaveLength(2)
    await button('Undo').click()
    expect(await names()).toHaveLength(7)
    await button('Redo').click()
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Control+Shift+z')
    expect(await names()).toContain('Water & roads')
    await row('Cluster 1').click()
    const before = await shown(0.5)
    await page.keyboard.press('h')
    await page.locator('.stage').hover({ position: { x: 5, y: 5 } })
    expect((await row('Cluster 1').textContent())!).toContain('hidden')
    expect(before).toHaveLength(3)
    expect(tiles).toBe(0)
    await button('History').click()
    const steps = page.getByRole('list').filter({ hasText: 'Original clusters' }).getByRole('button')
    expect(await steps.allTextContents()).toEqual([
      'Original clusters',
      'Merge Cluster 2 and Cluster 5',
      'Rename Cluster 2 to Water & roads',
      'Recolour Water & roads',
      'Hide Cluster 1'
    ])
    await expectAccessible()
    await button('History').click()
    const listed = await list().locator('.row').allTextContents()

    // The command line sees the same classes, and its edits are detected here.
    const told = JSON.parse((await smalti('classes', project, '--json')).stdout) as {
      scheme: { classes: { name: string }[] }
      steps: string[]
    }
    expect([told.scheme.classes.map(({ name }) => name), told.steps.length]).toEqual([await names(), 5])
    await smalti('classes', project, '--rename', '3=Elsewhere')
    await row('Cluster 4').click()
    await page.keyboard.press('i')
    await page.getByRole('alert').getByText('were changed elsewhere').waitFor()
    await row('Elsewhere').waitFor()
    await smalti('classes', project, '--undo')
    await window.drop(project)
    await page.locator('main img').first().waitFor()
    expect(await list().locator('.row').allTextContents()).toEqual(listed)
  })

  it('lists all commands, says why one is unavailable, and runs them from the menu and by key', async () => {
    const { page, app } = window
    await openFirst()
    await page.keyboard.press('Control+k')
    const sought = page.getByRole('combobox', { name: 'Find a command' })
    await sought.fill('outl')
    await expectAccessible()
    await page.keyboard.press('Enter')
    await sought.waitFor({ state: 'detached' })
    expect(await button('Outlines').getAttribute('aria-pressed')).toBe('true')
    await app.evaluate(({ Menu, BrowserWindow }) =>
      Menu.getApplicationMenu()!.getMenuItemById('outlines')!.click(undefined, BrowserWindow.getAllWindows()[0])
    )
    await page.locator('[aria-pressed=false]', { hasText: 'Outlines' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.locator('main img').first().waitFor()
    await page.keyboard.press('Control+k')
    await sought.fill('zoom to fit')
    await page
      .getByRole('option', { name: /Zoom to fit/ })
      .getByText('Open an image first.')
      .waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor()
    await expectAccessible()
    await button('Close').click()
    await page.locator('main img').first().click()
    await page.keyboard.press('ArrowRight')
    await page.locator('header .path', { hasText: 'scene 1.png' }).waitFor()
    await page.keyboard.press('ArrowLeft')
  })

  it('finds images by name, moves between them by arrow keys, and returns to the last one', async () => {
    const { page } = window
    await openFirst()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    const focused = (): Promise<string | undefined> =>
      page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.path)
    await page.locator('main img').first().waitFor()
    expect(await focused()).toBe('north/scene 0.png')
    await page.keyboard.press('ArrowRight')
    expect(await focused()).toBe('scene 1.png')
    await page.keyboard.press('End')
    expect(await focused()).toBe('scene 2.png')
    await page.keyboard.press('Enter')
    await page.locator('header .path', { hasText: 'scene 2.png' }).waitFor()
    await page.keyboard.press('Escape')
    await page.locator('main img').first().waitFor()
    expect(await focused()).toBe('scene 2.png')
    await page.getByLabel('Find images by name').fill('north')
    expect(await page.locator('main img').count()).toBe(1)
    await page.getByText('1 of 3').waitFor()
    await expectAccessible()
    await page.getByLabel('Find images by name').fill('nothing')
    await page.getByText('No matches').waitFor()
    await page.getByLabel('Find images by name').fill('')
    await expect.poll(() => page.locator('main img').count()).toBe(3)
  })

  it('groups whole images', async () => {
    const { page } = window
    const out = join(folder, 'groups')
    await page.getByText('Group images', { exact: true }).click()
    await page.getByLabel('Groups', { exact: true }).fill('2')
    const minutes = page
      .getByRole('group')
      .filter({ has: page.getByLabel('Groups', { exact: true }) })
      .getByLabel('Time limit (min)')
    await minutes.fill('0.1')
    await expectAccessible()
    await button('Group').click()
    await page.getByText('Grouped 3 images into 2 groups').waitFor()
    await expectAccessible()
    const images = page.locator('main [data-path]')
    expect(await images.count()).toBe(3)
    const path = (await images.first().getAttribute('data-path'))!
    const groupOf = async (): Promise<string | undefined> => {
      await window.answerDialog(out)
      await button('Export table…').click()
      await page.getByText('Exported 2 files').waitFor()
      await button('Dismiss').first().click()
      return (await readFile(join(out, 'groups.csv'), 'utf8'))
        .split('\r\n')
        .find((row) => row.startsWith(path))
        ?.split(',')[2]
    }
    await button('New group').click()
    await button('New group 1').click()
    await page.getByLabel('Group name').fill('Odd ones')
    await page.keyboard.press('Enter')
    await images.first().dragTo(page.getByText('0 images'))
    await page.getByRole('heading', { name: 'Odd ones' }).waitFor()
    expect(await groupOf()).toBe('Odd ones')
    await page.keyboard.press('Control+z')
    expect(await groupOf()).not.toBe('Odd ones')
    await page.locator(`main [data-path="${path}"]`).click()
    await page.getByLabel('Move selected images').selectOption({ label: 'Odd ones' })
    expect(await groupOf()).toBe('Odd ones')
    await button('Map').click()
    const map = page.getByLabel('Map of 3 images')
    const { width, height } = (await map.boundingBox())!
    await expectAccessible()
    await map.hover({ position: { x: 5, y: 5 } })
    await page.mouse.down()
    for (const [x, y] of [
      [width - 5, 5],
      [width - 5, height - 5],
      [5, height - 5]
    ])
      await map.hover({ position: { x, y }, force: true })
    await page.mouse.up()
    await page.getByLabel('Move selected images').selectOption({ label: 'Odd ones' })
    await button('Map').click()
    await page.getByText('3 images', { exact: true }).waitFor()
    await page.keyboard.press('Control+z')
    await page.getByLabel('Merge Odd ones into').selectOption({ label: 'Group 1' })
    expect(await groupOf()).toBe('Group 1')
  })
})
