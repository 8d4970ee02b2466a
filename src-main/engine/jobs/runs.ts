import { withLock } from '../../project/lock.ts'
import { openProject } from '../../project/project.ts'
import { listRuns, renameRun, useRun } from '../../project/runs.ts'
import type { Job } from '../job.ts'

/** Lists a project's runs, switches to another one, or renames one. */
export const runsJob: Job<'runs'> = async ({ project: folder, use, rename }) => {
  const opened = await openProject(folder)
  const change = async (): Promise<typeof opened> => {
    if (rename) await renameRun(opened, rename.run ?? opened.run ?? '', rename.name)
    return use === undefined ? opened : useRun(opened, use)
  }
  const project = use === undefined && !rename ? opened : await withLock(folder, change)
  return { runs: await listRuns(project), current: project.run }
}
