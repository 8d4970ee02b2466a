import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shell } from 'electron'
import { z } from 'zod'

const projectFile = z.object({ run: z.string().optional() })
const RUN = /^run-\d+$/

/** Moves a run of a project, never the one in use, to the system's bin; says why where it cannot. */
export async function binRun(project: string, run: string): Promise<string | undefined> {
  try {
    const { run: used } = projectFile.parse(JSON.parse(await readFile(join(project, 'project.json'), 'utf8')))
    if (!RUN.test(run)) return 'it is no run'
    if (used === run) return 'it is the run in use'
    await shell.trashItem(join(project, 'runs', run))
    return undefined
  } catch (fault) {
    return (fault as Error).message
  }
}
