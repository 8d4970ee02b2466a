import type { CommandOutput } from '../contract/commands.ts'
import { plural } from '../contract/words/plural.ts'

/** How many neighbours are named per cluster, and the least share of the border each must have. */
const NAMED = 2
const WORTH_NAMING = 0.1

/** Formats one line per cluster, largest share first. */
export function descriptionText({ head, names, clusters, neighbours }: CommandOutput<'describe'>): string {
  const total = clusters.reduce((sum, { pixels }) => sum + pixels, 0)
  const order = clusters.map((_, k) => k).sort((a, b) => clusters[b].pixels - clusters[a].pixels)
  const lines = order.flatMap((k) => {
    const { pixels, squareMetres, confidence, bands, patches } = clusters[k]
    if (pixels === 0) return []
    const border = names.map((_, other) => (other === k ? 0 : neighbours[k * names.length + other]))
    const length = border.reduce((sum, value) => sum + value, 0)
    const beside = names
      .map((_, other) => other)
      .filter((other) => border[other] > WORTH_NAMING * length)
      .sort((a, b) => border[b] - border[a])
      .slice(0, NAMED)
    return [
      [
        names[k].padEnd(12),
        `${((100 * pixels) / total).toFixed(1).padStart(5)} %`,
        ...(squareMetres === undefined ? [] : [`${(squareMetres / 1e4).toFixed(2).padStart(9)} ha`]),
        `confidence ${confidence === undefined ? '  –' : confidence.toFixed(2)}`,
        `bands ${bands.map((value) => value.toPrecision(3)).join(' ')}`,
        beside.length > 0
          ? `borders ${beside.map((other) => `${names[other]} (${Math.round((100 * border[other]) / length)} %)`).join(', ')}`
          : '',
        patches.length > 0 ? `for example ${patches[0].path} at ${patches[0].x}, ${patches[0].y}` : ''
      ]
        .filter(Boolean)
        .join('  ')
    ]
  })
  return [`Head ${head}, ${plural(total, 'pixel')}`, ...lines].join('\n')
}
