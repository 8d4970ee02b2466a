import { type BrowserWindow, type Rectangle, screen } from 'electron'
import { z } from 'zod'
import { keep, kept } from './kept.ts'

const DEFAULT = { width: 1360, height: 860 }
const rectangle = z.object({ x: z.int(), y: z.int(), width: z.int().min(400), height: z.int().min(300) })
const WINDOW = 'window.json'

/** Returns the window's last bounds, if still on a screen, and a function that keeps them up to date. */
export const rememberBounds = (): { bounds: Partial<Rectangle>; follow(window: BrowserWindow): void } => ({
  bounds: load(),
  follow: (window) => void window.on('close', () => keep(WINDOW, window.getNormalBounds()))
})

function load(): Partial<Rectangle> {
  const bounds = kept(WINDOW, rectangle)
  const visible =
    bounds &&
    screen.getAllDisplays().some(({ workArea: area }) => {
      const across = Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x)
      const down = Math.min(bounds.y + bounds.height, area.y + area.height) - Math.max(bounds.y, area.y)
      return across > 100 && down > 100
    })
  return visible ? bounds : DEFAULT
}
