import { withLock } from '../../project/lock.ts'
import { openProject } from '../../project/project.ts'
import { relocate } from '../../project/relocate.ts'
import type { Job } from '../job.ts'

/** Points a project to the folder its images have moved to. */
export const relocateJob: Job<'relocate'> = ({ project: folder, images }) =>
  withLock(folder, async () => {
    const { sources } = await relocate(await openProject(folder), images)
    return { sources }
  })
