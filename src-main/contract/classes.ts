import { z } from 'zod'

const classId = z.int().min(0).max(249)
const colour = z.string().regex(/^#[0-9a-f]{6}$/i, 'is no colour such as #1f77b4')
const className = z.string().trim().min(1, 'a class needs a name').max(200)

/** What the user made of a head's clusters. */
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
  /** So many of the clusters, the last, are none of the network's: pixels come to them by hand alone. */
  added: z.int().min(0).optional()
})
export type Scheme = z.infer<typeof scheme>
export type SchemeClass = Scheme['classes'][number]

/** One change of a scheme. Classes are named by their ids. */
export const schemeEdit = z.discriminatedUnion('kind', [
  /** The first takes in the others. */
  z.object({ kind: z.literal('merge'), classes: z.array(classId).min(2), name: className.optional() }),
  /** Clusters move to a class, or to a new one of their own. */
  z.object({
    kind: z.literal('assign'),
    clusters: z.array(z.int().min(0)).min(1),
    to: classId.optional(),
    name: className.optional()
  }),
  /** Every cluster becomes a class of its own, or the two parts of which the tree made it do. */
  z.object({ kind: z.literal('split'), class: classId, along: z.enum(['clusters', 'tree']) }),
  /** A class that the network did not find, to be painted. */
  z.object({ kind: z.literal('add'), name: className }),
  z.object({ kind: z.literal('rename'), class: classId, name: className }),
  z.object({ kind: z.literal('recolour'), class: classId, colour }),
  /** Hidden classes are not drawn; exports hold them. */
  z.object({ kind: z.literal('hide'), classes: z.array(classId).min(1), hidden: z.boolean() }),
  /** Ignored classes have no label, in exports either. */
  z.object({ kind: z.literal('ignore'), classes: z.array(classId).min(1), ignored: z.boolean() }),
  /** The order of the list, which is that of the values in exports. */
  z.object({ kind: z.literal('order'), classes: z.array(classId) }),
  /** So many groups of the tree. */
  z.object({ kind: z.literal('cut'), groups: z.int().min(1).max(250) }),
  z.object({ kind: z.literal('replace'), scheme, name: z.string() })
])
export type SchemeEdit = z.infer<typeof schemeEdit>

/** Side in pixels of the tiles in which corrections are kept. */
export const CORRECTION_TILE = 512

/** A tile of an image's corrections as a step left it. */
const correctedTile = z.object({
  column: z.int().min(0),
  row: z.int().min(0),
  /** Where its content lies in the run's file of corrections. */
  offset: z.int().min(0),
  bytes: z.int().min(1),
  /** By how many pixels clusters are larger, or smaller, than in the labels themselves, and by how many square metres where those are known. */
  moved: z.array(z.tuple([z.int(), z.int(), z.number().optional()]))
})
export type CorrectedTile = z.infer<typeof correctedTile>

/** What a step corrected by hand. */
export const correction = z.object({
  head: z.string(),
  path: z.string(),
  /** Of the labels over which it was counted. */
  key: z.string(),
  tiles: z.array(correctedTile)
})
export type Correction = z.infer<typeof correction>

/**
 * Snapshots of all heads' schemes, and which step counts; a head without one has its clusters as classes, and a step
 * without any those of the step before. Corrections are those of all steps up to the one that counts.
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
/** Pixels that are corrected, in columns and rows of the image; a pixel's middle lies at its half. */
export const correctionShape = z.discriminatedUnion('kind', [
  /** All within a radius of a line. */
  z.object({
    kind: z.literal('brush'),
    line: z.array(pixel).min(1).max(100_000),
    radius: z.number().positive().max(10_000)
  }),
  /** All inside. */
  z.object({ kind: z.literal('polygon'), ring: z.array(pixel).min(3).max(100_000) }),
  /** The connected area of one class. */
  z.object({ kind: z.literal('fill'), at: pixel })
])
export type CorrectionShape = z.infer<typeof correctionShape>

/** What corrected pixels become: a class, without label, or again what the network made of them. */
export const correctionTarget = z.union([classId, z.enum(['none', 'model'])])
export type CorrectionTarget = z.infer<typeof correctionTarget>

/** Clusters joined step by step: `joins[i]` makes node `count + i` of two earlier ones; `cost` rises. Cut, it gives any number of groups. */
export const clusterTree = z.object({
  count: z.int().min(1),
  joins: z.array(z.object({ parts: z.tuple([z.int(), z.int()]), cost: z.number() }))
})
export type ClusterTree = z.infer<typeof clusterTree>

/** Where something lies in a map, about the origin. */
export const mapPlace = z.object({ x: z.number(), y: z.number() })
export type MapPlace = z.infer<typeof mapPlace>
export const clusterMap = z.array(mapPlace)

/** What is known of a head's clusters, counted over all labelled pixels. */
export const headDescription = z.object({
  /** What square metres are of; earlier versions counted square map units, and did not say so. */
  areas: z.literal('ellipsoid').optional(),
  clusters: z.array(
    z.object({
      pixels: z.number(),
      /** On the ground, where all images say how large their pixels are. */
      squareMetres: z.number().optional(),
      /** Mean probability where it leads, 0…1; absent where it never does. */
      confidence: z.number().optional(),
      /** Mean values of the bands looked at, as the files have them. */
      bands: z.array(z.number()),
      /** Certain places in different images, in pixels. */
      patches: z.array(z.object({ path: z.string(), x: z.number(), y: z.number() }))
    })
  ),
  /** Pairs of pixels that touch along an edge, by cluster, row-major, symmetric; off the diagonal, lengths of borders in pixels. */
  neighbours: z.array(z.number())
})
export type HeadDescription = z.infer<typeof headDescription>
/** By head. */
export const clusterDescriptions = z.record(z.string(), headDescription)
export type ClusterDescriptions = z.infer<typeof clusterDescriptions>
