import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

const unzipped = promisify(gunzip)

/** A PROJ object: a CRS, a transformation or a part of either. */
export type Handle = number & { readonly proj: unique symbol }

/** The functions of PROJ's C interface (proj.h) that are called here, compiled to WebAssembly. */
interface Compiled {
  FS: { writeFile(path: string, bytes: Uint8Array): void }
  HEAPF64: Float64Array
  stackSave(): number
  stackRestore(pointer: number): void
  UTF8ToString(address: number): string
  stringToNewUTF8(text: string): number
  _malloc(bytes: number): number
  _free(address: number): void
  _proj_context_create(): number
  _proj_context_set_database_path(context: number, path: number, more: number, options: number): number
  _proj_context_set_enable_network(context: number, on: number): number
  _proj_create(context: number, definition: number): Handle
  _proj_create_from_database(
    context: number,
    authority: number,
    code: number,
    category: number,
    grids: number,
    options: number
  ): Handle
  _proj_as_projjson(context: number, object: Handle, options: number): number
  _proj_as_wkt(context: number, object: Handle, kind: number, options: number): number
  _proj_create_crs_to_crs_from_pj(context: number, from: Handle, to: Handle, area: number, options: number): Handle
  _proj_normalize_for_visualization(context: number, transformation: Handle): Handle
  _proj_trans_array(transformation: Handle, direction: number, count: number, coordinates: number): number
  _proj_create_operation_factory_context(context: number, authority: number): number
  _proj_operation_factory_context_set_area_of_interest(
    context: number,
    factory: number,
    west: number,
    south: number,
    east: number,
    north: number
  ): void
  _proj_operation_factory_context_set_spatial_criterion(context: number, factory: number, criterion: number): void
  _proj_operation_factory_context_set_grid_availability_use(context: number, factory: number, use: number): void
  _proj_operation_factory_context_destroy(factory: number): void
  _proj_create_operations(context: number, from: Handle, to: Handle, factory: number): number
  _proj_list_get_count(list: number): number
  _proj_list_get(context: number, list: number, index: number): Handle
  _proj_list_destroy(list: number): void
  _proj_coordoperation_get_accuracy(context: number, operation: Handle): number
  _proj_coordoperation_has_ballpark_transformation(context: number, operation: Handle): number
  _proj_identify(context: number, object: Handle, authority: number, options: number, confidences: number): number
  _proj_int_list_destroy(list: number): void
  _proj_is_deprecated(object: Handle): number
  _proj_get_non_deprecated(context: number, object: Handle): number
  _proj_uom_get_info_from_database(
    context: number,
    authority: number,
    code: number,
    name: number,
    factor: number,
    category: number
  ): number
  _proj_destroy(object: Handle): void
}

export type WktKind = 'WKT1:GDAL' | 'WKT1:ESRI' | 'WKT2:2019'
const WKT_KINDS: Record<WktKind, number> = { 'WKT2:2019': 2, 'WKT1:GDAL': 4, 'WKT1:ESRI': 5 }
export type Category = 'ellipsoid' | 'prime meridian' | 'datum' | 'crs' | 'operation'
const CATEGORIES: Record<Category, number> = { ellipsoid: 0, 'prime meridian': 1, datum: 2, crs: 3, operation: 4 }
const [PARTIAL_INTERSECTION, ONLY_WITH_GRIDS] = [1, 1]
/** Confidence of proj_identify, out of 100: parameters match, but perhaps not the name or the order of axes. */
const SURE = 90
/** Numbers per PROJ coordinate: x, y, z and t. */
const STRIDE = 4

/** Converts points, stored as alternating x and y, in place. A point without a result becomes NaN. */
export type Move = (points: Float64Array, inverse?: boolean) => void

/** The operations of PROJ that Smalti uses. */
export interface Proj {
  /** Creates an object from an authority's code, WKT, PROJJSON or a PROJ string; undefined if PROJ rejects it. */
  create(definition: string): Handle | undefined
  fromDatabase(authority: string, code: string, category: Category): Handle | undefined
  /** Looks up an EPSG unit of measure: its name, and its size in metres or radians. */
  unit(code: number): { name: string; size: number } | undefined
  json(object: Handle): Record<string, unknown> | undefined
  wkt(object: Handle, kind: WktKind): string | undefined
  /** Creates the conversion from one CRS to another that PROJ chooses at each point, eastings or longitudes first. */
  mover(from: Handle, to: Handle): Move | undefined
  /**
   * Returns the published accuracy, in metres, of the best transformation at a place; undefined if none is known there.
   */
  accuracy(from: Handle, to: Handle, at: { longitude: number; latitude: number }): number | undefined
  /** Returns the authority's replacement for a deprecated CRS; undefined unless there is exactly one. */
  successor(object: Handle): Handle | undefined
  /** Finds an authority's CRS that equals this one, whatever the order of axes; undefined if none is certain. */
  identify(object: Handle): Handle | undefined
}

let loaded: Promise<Proj> | undefined

/** Loads PROJ with its database, once. It has no grids and doesn't fetch any. */
export function loadProj(): Promise<Proj> {
  loaded ??= load()
  loaded.catch(() => (loaded = undefined))
  return loaded
}

async function load(): Promise<Proj> {
  const folder = dirname(createRequire(import.meta.url).resolve('proj-wasm'))
  // The package's own interface starts workers and fetches grids; only its compiled core is needed.
  const { default: compile } = (await import(
    /* @vite-ignore */ pathToFileURL(join(folder, 'proj-emscripten.js')).href
  )) as { default(options: object): Promise<Compiled> }
  const [wasmBinary, database] = await Promise.all([readFile(join(folder, 'proj-emscripten.wasm')), databaseIn(folder)])
  const silent = (): void => undefined
  const proj = await compile({ wasmBinary, print: silent, printErr: silent })
  proj.FS.writeFile('/proj.db', database)
  const context = proj._proj_context_create()
  withTexts(proj, ['/proj.db'], ([path]) => proj._proj_context_set_database_path(context, path, 0, 0))
  proj._proj_context_set_enable_network(context, 0)
  return interfaceOf(proj, context)
}

/** Reads PROJ's database, which packaged builds store compressed. */
async function databaseIn(folder: string): Promise<Uint8Array> {
  const path = join(folder, 'proj.db')
  return readFile(path).catch(async (fault: NodeJS.ErrnoException) => {
    if (fault.code !== 'ENOENT') throw fault
    return unzipped(await readFile(`${path}.gz`))
  })
}

function withTexts<T>(proj: Compiled, texts: readonly string[], use: (addresses: number[]) => T): T {
  const addresses = texts.map((text) => proj.stringToNewUTF8(text))
  try {
    return use(addresses)
  } finally {
    addresses.forEach((address) => proj._free(address))
  }
}

function interfaceOf(proj: Compiled, context: number): Proj {
  const known = (object: Handle): Handle | undefined => (object === 0 ? undefined : object)
  /** Runs a call and returns undefined for exceptions that PROJ's own interface would catch; this build throws them. */
  const attempt = <T>(call: () => T): T | undefined => {
    const stack = proj.stackSave()
    try {
      return call()
    } catch (fault) {
      if (!isOfProj(fault)) throw fault
      proj.stackRestore(stack)
      return undefined
    }
  }
  const text = (address: number): string | undefined => (address === 0 ? undefined : proj.UTF8ToString(address))

  const memory = (address: number): number => new Int32Array(proj.HEAPF64.buffer, address, 1)[0]

  /** Creates a conversion whose input and output have x first. */
  const moverBy =
    (operation: Handle): Move =>
    (points, inverse = false) => {
      const count = points.length / 2
      const address = proj._malloc(8 * STRIDE * count)
      try {
        const start = address / 8
        const { HEAPF64: before } = proj
        for (let i = 0; i < count; i++) {
          before[start + STRIDE * i] = points[2 * i]
          before[start + STRIDE * i + 1] = points[2 * i + 1]
          before[start + STRIDE * i + 2] = 0
          // No epoch: time-dependent operations use their reference epoch.
          before[start + STRIDE * i + 3] = Infinity
        }
        if (attempt(() => proj._proj_trans_array(operation, inverse ? -1 : 1, count, address)) === undefined)
          return void points.fill(NaN)
        // Memory may have grown during the call, which replaces the view.
        const { HEAPF64: after } = proj
        for (let i = 0; i < count; i++) {
          const [x, y] = [after[start + STRIDE * i], after[start + STRIDE * i + 1]]
          const answered = Number.isFinite(x) && Number.isFinite(y)
          points[2 * i] = answered ? x : NaN
          points[2 * i + 1] = answered ? y : NaN
        }
      } finally {
        proj._free(address)
      }
    }

  return {
    create: (definition) =>
      attempt(() => withTexts(proj, [definition], ([address]) => known(proj._proj_create(context, address)))),
    fromDatabase: (authority, code, category) =>
      attempt(() =>
        withTexts(proj, [authority, code], ([first, second]) =>
          known(proj._proj_create_from_database(context, first, second, CATEGORIES[category], 0, 0))
        )
      ),
    unit: (code) =>
      withTexts(proj, ['EPSG', String(code)], ([authority, number]) => {
        const [name, size] = [proj._malloc(4), proj._malloc(8)]
        try {
          const found = attempt(() => proj._proj_uom_get_info_from_database(context, authority, number, name, size, 0))
          return found ? { name: text(memory(name))!, size: proj.HEAPF64[size / 8] } : undefined
        } finally {
          proj._free(name)
          proj._free(size)
        }
      }),
    json(object) {
      const written = attempt(() => text(proj._proj_as_projjson(context, object, 0)))
      return written === undefined ? undefined : (JSON.parse(written) as Record<string, unknown>)
    },
    wkt: (object, kind) =>
      attempt(() =>
        withOptions(proj, ['MULTILINE=NO'], (options) =>
          text(proj._proj_as_wkt(context, object, WKT_KINDS[kind], options))
        )
      ),
    mover(from, to) {
      const any = attempt(() => known(proj._proj_create_crs_to_crs_from_pj(context, from, to, 0, 0)))
      if (any === undefined) return undefined
      const eastFirst = attempt(() => known(proj._proj_normalize_for_visualization(context, any)))
      proj._proj_destroy(any)
      return eastFirst === undefined ? undefined : moverBy(eastFirst)
    },
    accuracy(from, to, { longitude, latitude }) {
      const factory = proj._proj_create_operation_factory_context(context, 0)
      try {
        proj._proj_operation_factory_context_set_area_of_interest(
          context,
          factory,
          longitude,
          latitude,
          longitude,
          latitude
        )
        proj._proj_operation_factory_context_set_spatial_criterion(context, factory, PARTIAL_INTERSECTION)
        proj._proj_operation_factory_context_set_grid_availability_use(context, factory, ONLY_WITH_GRIDS)
        const list = attempt(() => proj._proj_create_operations(context, from, to, factory)) ?? 0
        if (list === 0) return undefined
        try {
          if (proj._proj_list_get_count(list) === 0) return undefined
          const best = proj._proj_list_get(context, list, 0)
          const metres = proj._proj_coordoperation_get_accuracy(context, best)
          const ballpark = proj._proj_coordoperation_has_ballpark_transformation(context, best) !== 0
          // A mere conversion, such as UTM to its own datum, is exact, but reports no accuracy.
          const shifts =
            attempt(() => text(proj._proj_as_projjson(context, best, 0)))?.includes('"type": "Transformation"') ?? true
          proj._proj_destroy(best)
          return ballpark ? undefined : metres >= 0 ? metres : shifts ? undefined : 0
        } finally {
          proj._proj_list_destroy(list)
        }
      } finally {
        proj._proj_operation_factory_context_destroy(factory)
      }
    },
    successor(object) {
      if (proj._proj_is_deprecated(object) === 0) return undefined
      const list = attempt(() => proj._proj_get_non_deprecated(context, object)) ?? 0
      if (list === 0) return undefined
      try {
        return proj._proj_list_get_count(list) === 1 ? known(proj._proj_list_get(context, list, 0)) : undefined
      } finally {
        proj._proj_list_destroy(list)
      }
    },
    identify(object) {
      const confidences = proj._malloc(4)
      const list =
        attempt(() =>
          withTexts(proj, ['EPSG'], ([authority]) => proj._proj_identify(context, object, authority, 0, confidences))
        ) ?? 0
      const scores = list === 0 ? 0 : memory(confidences)
      proj._free(confidences)
      if (list === 0) return undefined
      try {
        return proj._proj_list_get_count(list) > 0 && memory(scores) >= SURE
          ? known(proj._proj_list_get(context, list, 0))
          : undefined
      } finally {
        if (scores !== 0) proj._proj_int_list_destroy(scores)
        proj._proj_list_destroy(list)
      }
    }
  }
}

/** Whether an error was thrown by PROJ's C++ code rather than by the code around it. */
const isOfProj = (fault: unknown): boolean => fault instanceof Error && /^osgeo::proj::|^std::/.test(fault.name)

/** Passes options as a C list of addresses that ends with 0. */
function withOptions<T>(proj: Compiled, options: readonly string[], use: (list: number) => T): T {
  return withTexts(proj, options, (addresses) => {
    const list = proj._malloc(4 * (addresses.length + 1))
    try {
      new Uint32Array(proj.HEAPF64.buffer, list, addresses.length + 1).set([...addresses, 0])
      return use(list)
    } finally {
      proj._free(list)
    }
  })
}
