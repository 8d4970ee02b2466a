import { countLabels, withLabels } from './areas.ts'
import { NO_LABEL } from '../contract/labels.ts'
import type { ExportFormat } from './format.ts'

const FILE = 'areas.csv'

/** Text that a spreadsheet takes for a formula; apostrophes before it would be taken for ours. */
const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/

/** A field of a CSV file (RFC 4180). An apostrophe before what looks like a formula keeps spreadsheets from running it (OWASP). */
export function csvField(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text
  return harmless !== text || /[",;\t\r\n]|^ | $/.test(text) ? `"${harmless.replaceAll('"', '""')}"` : text
}

/** Pixels, square metres and share of each class in each image; the share is of what is labelled. */
export const csvAreas: ExportFormat = {
  files: () => [FILE],
  async write({ out, items, classes, signal, onProgress }) {
    const rows = ['image,value,class,pixels,square_metres,percent']
    for (const [done, item] of items.entries()) {
      const counts = await withLabels(item, (labels) => countLabels(labels, signal))
      const labelled = counts.reduce((sum, count, label) => (label === NO_LABEL ? sum : sum + count), 0)
      classes.forEach(({ name }, value) => {
        const area = item.pixelArea === undefined ? '' : String(Number((counts[value] * item.pixelArea).toPrecision(12)))
        rows.push([csvField(item.path), value, csvField(name), counts[value], area, ((100 * counts[value]) / Math.max(labelled, 1)).toFixed(4)].join(','))
      })
      onProgress((done + 1) / items.length)
    }
    await out.write(FILE, `${rows.join('\r\n')}\r\n`)
  }
}
