import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { z } from 'zod'
import { type Scheme, scheme } from '../contract/classes.ts'
import { SmaltiError } from '../contract/errors.ts'
import { unescapedXml } from '../imagery/xml.ts'
import { makeFolder, writeFileSafely } from '../project/files.ts'
import { qgisStyle } from './formats/geotiff.ts'

/** The contents of a classes file: the classes, and the clusters that each one contains. */
const schemeFile = z.object({ format: z.literal('smalti-classes-1'), scheme })

/**
 * Saves classes for other runs (`.json`), or names and colours for QGIS (`.qml`).
 * @throws WouldOverwrite, InvalidSetting, DiskFull, FolderNotWritable
 */
export async function writeSchemeFile(path: string, classes: Scheme, overwrite: boolean): Promise<void> {
  const content = isStyle(path)
    ? qgisStyle(classes.classes)
    : `${JSON.stringify({ format: 'smalti-classes-1', scheme: classes }, undefined, 2)}\n`
  if (!overwrite && existsSync(path) && !(await isOurs(path)))
    throw new SmaltiError('WouldOverwrite', { path, option: '--overwrite' })
  await makeFolder(dirname(path))
  await writeFileSafely(path, content)
}

/** Whether the file is a QGIS style. @throws InvalidSetting when the extension is neither `.json` nor `.qml` */
function isStyle(path: string): boolean {
  const ending = extname(path).toLowerCase()
  if (ending !== '.json' && ending !== '.qml')
    throw new SmaltiError('InvalidSetting', {
      setting: 'file',
      reason: `${path} must end in .json (classes) or .qml (names and colours for QGIS)`
    })
  return ending === '.qml'
}

const isOurs = async (path: string): Promise<boolean> =>
  schemeFile.safeParse(
    await readFile(path, 'utf8')
      .then(JSON.parse)
      .catch(() => undefined)
  ).success

/**
 * Reads classes from a file and applies them to a scheme's clusters. Classes for the same number of clusters are used
 * unchanged; a QGIS style renames and recolours the classes of its values.
 * @throws InvalidSetting that explains what is wrong with the file
 */
export async function readSchemeFile(path: string, now: Scheme): Promise<Scheme> {
  const refused = (reason: string): SmaltiError => new SmaltiError('InvalidSetting', { setting: path, reason })
  const style = isStyle(path)
  const text = await readFile(path, 'utf8').catch((fault: NodeJS.ErrnoException) => {
    throw refused(fault.code === 'ENOENT' ? "the file doesn't exist" : fault.message)
  })
  if (style) {
    const entries = [...text.matchAll(/<paletteEntry\b[^>]*>/g)].map(([entry]) => entry)
    if (entries.length === 0) throw refused("it isn't a QGIS style with a colour for each raster value")
    return restyled(now, entries)
  }
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (fault) {
    throw refused((fault as Error).message)
  }
  const parsed = schemeFile.safeParse(content)
  if (!parsed.success) throw refused("it isn't a class file written by Smalti")
  return parsed.data.scheme
}

function restyled(now: Scheme, entries: readonly string[]): Scheme {
  const attribute = (entry: string, name: string): string | undefined => {
    const found = new RegExp(`\\b${name}="([^"]*)"`).exec(entry)?.[1]
    return found === undefined ? undefined : unescapedXml(found)
  }
  const byValue = new Map(
    entries.map((entry) => [
      Number(attribute(entry, 'value')),
      { name: attribute(entry, 'label')?.trim(), colour: attribute(entry, 'color')?.slice(0, 7).toLowerCase() }
    ])
  )
  return {
    ...now,
    classes: now.classes.map((entry, value) => {
      const { name, colour } = byValue.get(value) ?? {}
      return {
        ...entry,
        name: name || entry.name,
        colour: colour && /^#[0-9a-f]{6}$/.test(colour) ? colour : entry.colour
      }
    })
  }
}
