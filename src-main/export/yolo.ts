import { TOLERANCE, polygonsOf } from '../labels/polygons.ts'
import { withLabels } from './areas.ts'
import type { ExportFormat } from './format.ts'

const nameOf = (stem: string): string => `labels/${stem}.txt`
const DIGITS = 6

/**
 * YOLO's segments: for each patch a line with its class and the corners of one ring, 0…1 across and down. A hole
 * cannot be said there: it is joined to the outer ring by a cut there and back.
 */
export const yoloSegments: ExportFormat = {
  files: (items) => [...items.map(({ stem }) => nameOf(stem)), 'data.yaml'],
  async write({ out, items, classes, signal, onProgress }) {
    for (const [done, item] of items.entries()) {
      const patches = await withLabels(item, (labels) => polygonsOf(labels, TOLERANCE, signal))
      const lines = patches.map(({ label, rings }) => {
        const corners = withCuts(rings).map((value, i) => Number((value / (i % 2 ? item.height : item.width)).toFixed(DIGITS)))
        return `${label} ${corners.join(' ')}\n`
      })
      await out.write(nameOf(item.stem), lines.join(''))
      onProgress((done + 1) / items.length)
    }
    // JSON's strings are YAML's, whatever a name holds.
    const names = classes.map(({ name }, value) => `  ${value}: ${JSON.stringify(name)}\n`)
    await out.write('data.yaml', `path: .\nnames:\n${names.join('')}`)
  }
}

function withCuts([outer, ...holes]: readonly number[][]): number[] {
  const way = outer.slice(0, -2)
  for (const hole of holes) way.push(outer[0], outer[1], ...hole)
  return holes.length > 0 ? [...way, outer[0], outer[1]] : way
}
