import type { ClusterClass } from '../contract/labels.ts'
import { duration } from '../contract/words/duration.ts'
import type { TrainingReport } from '../contract/training.ts'
import { plural } from '../contract/words/plural.ts'

/** The content of a report. */
export interface ReportContent {
  title: string
  /** When the report was written. */
  date: Date
  classes: readonly (ClusterClass & {
    ignored: boolean
    clusters: readonly number[]
    pixels: number
    squareMetres?: number
    confidence?: number
    bands: readonly number[]
  })[]
  bandNames: readonly string[]
  pictures: readonly { path: string; width: number; height: number; picture: Uint8Array; labels: Uint8Array }[]
  /** Total number of images, some of which are shown. */
  images: number
  history: readonly TrainingReport[]
  facts: readonly (readonly [name: string, value: string])[]
  skipped: readonly { path: string; reason: string }[]
  commands: readonly string[]
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
const dataUri = (bytes: Uint8Array): string => `data:image/webp;base64,${Buffer.from(bytes).toString('base64')}`
const whole = new Intl.NumberFormat('en')

/** Renders a self-contained HTML page that also prints well. */
export function reportPage({
  title,
  date,
  classes,
  bandNames,
  pictures,
  images,
  history,
  facts,
  skipped,
  commands
}: ReportContent): string {
  const total = classes.reduce((sum, { pixels, ignored }) => sum + (ignored ? 0 : pixels), 0)
  const placed = classes.some(({ squareMetres }) => squareMetres !== undefined)
  const rows = classes.map(
    ({ name, colour, ignored, clusters, pixels, squareMetres, confidence, bands }) =>
      `<tr><td><i style="background:${colour}"></i>${escaped(name)}${ignored ? ' <small>ignored</small>' : ''}</td><td>${clusters.map((cluster) => cluster + 1).join(', ')}</td><td>${whole.format(pixels)}</td>${placed ? `<td>${squareMetres === undefined ? '' : (squareMetres / 1e4).toFixed(2)}</td>` : ''}<td>${ignored ? '' : `${((100 * pixels) / Math.max(total, 1)).toFixed(1)} %`}</td><td>${confidence === undefined ? '' : confidence.toFixed(2)}</td>${bands.map((value) => `<td>${value.toPrecision(4)}</td>`).join('')}</tr>`
  )
  const figures = pictures.map(
    ({ path, width, height, picture, labels }) =>
      `<figure><div><img src="${dataUri(picture)}" alt="${escaped(path)}"><img src="${dataUri(labels)}" alt="Classes of ${escaped(path)}"></div><figcaption>${escaped(path)}, ${width} × ${height}</figcaption></figure>`
  )
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
:root { color-scheme: light; font: 15px/1.5 system-ui, sans-serif; color: #22242a }
body { max-width: 1000px; margin: 40px auto; padding: 0 24px }
h1 { margin: 0; font-size: 26px } h2 { margin: 36px 0 10px; font-size: 17px }
.quiet, small, figcaption { color: #5d626c; font-size: 13px }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid #dedbd2; text-align: right } th:first-child, td:first-child { text-align: left }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 0; font-size: 13px } dt { color: #5d626c } dd { margin: 0; overflow-wrap: anywhere }
i { display: inline-block; width: 12px; height: 12px; margin-right: 8px; border-radius: 3px; vertical-align: -1px; print-color-adjust: exact; -webkit-print-color-adjust: exact }
figure { margin: 0 0 18px; break-inside: avoid } figure div { display: grid; grid-template-columns: 1fr 1fr; gap: 8px } img { width: 100%; border-radius: 4px }
pre { padding: 12px 14px; border-radius: 6px; background: #f4f3ef; font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere }
svg { display: block; max-width: 560px; width: 100% }
@media print { body { margin: 0 } h2 { break-after: avoid } }
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p class="quiet">${escaped(date.toISOString().slice(0, 16).replace('T', ' '))} UTC · ${plural(images, 'image')} · ${classes.filter(({ ignored }) => !ignored).length} classes</p>
<h2>Classes</h2>
<table>
<thead><tr><th>Class</th><th>Clusters</th><th>Pixels</th>${placed ? '<th>Hectares</th>' : ''}<th>Share</th><th>Confidence</th>${bandNames.map((name) => `<th>${escaped(name)}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<p class="quiet">Shares are of all pixels with a class. ${placed ? 'Hectares are measured on the ellipsoid.' : 'Areas are not shown because the location of some images is unknown.'} Confidence is the mean probability of the cluster of a pixel. Band values are means.</p>
<h2>Images${pictures.length < images ? ` (${pictures.length} of ${whole.format(images)})` : ''}</h2>
${figures.join('\n')}
<h2>Training and settings</h2>
<dl>${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>
${history.length > 1 ? curve(history) : ''}
${skipped.length > 0 ? `<h2>Skipped files</h2>\n<dl>${skipped.map(({ path, reason }) => `<dt>${escaped(path)}</dt><dd>${escaped(reason)}</dd>`).join('')}</dl>` : ''}
<h2>Commands to repeat this</h2>
<pre>${commands.map(escaped).join('\n')}</pre>
</body>
</html>
`
}

const [WIDTH, HEIGHT] = [560, 140]
const STROKES = ['#0b6e5f', '#9a4d12', '#5a4fcf', '#888888']

/** Plots each head's information over training time, as a share of its maximum. */
function curve(history: readonly TrainingReport[]): string {
  const last = history.at(-1)!
  const lines = last.heads.map(({ name, ceiling, information }, i) => {
    const points = history.map(({ seconds, heads }) => {
      const value = heads.find((head) => head.name === name)?.information ?? 0
      return `${((seconds / Math.max(last.seconds, 1e-9)) * WIDTH).toFixed(1)},${(HEIGHT * (1 - Math.max(0, value) / ceiling)).toFixed(1)}`
    })
    return {
      line: `<polyline points="${points.join(' ')}" fill="none" stroke="${STROKES[i % STROKES.length]}" stroke-width="2"/>`,
      words: `head ${name}: ${information.toFixed(3)} of at most ${ceiling.toFixed(3)} nats`
    }
  })
  return `<p class="quiet">Information during ${duration(last.seconds)} of training: ${lines.map(({ words }) => words).join('; ')}</p>
<svg viewBox="0 -2 ${WIDTH} ${HEIGHT + 4}" role="img" aria-label="Information during training"><path d="M0 0H${WIDTH}M0 ${HEIGHT}H${WIDTH}" stroke="#dedbd2"/>${lines.map(({ line }) => line).join('')}</svg>`
}
