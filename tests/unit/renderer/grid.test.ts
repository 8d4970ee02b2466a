import { describe, expect, it } from 'vitest'
import { type Placement, gridLines } from '../../../src-renderer/viewer/canvas/grid.ts'

const screen = { width: 800, height: 600 }
const northUp: Placement = { origin: { x: 500_000.5, y: 5_000_999.5 }, column: { x: 1, y: 0 }, row: { x: 0, y: -1 } }

describe('the grid', () => {
  it('has lines at round coordinates, in their place on screen', () => {
    const lines = gridLines(northUp, { x: 10, y: 20, scale: 0.5 }, screen)
    const west = lines.filter(({ axis }) => axis === 'x')
    // 500 000 is the left edge of the first pixel. Lines 250 m apart would be too close; 500 m are 250 screen pixels.
    expect(west.map(({ text }) => text)).toEqual(['500000', '500500', '501000', '501500'])
    expect(west.map(({ from, to }) => [from.x, to.x, from.y, to.y])).toEqual([
      [10, 10, 0, 600],
      [260, 260, 0, 600],
      [510, 510, 0, 600],
      [760, 760, 0, 600]
    ])
    const north = lines.filter(({ axis, text }) => axis === 'y' && text === '5001000')
    expect(north[0].from).toEqual({ x: 0, y: 20 })
  })
  it('writes degrees with as many digits as the step needs', () => {
    const degrees = { origin: { x: 8.5, y: 47.2 }, column: { x: 1e-5, y: 0 }, row: { x: 0, y: -1e-5 } }
    expect(
      gridLines(degrees, { x: 0, y: 0, scale: 1 }, screen)
        .filter(({ axis }) => axis === 'x')
        .map(({ text }) => text)
    ).toEqual(['8.500', '8.502', '8.504', '8.506'])
  })
  it('follows a rotated image: each line passes through the pixels of its coordinate', () => {
    const turn = Math.PI / 6
    const turned: Placement = {
      origin: { x: 100, y: 200 },
      column: { x: Math.cos(turn), y: Math.sin(turn) },
      row: { x: Math.sin(turn), y: -Math.cos(turn) }
    }
    const camera = { x: -30, y: 40, scale: 2 }
    const lines = gridLines(turned, camera, screen)
    expect(lines.length).toBeGreaterThan(4)
    for (const { axis, text, from, to } of lines) {
      for (const point of [from, to]) {
        const [column, row] = [(point.x - camera.x) / camera.scale - 0.5, (point.y - camera.y) / camera.scale - 0.5]
        expect(turned.origin[axis] + column * turned.column[axis] + row * turned.row[axis]).toBeCloseTo(Number(text), 6)
      }
    }
  })
  it('is empty for an image without extent', () => {
    expect(gridLines({ ...northUp, column: { x: 0, y: 0 } }, { x: 0, y: 0, scale: 1 }, screen)).toEqual([])
  })
})
