import { basename } from 'node:path'
import sharp from 'sharp'
import { rgbOf } from '../../classes/palette.ts'
import { movedPixels } from '../../classes/corrections.ts'
import { describedClasses } from '../../classes/describe.ts'
import { EMPTY_HISTORY, schemeNow } from '../../classes/history.ts'
import type { Scheme } from '../../contract/classes.ts'
import type { CommandInput, CommandOutput } from '../../contract/commands.ts'
import { exportCommand, segmentCommand, trainCommand } from '../../contract/window/commandText.ts'
import { diagnosisText } from '../../contract/words/diagnosis.ts'
import { duration } from '../../contract/words/duration.ts'
import { plural } from '../../contract/words/plural.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { checkOutFolder, openOutFolder } from '../../export/outFolder.ts'
import { type ReportContent, reportPage } from '../../export/reportPage.ts'
import { shownOnce, shownWindow } from '../../imagery/display.ts'
import { fileAt } from '../../imagery/location.ts'
import { openRaster } from '../../imagery/reading/openRaster.ts'
import type { Size } from '../../imagery/raster.ts'
import { type Layer, correctSmaller } from '../../labels/corrections.ts'
import { type LabelIndex, type LabelSet, type LabelledImage, storedHead } from '../../project/labelSets.ts'
import { type Project, loadTrainedRun } from '../../project/project.ts'
import { loadClassHistory, tableOf } from '../../project/scheme.ts'
import { listRuns } from '../../project/runs.ts'
import { loadLayers } from '../labelling/correcting.ts'
import { loadDescriptions } from '../labelling/describing.ts'
import type { JobContext } from '../job.ts'

const FILE = 'report.html'
/** The most images shown, and the longer side of each in pixels: the page should be small enough for e-mail. */
const MOST_PICTURES = 24
const SIDE = 480
const OPACITY = 0.6

/**
 * Writes an HTML page that shows the result and how it was made.
 * @throws WouldOverwrite, AmongImages, DiskFull, FolderNotWritable, Cancelled
 */
export async function exportReport(
  project: Project,
  set: LabelSet,
  index: LabelIndex,
  { out, head, overwrite = false, plan }: CommandInput<'export'>,
  { signal, onProgress }: JobContext
): Promise<CommandOutput<'export'>> {
  const { meta } = await loadTrainedRun(project)
  const history = (await loadClassHistory(project)) ?? EMPTY_HISTORY
  const scheme = schemeNow(history, head, index.classes[head].length)
  const territory = { sources: index.sources, images: index.images.map(({ file }) => file), project: project.folder }
  const outcome = { files: 1, names: [FILE], head, format: 'report' as const }
  if (plan) return { out: (await checkOutFolder(out, outcome.names, territory, overwrite)).folder, ...outcome }
  await using target = await openOutFolder(out, outcome.names, territory, overwrite)
  const layers = await loadLayers(project, set)
  const every = Math.max(1, index.images.length / MOST_PICTURES)
  const chosen = Array.from(
    { length: Math.min(MOST_PICTURES, index.images.length) },
    (_, i) => index.images[Math.floor(i * every)]
  )
  const pictures: ReportContent['pictures'][number][] = []
  for (const [done, image] of chosen.entries()) {
    if (signal.aborted) throw new SmaltiError('Cancelled')
    const shown = await pictureOf(
      image,
      { ...storedHead(set, index, image, head), layer: layers(head, image.path) },
      scheme
    )
    if (shown) pictures.push(shown)
    onProgress({ stage: 'Exporting', share: (done + 1) / chosen.length })
  }
  const run = (await listRuns(project)).find((entry) => entry.run === project.run)
  const { settings, position, bands, upright } = meta
  const described = (await loadDescriptions(project, set, index))?.[head]
  await target.write(
    FILE,
    reportPage({
      title: `Classes in ${basename(project.sources[0])}`,
      date: new Date(),
      classes: describedClasses(scheme, described, movedPixels(history, head)),
      bandNames: bands.numbers?.map((number) => `Band ${number}`) ?? bands.roles,
      pictures,
      images: index.images.length,
      history: position.history,
      facts: [
        ['Images', project.sources.join(', ')],
        ['Project', project.folder],
        ['Run', run ? `${run.name}${run.name === run.run ? '' : ` (${run.run})`}` : ''],
        [
          'Settings',
          `preset ${settings.preset}${settings.method ? `, method ${settings.method}` : ''}, ${settings.classes} classes from ${settings.over} clusters, seed ${settings.seed}, scale ${settings.scale}`
        ],
        [
          'Training',
          `${plural(position.step, 'step')} in ${duration(position.seconds)}${meta.finished ? '' : ', unfinished'}`
        ],
        ...(run?.diagnosis ? [['Features', diagnosisText(run.diagnosis)] as const] : []),
        ...(upright ? [['Image position', `${upright.used ? 'used' : 'ignored'} (${upright.reason})`] as const] : []),
        ...(index.cleanUp ? [['Clean-up', JSON.stringify(index.cleanUp)] as const] : []),
        ...(index.partial ? [['Segmentation', 'cancelled before the last image'] as const] : [])
      ],
      skipped: index.skipped,
      commands: [
        trainCommand(project.sources, project.folder, settings),
        segmentCommand(project.folder),
        exportCommand(project.folder, { format: 'report', head, out })
      ]
    })
  )
  await target.finish()
  return { out: target.folder, ...outcome }
}

/** Renders a small image with its classes on top; undefined if the image file no longer exists. */
async function pictureOf(
  image: LabelledImage,
  { raster, table, layer }: { raster: string; table?: Uint8Array; layer?: Layer },
  scheme: Scheme
): Promise<ReportContent['pictures'][number] | undefined> {
  const factor = Math.min(1, SIDE / Math.max(image.width, image.height))
  const size = {
    width: Math.max(1, Math.round(image.width * factor)),
    height: Math.max(1, Math.round(image.height * factor))
  }
  const flat = await shownOnce(image.file)(async (shown) =>
    (await shownWindow(shown, size, { left: 0, top: 0, ...size })).flatten({ background: '#ffffff' }).png().toBuffer()
  ).catch(() => undefined)
  if (!flat) return undefined
  const labels = await labelsOfSize({ raster, table, layer }, size)
  const classOf = tableOf(scheme)
  const colours = scheme.classes.map(({ colour }) => rgbOf(colour))
  const painted = new Uint8Array(4 * labels.length)
  labels.forEach((label, i) => {
    const colour = colours[classOf[label]]
    if (colour) painted.set([...colour, Math.round(255 * OPACITY)], 4 * i)
  })
  const overlaid = sharp(flat).composite([{ input: Buffer.from(painted.buffer), raw: { ...size, channels: 4 } }])
  return {
    path: image.path,
    width: image.width,
    height: image.height,
    picture: await sharp(flat).webp({ quality: 80 }).toBuffer(),
    labels: await overlaid.webp({ quality: 80 }).toBuffer()
  }
}

/** Returns a head's corrected labels at a given size, from the smallest stored level that is at least as large. */
async function labelsOfSize(
  { raster: path, table, layer }: { raster: string; table?: Uint8Array; layer?: Layer },
  { width, height }: Size
): Promise<Uint8Array> {
  const raster = await openRaster(fileAt(path))
  try {
    const level = Math.max(
      0,
      raster.levels.findLastIndex((size) => size.width >= width && size.height >= height)
    )
    const from = raster.levels[level]
    const whole = { left: 0, top: 0, ...from }
    const {
      bands: [stored]
    } = await raster.read(whole, { level, bands: [0] })
    const labels = table ? Uint8Array.from(stored, (value) => table[value]) : Uint8Array.from(stored)
    if (layer) await correctSmaller(labels, whole, 2 ** level, layer)
    return Uint8Array.from(
      { length: width * height },
      (_, i) =>
        labels[
          Math.floor(((Math.floor(i / width) + 0.5) * from.height) / height) * from.width +
            Math.floor((((i % width) + 0.5) * from.width) / width)
        ]
    )
  } finally {
    await raster.close()
  }
}
