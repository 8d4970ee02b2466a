import type { CommandOutput } from '../contract/commands.ts'
import { plural } from '../contract/words/plural.ts'

/** Formats one line per class with its number, name, share and clusters, and the steps of the history on request. */
export function classesText(
  { head, scheme: { classes, of }, pixels, steps, cursor }: CommandOutput<'classes'>,
  withHistory: boolean | undefined
): string {
  const total = pixels?.reduce((sum, count) => sum + count, 0) ?? 0
  const lines = classes.map(({ id, name, colour, hidden, ignored }, i) => {
    const clusters = of.flatMap((owner, cluster) => (owner === id ? [cluster + 1] : []))
    const share = pixels && total > 0 ? `${((100 * pixels[i]) / total).toFixed(1).padStart(5)} %  ` : ''
    const notes = [...(ignored ? ['ignored'] : []), ...(hidden ? ['hidden'] : [])].map((note) => ` (${note})`).join('')
    return `  ${String(id + 1).padStart(3)}  ${colour}  ${share}${name}${notes}${clusters.length > 1 || clusters[0] !== id + 1 ? `: ${clusters.length === 1 ? 'cluster' : 'clusters'} ${clusters.join(', ')}` : ''}`
  })
  const history = withHistory
    ? ['History:', ...steps.map((step, i) => `  ${i === cursor ? '→' : ' '} ${i}  ${step}`)]
    : []
  return [
    `Head ${head}: ${plural(classes.length, 'class', 'classes')} from ${plural(of.length, 'cluster')}`,
    ...lines,
    ...history
  ].join('\n')
}
