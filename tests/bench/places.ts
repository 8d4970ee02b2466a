import { spawnSync } from 'node:child_process'
import { placeFrom } from '../../src-main/imagery/crs/crs.ts'

/**
 * Compares all projected and geographic 2D codes of EPSG, at five points in their areas of use, with PROJ without grids
 * (Debian's, by GDAL's Python bindings). Prints the table of docs/places.md, and every code that is more than 5 m off.
 */
interface Asked {
  version: string
  systems: { code: string; name: string; points: [x: number, y: number, longitude: number, latitude: number][] }[]
}

const NEAR = 5
const METRES_OF_A_DEGREE = 111_320

const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['tests/bench/places.py'], {
  encoding: 'utf8',
  maxBuffer: 2 ** 28
})
if (status !== 0) throw new Error(`PROJ cannot be asked: ${stderr}`)
const { version, systems } = JSON.parse(stdout) as Asked

function metresOff(found: Float64Array, points: Asked['systems'][number]['points']): number {
  return Math.max(
    ...points.map(([, , longitude, latitude], i) => {
      const across = Math.abs(found[2 * i] - longitude) % 360
      const metres =
        METRES_OF_A_DEGREE *
        Math.hypot(Math.min(across, 360 - across) * Math.cos((latitude * Math.PI) / 180), found[2 * i + 1] - latitude)
      return Number.isNaN(metres) ? Infinity : metres
    })
  )
}

const counts = { near: 0, unknown: 0, off: 0, unanswered: 0, unansweredKnown: 0, ballpark: 0 }
const told: string[] = []
const started = performance.now()
for (const { code, name, points } of systems) {
  const place = await placeFrom(`EPSG:${code}`)
  if (points.length === 0) {
    counts.unanswered++
    if (place.known) counts.unansweredKnown++
    continue
  }
  if (!place.known) {
    counts.unknown++
    told.push(`${code} ${name}: unknown, ${place.reason}`)
    continue
  }
  const found = Float64Array.from(points.flatMap(([x, y]) => [x, y]))
  place.crs.toLonLat(found)
  if (place.crs.accuracyAt(points[0][2], points[0][3]) === undefined) counts.ballpark++
  const metres = metresOff(found, points)
  if (metres <= NEAR) counts.near++
  else {
    counts.off++
    told.push(
      `${code} ${name}: ${metres.toFixed(1)} m from PROJ ${version}; accuracy stated here ${place.crs.accuracyAt(points[0][2], points[0][3]) ?? 'unknown'}`
    )
  }
}
const compared = counts.near + counts.unknown + counts.off
console.log(told.join('\n'))
console.log(
  `\n| EPSG codes, projected and geographic 2D | ${systems.length} |\n|---|---|\n| compared with PROJ ${version} | ${compared} |\n| within ${NEAR} m at five points | ${counts.near} (${((100 * counts.near) / compared).toFixed(2)} %) |\n| unknown here | ${counts.unknown} |\n| farther from that PROJ | ${counts.off} |\n| PROJ ${version} has no answer (here known) | ${counts.unanswered} (${counts.unansweredKnown}) |\n| accuracy stated as unknown (datums taken to be equal, as PROJ does) | ${counts.ballpark} |`
)
console.log(
  `${((performance.now() - started) / 1e3).toFixed(0)} s, ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`
)
