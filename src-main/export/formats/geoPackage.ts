import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type sqlite from 'node-sqlite3-wasm'
import { SmaltiError } from '../../contract/errors.ts'
import type { ExportFormat, ExportItem } from '../format.ts'
import type { Place } from '../../imagery/crs/crs.ts'
import { type LabelFeature, featuresOf, sceneRings } from '../features.ts'
import { systemOf } from '../spatialReference.ts'

const FILE = 'labels.gpkg'
/** SQLite's application id and user version of GeoPackage 1.3. */
const IDENTITY = 'PRAGMA application_id = 1196444487; PRAGMA user_version = 10300;'
const UNKNOWN_PLANE = -1

/** Writes one GeoPackage with a layer for each image, in the scene's coordinate system. */
export const geoPackage: ExportFormat = {
  files: () => [FILE],
  async write({ out, items, classes, signal, onProgress }) {
    await out.stream(FILE, async (_, path) => {
      await rm(path, { force: true })
      const { default: engine } = await import('node-sqlite3-wasm')
      const database = new engine.Database(path)
      try {
        database.exec(IDENTITY)
        database.exec('PRAGMA journal_mode = MEMORY')
        database.exec(TABLES)
        for (const [done, item] of items.entries()) {
          writeLayer(database, item, item.layer, await featuresOf(item, { classes, signal }))
          onProgress((done + 1) / items.length)
        }
      } catch (fault) {
        // SQLite's messages for a full disk.
        if (/disk I\/O error|database or disk is full/i.test((fault as Error).message))
          throw new SmaltiError('DiskFull', { path: join(out.folder, FILE) })
        throw fault
      } finally {
        database.close()
        await rm(`${path}.lock`, { recursive: true, force: true })
      }
    })
  }
}

const TABLES = `
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', NULL), ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL),
 ('WGS 84', 4326, 'EPSG', 4326, 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]', NULL);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER, CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
`

/** First number for coordinate systems without an authority's code. */
const FIRST_OWN = 100_000

/** Returns the number of a coordinate system in this file, and adds the system if needed. */
function referenceOf(database: sqlite.Database, place: Place): number {
  const system = systemOf(place)
  if (!system) return UNKNOWN_PLANE
  const { name, organisation, code, wkt } = system
  const known = database.get(
    'SELECT srs_id AS id FROM gpkg_spatial_ref_sys WHERE definition = ? OR (organization = ? AND organization_coordsys_id = ?)',
    [wkt, organisation, code ?? null]
  ) as { id: number } | undefined
  if (known) return known.id
  const last = database.get('SELECT MAX(srs_id) AS id FROM gpkg_spatial_ref_sys') as { id: number }
  const id = organisation === 'EPSG' && code !== undefined ? code : Math.max(FIRST_OWN, last.id + 1)
  database.run('INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)', [
    name,
    id,
    organisation,
    code ?? id,
    wkt
  ])
  return id
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

function writeLayer(
  database: sqlite.Database,
  item: ExportItem,
  name: string,
  features: readonly LabelFeature[]
): void {
  const srs = item.georeference?.transform ? referenceOf(database, item.georeference.place) : UNKNOWN_PLANE
  const placed = features.map((feature) => ({ ...feature, rings: sceneRings(feature, item) }))
  const box = placed
    .flatMap(({ rings }) => rings[0])
    .reduce(
      ([a, b, c, d], [x, y]) => [Math.min(a, x), Math.min(b, y), Math.max(c, x), Math.max(d, y)],
      [Infinity, Infinity, -Infinity, -Infinity]
    )
  database.run(
    'INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    [name, 'features', name, ...box.map((value) => (Number.isFinite(value) ? value : null)), srs]
  )
  database.run('INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, 0, 0)', [name, 'geom', 'POLYGON', srs])
  database.exec(
    `CREATE TABLE ${quoted(name)} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON, image TEXT, value INTEGER, name TEXT, colour TEXT, pixels DOUBLE, area DOUBLE)`
  )
  database.exec('BEGIN')
  const insert = database.prepare(
    `INSERT INTO ${quoted(name)} (geom, image, value, name, colour, pixels, area) VALUES (?, ?, ?, ?, ?, ?, ?)`
  )
  try {
    for (const { image, value, name: label, colour, pixels, area, rings } of placed)
      insert.run([polygonBlob(rings, srs), image, value, label, colour, pixels, area ?? null])
  } finally {
    insert.finalize()
  }
  database.exec('COMMIT')
}

/** Encodes a polygon as GeoPackage's header with an envelope, followed by well-known binary. */
function polygonBlob(rings: readonly (readonly [number, number])[][], srs: number): Buffer {
  const points = rings.reduce((sum, ring) => sum + ring.length, 0)
  const blob = Buffer.alloc(8 + 32 + 9 + 4 * rings.length + 16 * points)
  blob.write('GP')
  blob.writeUInt8(0b00000011, 3)
  blob.writeInt32LE(srs, 4)
  const [xs, ys] = [rings[0].map(([x]) => x), rings[0].map(([, y]) => y)]
  const extremes = [xs, ys].flatMap((values) => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b))
  ])
  extremes.forEach((value, i) => blob.writeDoubleLE(value, 8 + 8 * i))
  blob.writeUInt8(1, 40)
  blob.writeUInt32LE(3, 41)
  blob.writeUInt32LE(rings.length, 45)
  let at = 49
  for (const ring of rings) {
    blob.writeUInt32LE(ring.length, at)
    at += 4
    for (const [x, y] of ring) {
      blob.writeDoubleLE(x, at)
      blob.writeDoubleLE(y, at + 8)
      at += 16
    }
  }
  return blob
}
