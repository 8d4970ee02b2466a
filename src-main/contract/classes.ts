import { z } from 'zod'

const classId = z.int().min(0).max(249)
const colour = z.string().regex(/^#[0-9a-f]{6}$/i, 'must be a colour such as #1f77b4')
const className = z.string().trim().min(1, 'a class needs a name').max(200)

/** The classes that the user made of a head's clusters. */
export const scheme = z.object({
  classes: z
    .array(
      z.object({
        id: classId,
        name: z.string(),
        colour,
        hidden: z.boolean().default(false),
        ignored: z.boolean().default(false)
      })
    )
    .max(250),
  /** Class id of each cluster. */
  of: z.array(z.int()),
  /** How many of the clusters, at the end, do not come from the network. Their pixels are painted by hand. */
  added: z.int().min(0).optional()
})
export type Scheme = z.infer<typeof scheme>
export type SchemeClass = Scheme['classes'][number]

/** One change to a scheme. Classes are given by id. */
export const schemeEdit = z.discriminatedUnion('kind', [
  /** The first class takes in the others. */
  z.object({ kind: z.literal('merge'), classes: z.array(classId).min(2), name: className.optional() }),
  /** Moves clusters to a class, or to a new class. */
  z.object({
    kind: z.literal('assign'),
    clusters: z.array(z.int().min(0)).min(1),
    to: classId.optional(),
    name: className.optional()
  }),
  /** Splits a class into its clusters, or into the two parts that the tree joined. */
  z.object({ kind: z.literal('split'), class: classId, along: z.enum(['clusters', 'tree']) }),
  /** Adds a class that the network did not find, to be painted. */
  z.object({ kind: z.literal('add'), name: className }),
  z.object({ kind: z.literal('rename'), class: classId, name: className }),
  z.object({ kind: z.literal('recolour'), class: classId, colour }),
  /** Hidden classes are not drawn, but exported. */
  z.object({ kind: z.literal('hide'), classes: z.array(classId).min(1), hidden: z.boolean() }),
  /** Ignored classes have no label, in exports either. */
  z.object({ kind: z.literal('ignore'), classes: z.array(classId).min(1), ignored: z.boolean() }),
  /** The order of the list, which is also that of the values in exports. */
  z.object({ kind: z.literal('order'), classes: z.array(classId) }),
  /** Cuts the tree into this many groups. */
  z.object({ kind: z.literal('cut'), groups: z.int().min(1).max(250) }),
  z.object({ kind: z.literal('replace'), scheme, name: z.string() })
])
export type SchemeEdit = z.infer<typeof schemeEdit>

/** Side in pixels of the tiles that store corrections. */
export const CORRECTION_TILE = 512

/** A tile of an image's corrections after a step. */
const correctedTile = z.object({
  column: z.int().min(0),
  row: z.int().min(0),
  /** Byte offset of the tile's content in the run's file of corrections. */
  offset: z.int().min(0),
  bytes: z.int().min(1),
  /**
   * Change in size of each cluster compared with the original labels: cluster, pixels, and square metres where known.
   */
  moved: z.array(z.tuple([z.int(), z.int(), z.number().optional()]))
})
export type CorrectedTile = z.infer<typeof correctedTile>

/** A correction by hand in one step. */
export const correction = z.object({
  head: z.string(),
  path: z.string(),
  /** Key of the labels over which the change in size was counted. */
  key: z.string(),
  tiles: z.array(correctedTile)
})
export type Correction = z.infer<typeof correction>

/**
 * Snapshots of all heads' schemes, and the current step. A head without a scheme has its clusters as classes; a step
 * without schemes keeps those of the step before. The corrections of all steps up to the current one apply.
 */
export const classHistory = z.object({
  history: z
    .array(
      z.object({ name: z.string(), schemes: z.record(z.string(), scheme).optional(), corrected: correction.optional() })
    )
    .min(1),
  cursor: z.int().min(0)
})
export type ClassHistory = z.infer<typeof classHistory>

const pixel = z.tuple([z.number(), z.number()])
/** The pixels to correct, in columns and rows of the image; pixel centres are at .5. */
export const correctionShape = z.discriminatedUnion('kind', [
  /** All pixels within a radius of a line. */
  z.object({
    kind: z.literal('brush'),
    line: z.array(pixel).min(1).max(100_000),
    radius: z.number().positive().max(10_000)
  }),
  /** All pixels inside a polygon. */
  z.object({ kind: z.literal('polygon'), ring: z.array(pixel).min(3).max(100_000) }),
  /** The connected area of one class. */
  z.object({ kind: z.literal('fill'), at: pixel })
])
export type CorrectionShape = z.infer<typeof correctionShape>

/** What corrected pixels become: a class, unlabelled, or the network's label again. */
export const correctionTarget = z.union([classId, z.enum(['none', 'model'])])
export type CorrectionTarget = z.infer<typeof correctionTarget>

/**
 * Clusters joined step by step: `joins[i]` makes node `count + i` from two earlier nodes, and `cost` rises. A cut gives
 * any number of groups.
 */
export const clusterTree = z.object({
  count: z.int().min(1),
  joins: z.array(z.object({ parts: z.tuple([z.int(), z.int()]), cost: z.number() }))
})
export type ClusterTree = z.infer<typeof clusterTree>

/** A position on a map, relative to the origin. */
export const mapPlace = z.object({ x: z.number(), y: z.number() })
export type MapPlace = z.infer<typeof mapPlace>
export const clusterMap = z.array(mapPlace)

/** Statistics of a head's clusters, counted over all labelled pixels. */
export const headDescription = z.object({
  /** How square metres were measured. Older versions counted square map units and have no such field. */
  areas: z.literal('ellipsoid').optional(),
  clusters: z.array(
    z.object({
      pixels: z.number(),
      /** Area on the ground, if the pixel size of all images is known. */
      squareMetres: z.number().optional(),
      /** Mean probability where the cluster is the most probable one, 0…1; absent if it never is. */
      confidence: z.number().optional(),
      /** Mean values of the bands used, in the files' units. */
      bands: z.array(z.number()),
      /** Places with high confidence in different images, in pixels. */
      patches: z.array(z.object({ path: z.string(), x: z.number(), y: z.number() }))
    })
  ),
  /**
   * Pairs of pixels that share an edge, by cluster, row-major, symmetric. Off the diagonal these are the lengths of
   * borders in pixels.
   */
  neighbours: z.array(z.number())
})
export type HeadDescription = z.infer<typeof headDescription>
/** Descriptions by head. */
export const clusterDescriptions = z.record(z.string(), headDescription)
export type ClusterDescriptions = z.infer<typeof clusterDescriptions>
