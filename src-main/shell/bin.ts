import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shell } from 'electron'
import { z } from 'zod'

const projectFile = z.object({ run: z.string().optional() })
const RUN = /^run-\d+$/

/** Moves a run of a project to the system's bin, but never the current one. Returns the reason if it can't. */
export async function binRun(project: string, run: string): Promise<string | undefined> {
  try {
    const { run: used } = projectFile.parse(JSON.parse(await readFile(join(project, 'project.json'), 'utf8')))
    if (!RUN.test(run)) return "it isn't a run"
    if (used === run) return 'it is the current run'
    await shell.trashItem(join(project, 'runs', run))
    return undefined
  } catch (fault) {
    return (fault as Error).message
  }
}
