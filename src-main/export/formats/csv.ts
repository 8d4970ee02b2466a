import { measureLabels, withLabels } from '../areas.ts'
import { NO_LABEL } from '../../contract/labels.ts'
import type { ExportFormat } from '../format.ts'

/** File of the `csv` format, which lists the area of each class in each image. */
const FILE = 'areas.csv'

/** Text that a spreadsheet would run as a formula, even after apostrophes, which would be mistaken for ours. */
const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/

/** Quotes a CSV field (RFC 4180). An apostrophe keeps spreadsheets from running text as a formula (OWASP). */
export function csvField(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text
  return harmless !== text || /[",;\t\r\n]|^ | $/.test(text) ? `"${harmless.replaceAll('"', '""')}"` : text
}

/**
 * Writes pixels, square metres and share of each class in each image. The share is of the labelled pixels. The `area`
 * column says whether square metres are on the ellipsoid of the scene's datum or unknown.
 */
export const csvAreas: ExportFormat = {
  files: () => [FILE],
  async write({ out, items, classes, signal, onProgress }) {
    const rows = ['image,value,class,pixels,square_metres,percent,area']
    for (const [done, item] of items.entries()) {
      const { pixels, squareMetres } = await withLabels(item, (labels) => measureLabels(labels, item.ground, signal))
      const labelled = pixels.reduce((sum, count, label) => (label === NO_LABEL ? sum : sum + count), 0)
      classes.forEach(({ name }, value) => {
        const area = squareMetres ? String(Number(squareMetres[value].toPrecision(10))) : ''
        rows.push(
          [
            csvField(item.path),
            value,
            csvField(name),
            pixels[value],
            area,
            ((100 * pixels[value]) / Math.max(labelled, 1)).toFixed(4),
            squareMetres ? 'ellipsoid' : 'unknown'
          ].join(',')
        )
      })
      onProgress((done + 1) / items.length)
    }
    await out.write(FILE, `${rows.join('\r\n')}\r\n`)
  }
}
