import { join } from 'node:path'
import { TesseraError } from '../../contract/errors.ts'
import { exportPngMasks } from '../../export/png.ts'
import { labelFolder, loadLabelIndex, openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

export const exportJob: Job<'export'> = async ({ project: folder, out, head }, { onProgress }) => {
  const project = await openProject(folder)
  const index = await loadLabelIndex(project)
  if (!index) throw new TesseraError('NothingSegmented', { path: folder })
  const masks = index.images.map(({ path, masks }) => ({ image: path, mask: join(labelFolder(project), masks[head]!) }))
  await exportPngMasks(masks, index.classes[head]!, out, (share) => onProgress({ stage: 'Exporting', share }))
  return { out, files: masks.length, head }
}
