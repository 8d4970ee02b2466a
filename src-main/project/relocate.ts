import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { z } from 'zod'
import { SmaltiError } from '../contract/errors.ts'
import { writeJsonSafely } from './files.ts'
import { type Project, readJson, saveProject } from './project.ts'

/** The parts of a catalogue and of a label index that say where images are; everything else stays unchanged. */
const placed = z.looseObject({ sources: z.array(z.string()), images: z.array(z.looseObject({ file: z.string() })) })

/**
 * Updates a project's paths after its image folder was renamed or moved.
 * @throws OtherImages when the former folder still exists, or the new folder contains different images; DiskFull,
 *   FolderNotWritable
 */
export async function relocate(project: Project, to: string): Promise<Project> {
  const [from, ...more] = project.sources
  const moved = (path: string): string =>
    path === from ? to : path.startsWith(from + sep) ? join(to, relative(from, path)) : path
  const catalogues = await filesBelow(join(project.folder, 'runs'), /(^|[\\/])(catalogue|labels)\.json$/)
  const contents = await Promise.all(
    catalogues.map(async (path) => ({
      path,
      content: await readJson(project.folder, path, placed).catch(() => undefined)
    }))
  )
  const files = contents
    .flatMap(({ content }) => content?.images.map(({ file }) => moved(file)) ?? [])
    .filter((file) => file.startsWith(to + sep))
  const known = files.filter((file) => existsSync(file)).length
  if (more.length > 0 || !isAbsolute(from) || existsSync(from) || 2 * known < files.length)
    throw new SmaltiError('OtherImages', { path: project.folder, images: project.sources.join(', ') })
  for (const { path, content } of contents) {
    if (!content) continue
    await writeJsonSafely(path, {
      ...content,
      sources: content.sources.map(moved),
      images: content.images.map((image) => ({ ...image, file: moved(image.file) }))
    })
  }
  const changed = { ...project, sources: [to] }
  await saveProject(changed)
  return changed
}

async function filesBelow(folder: string, name: RegExp): Promise<string[]> {
  const found = await readdir(folder, { recursive: true }).catch(() => [])
  return found.filter((path) => name.test(path)).map((path) => join(folder, path))
}
