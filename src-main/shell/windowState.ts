import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserWindow, type Rectangle, app, screen } from 'electron'
import { z } from 'zod'

const DEFAULT = { width: 1360, height: 860 }
const rectangle = z.object({ x: z.int(), y: z.int(), width: z.int().min(400), height: z.int().min(300) })

/** The window's last place, if it still lies on a screen, and a way to keep it. */
export function rememberBounds(): { bounds: Partial<Rectangle>; follow(window: BrowserWindow): void } {
  const path = join(app.getPath('userData'), 'window.json')
  return {
    bounds: load(path),
    follow(window) {
      window.on('close', () => {
        const temporary = `${path}.partial`
        writeFileSync(temporary, JSON.stringify(window.getNormalBounds()))
        renameSync(temporary, path)
      })
    }
  }
}

function load(path: string): Partial<Rectangle> {
  try {
    const bounds = rectangle.parse(JSON.parse(readFileSync(path, 'utf8')))
    const visible = screen.getAllDisplays().some(({ workArea: area }) => {
      const across = Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x)
      const down = Math.min(bounds.y + bounds.height, area.y + area.height) - Math.max(bounds.y, area.y)
      return across > 100 && down > 100
    })
    return visible ? bounds : DEFAULT
  } catch {
    // No file yet, or one that an older version wrote: the default place serves.
    return DEFAULT
  }
}
