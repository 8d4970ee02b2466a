import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClusterClass } from '../contract/commands.ts'
import { writeFileSafely, writeJsonSafely } from '../project/files.ts'

export interface MaskFile {
  /** Path of the image, relative to its folder. */
  image: string
  /** Absolute path of the mask. */
  mask: string
}

/**
 * One 8-bit one-channel PNG for each image, at the image's size, whose values are class indices, and `classes.json`
 * with their names and colours. Sub-folders are kept.
 * @throws DiskFull, FolderNotWritable
 */
export async function exportPngMasks(masks: readonly MaskFile[], classes: readonly ClusterClass[], out: string, onProgress: (share: number) => void): Promise<void> {
  for (const [done, { image, mask }] of masks.entries()) {
    await writeFileSafely(join(out, maskName(image, masks)), await readFile(mask))
    onProgress((done + 1) / masks.length)
  }
  await writeJsonSafely(join(out, 'classes.json'), { classes: classes.map((entry, index) => ({ index, ...entry })) })
}

/** `a/b.jpg` becomes `a/b.png`, unless another image would take the same name. */
function maskName(image: string, masks: readonly MaskFile[]): string {
  const stem = (path: string): string => path.replace(/\.[^./]+$/, '')
  const shared = masks.some((other) => other.image !== image && stem(other.image) === stem(image))
  return shared ? `${image}.png` : `${stem(image)}.png`
}
