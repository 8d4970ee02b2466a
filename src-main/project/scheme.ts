import { join } from 'node:path'
import { z } from 'zod'
import { type Scheme, scheme } from '../contract/classes.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { type Project, readJson, runFolder } from './project.ts'

const schemesFile = z.object({
  format: z.literal(2),
  /** Snapshots of all heads' schemes, and which of them counts. */
  history: z.array(z.object({ name: z.string(), schemes: z.record(z.string(), scheme) })).min(1),
  cursor: z.int().min(0)
})

/** The scheme of a head as it is now, or undefined where nothing was made of its clusters. @throws ProjectUnreadable */
export async function loadScheme(project: Project, head: string): Promise<Scheme | undefined> {
  const found = await readJson(project.folder, join(runFolder(project), 'classes.json'), schemesFile)
  return found?.history[Math.min(found.cursor, found.history.length - 1)].schemes[head]
}

/** What the labels become that one table after the other is applied to; either may be missing. */
export const following = (first: Uint8Array | undefined, second: Uint8Array | undefined): Uint8Array | undefined => (first && second ? first.map((value) => second[value]) : (first ?? second))

/** Place of each cluster's class in the scheme's list; ignored classes have no label. */
export function tableOf({ classes, of }: Scheme): Uint8Array {
  const table = new Uint8Array(256).fill(NO_LABEL)
  of.forEach((id, cluster) => {
    const place = classes.findIndex((entry) => entry.id === id)
    if (place >= 0 && !classes[place].ignored) table[cluster] = place
  })
  return table
}
