import { rgbOf } from '../../../src-main/classes/palette.ts'
import type { Scheme } from '../../../src-main/contract/classes.ts'
import type { Paint } from './painter.ts'

/** Returns the painter's tables: the colour and the class of each label. */
export function tablesOf(
  { classes: list }: Scheme,
  place: (label: number) => number
): Pick<Paint, 'colours' | 'classes'> {
  const colours = new Uint8Array(4 * 256)
  const classOf = new Uint8Array(256).fill(255)
  for (let label = 0; label < 255; label++) {
    const entry = list[place(label)]
    if (!entry) continue
    colours.set([...rgbOf(entry.colour), entry.hidden ? 0 : entry.ignored ? 128 : 255], 4 * label)
    classOf[label] = place(label)
  }
  return { colours, classes: classOf }
}
