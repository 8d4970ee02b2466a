import { z } from 'zod'
import {
  classHistory,
  clusterDescriptions,
  clusterMap,
  clusterTree,
  correctionShape,
  correctionTarget,
  headDescription,
  scheme,
  schemeEdit
} from './classes.ts'
import { imageDetails } from './details.ts'
import { SmaltiError } from './errors.ts'
import { groupEdit, groupHistory, imageGroup } from './groups.ts'
import { catalogue, skippedFile } from './imagery.ts'
import { leftOut } from './evaluation.ts'
import { EXPORT_FORMATS, cleanUp, clusterClass, measures, shard } from './labels.ts'
import { GROUP_METHODS, METHODS, recipe } from './recipe.ts'
import { diagnosis, runSummary } from './runs.ts'
import { RUNTIMES, runtime } from './runtimes.ts'
import { BACKENDS, BACKEND_CHOICES, HEADS, trainingSettings } from './settings.ts'
import { architecture, stepShape, trainingReport, upright } from './training.ts'

const folder = z.string().min(1)
/** Folders and files of images, and addresses of GeoTIFFs. */
const sources = z.array(z.string().min(1)).min(1)
const head = z.enum(HEADS)
/** `stateId` of the history that the asker knows: somebody else may have changed the classes, or groups, since. */
const knownState = z.string()
const scores = z.object({
  accuracy: z.number(),
  majority: z.number(),
  nmi: z.number(),
  ari: z.number(),
  miou: z.number(),
  mapping: z.array(z.int()),
  pixels: z.number()
})
const backendFinding = z.object({
  name: z.string(),
  used: z.boolean(),
  device: z.string().optional(),
  /** Why it is not used. */
  reason: z.string().optional()
})
export const segmentedImage = z.object({
  path: z.string(),
  width: z.int(),
  height: z.int(),
  /** Probabilities were kept. */ heatmaps: z.boolean().optional()
})

export const projectState = z.object({
  folder,
  sources,
  run: z.string().optional(),
  settings: trainingSettings.optional(),
  history: z.array(trainingReport),
  trained: z.boolean(),
  finished: z.boolean(),
  segmented: z.array(segmentedImage),
  /** The segmentation was stopped before the last image. */
  partial: z.boolean(),
  classes: z.record(head, z.array(clusterClass)).optional(),
  /** Of the labels; labels of earlier versions have none. */
  clusters: clusterDescriptions.optional(),
  /** Clusters of each head of the run. */
  heads: z.partialRecord(head, z.int()).optional(),
  tree: clusterTree.optional(),
  /** The clusters of the first head in the plane. */
  map: clusterMap.optional(),
  /** Heads that are groups of another's clusters, whose labels are stored. */
  cuts: z.record(z.string(), z.object({ of: z.string(), groups: z.array(z.int()) })).optional(),
  /** What was made of the clusters. */
  made: classHistory.optional(),
  /** Its whole images are sorted into groups. */
  grouped: z.boolean()
})
export type ProjectState = z.infer<typeof projectState>

/** Every command of the engine: what it takes, and what it answers. */
export const COMMANDS = {
  info: {
    input: z.object({}),
    output: z.object({
      smalti: z.string(),
      node: z.string(),
      electron: z.string().optional(),
      platform: z.string(),
      processors: z.string(),
      memoryGiB: z.number(),
      libraries: z.record(z.string(), z.string()),
      backends: z.array(backendFinding)
    })
  },
  catalogue: {
    input: z.object({ sources, /** Of TIFFs of several. */ page: z.int().positive().optional() }),
    output: catalogue
  },
  /** What looks like an image by its name, before any header is read. */
  listing: {
    input: z.object({ sources }),
    output: z.object({ images: z.array(z.object({ path: z.string(), file: z.string() })) })
  },
  /** What is known of images from their headers and the files beside them. */
  details: {
    input: z.object({ sources, page: z.int().positive().optional() }),
    output: z.object({ images: z.array(imageDetails), skipped: z.array(skippedFile) })
  },
  /** Adds an outline to an area of interest, and tells where that lies on an image. */
  area: {
    input: z.object({
      /** Of an image whose place on the ground is known. */
      file: z.string().min(1),
      /** GeoJSON file of the area as it is; never changed. */
      area: z.string().min(1).optional(),
      /** Corners in columns and rows of the image. */
      add: z
        .array(z.tuple([z.number(), z.number()]))
        .min(3)
        .max(100_000)
        .optional(),
      /** Keeps the file of what was drawn; made if need be. */
      project: folder,
      sources
    }),
    output: z.object({ area: z.string().optional(), rings: z.array(z.array(z.tuple([z.number(), z.number()]))) })
  },
  /** Draws aerial scenes whose truth is known, to try the program on. */
  sample: { input: z.object({ out: folder }), output: z.object({ images: folder, truth: folder }) },
  /** What a preset comes to. */
  recipe: { input: trainingSettings.pick({ preset: true, method: true }), output: recipe },
  openProject: { input: z.object({ project: folder }), output: projectState },
  train: {
    input: z.object({
      sources,
      project: folder,
      settings: trainingSettings,
      /** Path of an image whose clusters are told now and then, as they form. */
      watch: z.string().optional(),
      /** With the backend `auto`: measures anew which is the fastest, and remembers that. */
      retime: z.boolean().optional()
    }),
    output: z.object({
      project: folder,
      run: z.string(),
      method: z.enum(METHODS),
      backend: z.string(),
      /** The backend was asked for, found to be the fastest now or earlier, or is the one that every installation has. */
      backendChosen: z.enum(['asked', 'measured', 'remembered', 'embedded']),
      device: z.string(),
      resumedFrom: z.int(),
      steps: z.int(),
      seconds: z.number(),
      images: z.int(),
      skipped: z.array(skippedFile),
      /** Images that are used, with what a user should know of them. */
      warnings: z.array(skippedFile),
      upright: upright.optional(),
      report: trainingReport.optional()
    })
  },
  /** Clusters whole images instead of pixels. */
  group: {
    input: z.object({
      sources,
      /** Where the groups are kept, to be looked at and changed; made if need be. */
      project: folder.optional(),
      /** Where the table, the contact sheet and, if asked for, the copies go. */
      out: folder.optional(),
      groups: z.int().min(2).max(64),
      method: z.enum(GROUP_METHODS),
      minutes: z.number().positive().max(100_000).optional(),
      steps: z.int().positive().optional(),
      seed: z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
      backend: z.enum(BACKEND_CHOICES),
      /** Copies each image into the sub-folder of its group. */
      copies: z.boolean().default(false),
      /** Also over files that no earlier export wrote. */
      overwrite: z.boolean().default(false)
    }),
    output: z.object({
      project: folder.optional(),
      out: folder.optional(),
      images: z.int(),
      sizes: z.array(z.int()),
      skipped: z.array(skippedFile),
      backend: z.string(),
      steps: z.int(),
      seconds: z.number(),
      report: trainingReport.optional()
    })
  },
  /** Changes the groups of a project's images, writes them, or tells them. */
  groups: {
    input: z.object({
      project: folder,
      /** Made one after the other; each is a step that can be undone. */
      edits: z.array(groupEdit).default([]),
      /** Then goes so many steps back, or forth where it is below zero. */
      undo: z.int().optional(),
      /** Where a table, a contact sheet and, if asked for, copies of the images are written in the end. */
      out: folder.optional(),
      copies: z.boolean().default(false),
      overwrite: z.boolean().default(false),
      expected: knownState.optional()
    }),
    output: z.object({
      history: groupHistory,
      groups: z.array(imageGroup.extend({ images: z.int() })),
      /** What each step is called. */
      steps: z.array(z.string()),
      /** Files that were written, and images that have gone and are only in the table. */
      files: z.int(),
      skipped: z.array(skippedFile)
    })
  },
  segment: {
    input: z.object({
      project: folder,
      /** Other images than the run's own; their labels are a set of their own. */
      images: sources.optional(),
      backend: z.enum(BACKEND_CHOICES).optional(),
      /** GeoJSON file in place of the training's area of interest. */
      area: z.string().optional(),
      cleanUp: cleanUp.optional(),
      /** Also keeps the probability of each cluster, at the network's resolution. */
      heatmaps: z.boolean().optional(),
      /** The page of TIFFs of several that is labelled, in place of training's. */
      page: z.int().positive().optional(),
      /** Labels only one part of all, to be merged. */
      shard: shard.optional()
    }),
    output: z.object({
      project: folder,
      labels: folder,
      images: z.int(),
      /** Of them labelled now; the others were already. */
      labelled: z.int(),
      skipped: z.array(skippedFile),
      /** Images that are labelled, with what a user should know of them. */
      warnings: z.array(skippedFile),
      backend: z.string(),
      seconds: z.number(),
      /** Share of the time in which the network waited for windows to be read or tiles to be written. */
      waitingShare: z.number()
    })
  },
  mergeShards: {
    input: z.object({ project: folder, images: sources.optional() }),
    output: z.object({
      project: folder,
      labels: folder,
      images: z.int(),
      shards: z.int(),
      skipped: z.array(skippedFile)
    })
  },
  /** What is known of the clusters of a segmentation. */
  describe: {
    input: z.object({ project: folder, images: sources.optional(), head }),
    output: headDescription.extend({ head, names: z.array(z.string()) })
  },
  /** Measures a run's features without labels; the run keeps what was found. */
  diagnose: {
    input: z.object({ project: folder, /** Another than the one in use. */ run: z.string().optional() }),
    output: diagnosis.extend({ run: z.string() })
  },
  /** Lists a project's runs; makes another its own, or gives one a name. */
  runs: {
    input: z.object({
      project: folder,
      use: z.string().optional(),
      rename: z
        .object({
          /** The one in use when absent. */ run: z.string().optional(),
          name: z.string().trim().min(1).max(200)
        })
        .optional()
    }),
    output: z.object({ runs: z.array(runSummary), current: z.string().optional() })
  },
  /** Lets a project find its images in a folder that was renamed or moved. */
  relocate: { input: z.object({ project: folder, images: folder }), output: z.object({ sources }) },
  /** Changes what is made of a run's clusters, or tells it. */
  classes: {
    input: z.object({
      project: folder,
      /** Of another run than the one in use. */
      run: z.string().optional(),
      head,
      /** Made one after the other; each is a step of the history. */
      edits: z.array(schemeEdit).default([]),
      /** Then goes so many steps back, or forth where it is below zero. */
      undo: z.int().optional(),
      /** Then goes to a step of the history, counted from 0. */
      step: z.int().min(0).optional(),
      /** Another run whose classes are applied, by where they lie, before the edits. */
      fromRun: z.string().optional(),
      /** A file of classes, or a QGIS style, that is applied before the edits. */
      from: z.string().min(1).optional(),
      /** A file into which the classes are written in the end. */
      into: z.string().min(1).optional(),
      /** Also over a file that Smalti did not write. */
      overwrite: z.boolean().default(false),
      expected: knownState.optional()
    }),
    output: z.object({
      head,
      scheme,
      /** Pixels of each class, in the scheme's order, where something is segmented. */
      pixels: z.array(z.number()).optional(),
      /** What each step is called. */
      steps: z.array(z.string()),
      cursor: z.int(),
      /** `stateId` of the history. */
      state: z.string()
    })
  },
  /** Corrects labels of one of the run's own images by hand; a step of the history of its classes. */
  correct: {
    input: z.object({
      project: folder,
      head,
      /** Of the image in its catalogue. */
      path: z.string().min(1),
      shape: correctionShape,
      to: correctionTarget,
      expected: knownState.optional()
    }),
    output: z.object({
      /** Absent where nothing changed. */
      step: classHistory.shape.history.element.optional(),
      cursor: z.int()
    })
  },
  evaluate: {
    input: z.object({
      project: folder,
      images: sources.optional(),
      /** Folder of masks or GeoJSON files named like the images, or one GeoJSON file. */
      truth: folder,
      /** Class of each value of a mask or polygon, or of each colour (`#rrggbb`); what it does not name is not scored. Only the value 255 may be class 255, which masks use for pixels that are not scored. */
      truthMap: z
        .record(
          z.string().regex(/^(\d+|#[0-9a-f]{6})$/i),
          z
            .int()
            .min(0)
            .max(2 ** 32 - 1)
        )
        .refine(
          (map) => Object.entries(map).every(([value, k]) => k !== 255 || Number(value) === 255),
          'leave out values that are not scored instead of mapping them to 255'
        )
        .optional(),
      head,
      mapping: z.enum(['many-to-one', 'hungarian']),
      /** Of the classes, or of the clusters whatever classes they are of; corrections by hand count either way. */
      what: z.enum(['classes', 'clusters']).default('classes'),
      /** Also what decisions of a person are worth, see `decisionCurve`. */
      curve: z.boolean().optional(),
      /** Also the errors no farther than so many pixels from a true boundary. */
      boundary: z.int().min(1).max(100).optional()
    }),
    output: scores.extend({
      /** Accuracies with 1, 2 … nodes of the tree of clusters, chosen well. */
      curve: z.array(z.number()).optional(),
      boundary: z.object({ pixels: z.number(), errorRate: z.number() }).optional(),
      head,
      how: z.string(),
      /** Images that were compared, and those without truth. */
      images: z.int(),
      imagesWithoutTruth: z.int(),
      /** Pixels of the compared images that were not scored; `pixels` were. */
      leftOut,
      /** A sentence where most labelled pixels were left out. */
      warning: z.string().optional(),
      /** Numbers of the true classes, which may be sparse: the columns of `confusion`, whose rows are classes or clusters. */
      classes: z.array(z.int()),
      confusion: z.array(z.array(z.number()))
    })
  },
  export: {
    input: z.object({
      project: folder,
      images: sources.optional(),
      format: z.enum(EXPORT_FORMATS),
      out: folder,
      head,
      cleanUp: cleanUp.optional(),
      measures: measures.optional(),
      /** Classes with what was corrected by hand, or the clusters as the network found them. */
      what: z.enum(['classes', 'clusters']).default('classes'),
      /** Paths of the images, where not all are wanted. */
      only: z.array(z.string().min(1)).min(1).optional(),
      /** Writes nothing and only tells what would be written. */
      plan: z.boolean().default(false),
      /** Also over files that no earlier export wrote. */
      overwrite: z.boolean().default(false)
    }),
    output: z.object({
      out: folder,
      files: z.int(),
      /** Some of their names. */
      names: z.array(z.string()),
      /** Sentences about it that the user should know. */
      notes: z.array(z.string()).optional(),
      /** About so many bytes, where that can be known before. */
      bytes: z.number().optional(),
      head,
      format: z.enum(EXPORT_FORMATS)
    })
  },
  /** Libraries that compute, which this build does not hold: fetches or removes one, and tells which there are. */
  runtimes: {
    input: z.object({ fetch: z.enum(RUNTIMES).optional(), remove: z.enum(RUNTIMES).optional() }),
    output: z.object({ runtimes: z.array(runtime) })
  },
  /** Starts a backend, lets it prove itself and times a training step, in a process of its own. */
  trial: {
    input: z.object({ backend: z.enum(BACKENDS), step: z.object({ architecture, shape: stepShape }).optional() }),
    output: z.object({
      device: z.string().optional(),
      reason: z.string().optional(),
      milliseconds: z.number().optional()
    })
  },
  pause: { input: z.object({ paused: z.boolean() }), output: z.object({ paused: z.boolean() }) }
} as const

export type CommandName = keyof typeof COMMANDS
export type CommandInput<N extends CommandName> = z.input<(typeof COMMANDS)[N]['input']>
export type CommandOutput<N extends CommandName> = z.output<(typeof COMMANDS)[N]['output']>

/** What a command was asked, with what was left out as it usually is. @throws InvalidSetting */
export function parsedInput<N extends CommandName>(name: N, input: unknown): z.output<(typeof COMMANDS)[N]['input']> {
  const parsed = COMMANDS[name].input.safeParse(input)
  if (parsed.success) return parsed.data as z.output<(typeof COMMANDS)[N]['input']>
  const [issue] = parsed.error.issues
  throw new SmaltiError('InvalidSetting', {
    setting: issue.path.join('.') || name,
    reason: issue.message.replace(/^./, (c) => c.toLowerCase())
  })
}

/** A part of an image, in its pixels, and the clusters that the training finds on it by now. */
export const watchedPicture = z.object({
  path: z.string(),
  left: z.int(),
  top: z.int(),
  width: z.int(),
  height: z.int(),
  /** Cells of the network's resolution, and the cluster of each, row by row. */
  columns: z.int(),
  rows: z.int(),
  clusters: z.int(),
  labels: z.instanceof(Uint8Array)
})
export type WatchedPicture = z.infer<typeof watchedPicture>

export const progress = z.object({
  /** What is being done, in words. */
  stage: z.string(),
  /** 0…1, absent where it cannot be known. */
  share: z.number().optional(),
  /** Seconds until the end, as far as known. */
  remaining: z.number().optional(),
  report: trainingReport.optional(),
  watched: watchedPicture.optional(),
  skipped: skippedFile.optional()
})
export type Progress = z.infer<typeof progress>
