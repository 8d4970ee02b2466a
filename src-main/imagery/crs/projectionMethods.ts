/** A parameter of a projection: EPSG's name and number, the GeoKeys that may contain it, and its kind. */
export interface MethodParameter {
  name: string
  code: number
  keys: readonly number[]
  kind: 'angle' | 'length' | 'scale'
}

/** A projection, as EPSG and PROJ name it. */
export interface ProjectionMethod {
  name: string
  code?: number
  parameters: readonly MethodParameter[]
}

/** GeoKeys of projection parameters (GeoTIFF 1.1, annex B). As in GDAL, keys that files confuse are interchangeable. */
const [STANDARD_1, STANDARD_2, NATURAL_LONGITUDE, NATURAL_LATITUDE, EASTING, NORTHING] = [
  3078, 3079, 3080, 3081, 3082, 3083
]
const [FALSE_LONGITUDE, FALSE_LATITUDE, FALSE_EASTING, FALSE_NORTHING] = [3084, 3085, 3086, 3087]
const [CENTRE_LONGITUDE, CENTRE_LATITUDE, CENTRE_EASTING, CENTRE_NORTHING] = [3088, 3089, 3090, 3091]
const [SCALE, CENTRE_SCALE, AZIMUTH, POLE_LONGITUDE, GRID_ANGLE] = [3092, 3093, 3094, 3095, 3096]

const LATITUDES = [NATURAL_LATITUDE, FALSE_LATITUDE, CENTRE_LATITUDE]
const LONGITUDES = [NATURAL_LONGITUDE, FALSE_LONGITUDE, CENTRE_LONGITUDE, POLE_LONGITUDE]
const EASTINGS = [EASTING, CENTRE_EASTING, FALSE_EASTING]
const NORTHINGS = [NORTHING, CENTRE_NORTHING, FALSE_NORTHING]
const SCALES = [SCALE, CENTRE_SCALE]

const angle = (name: string, code: number, keys: readonly number[]): MethodParameter => ({
  name,
  code,
  keys,
  kind: 'angle'
})
const length = (name: string, code: number, keys: readonly number[]): MethodParameter => ({
  name,
  code,
  keys,
  kind: 'length'
})

const originLatitude = angle('Latitude of natural origin', 8801, LATITUDES)
const originLongitude = angle('Longitude of natural origin', 8802, LONGITUDES)
const originScale: MethodParameter = { name: 'Scale factor at natural origin', code: 8805, keys: SCALES, kind: 'scale' }
const falseEasting = length('False easting', 8806, EASTINGS)
const falseNorthing = length('False northing', 8807, NORTHINGS)
const firstParallel = angle('Latitude of 1st standard parallel', 8823, [STANDARD_1])
const secondParallel = angle('Latitude of 2nd standard parallel', 8824, [STANDARD_2])
const conicLatitude = angle('Latitude of false origin', 8821, LATITUDES)
const conicLongitude = angle('Longitude of false origin', 8822, LONGITUDES)
const conicEasting = length('Easting at false origin', 8826, EASTINGS)
const conicNorthing = length('Northing at false origin', 8827, NORTHINGS)

const offsets = [falseEasting, falseNorthing] as const
const centred = [originLatitude, originLongitude, ...offsets] as const
const scaled = [originLatitude, originLongitude, originScale, ...offsets] as const
const conic = [conicLatitude, conicLongitude, firstParallel, secondParallel, conicEasting, conicNorthing] as const
const oblique = (easting: MethodParameter, northing: MethodParameter): MethodParameter[] => [
  angle('Latitude of projection centre', 8811, [CENTRE_LATITUDE, NATURAL_LATITUDE]),
  angle('Longitude of projection centre', 8812, [CENTRE_LONGITUDE, NATURAL_LONGITUDE]),
  angle('Azimuth at projection centre', 8813, [AZIMUTH]),
  angle('Angle from Rectified to Skew Grid', 8814, [GRID_ANGLE, AZIMUTH]),
  { name: 'Scale factor at projection centre', code: 8815, keys: [CENTRE_SCALE, SCALE], kind: 'scale' },
  easting,
  northing
]

const method = (name: string, code: number | undefined, parameters: readonly MethodParameter[]): ProjectionMethod => ({
  name,
  code,
  parameters
})

/**
 * Projections by ProjMethodGeoKey (GeoTIFF 1.1, 3075). Alaska's modified projections and the Laborde projection of
 * Madagascar aren't supported.
 */
const PROJECTION_METHODS: Readonly<Record<number, ProjectionMethod>> = {
  1: method('Transverse Mercator', 9807, scaled),
  3: method('Hotine Oblique Mercator (variant A)', 9812, oblique(falseEasting, falseNorthing)),
  7: method('Mercator (variant A)', 9804, scaled),
  8: method('Lambert Conic Conformal (2SP)', 9802, conic),
  9: method('Lambert Conic Conformal (1SP)', 9801, scaled),
  10: method('Lambert Azimuthal Equal Area', 9820, centred),
  11: method('Albers Equal Area', 9822, conic),
  12: method('Azimuthal Equidistant', 1125, centred),
  13: method('Equidistant Conic', 1119, conic),
  14: method('Stereographic', undefined, scaled),
  15: method('Polar Stereographic (variant A)', 9810, scaled),
  16: method('Oblique Stereographic', 9809, scaled),
  17: method('Equidistant Cylindrical', 1028, [firstParallel, originLatitude, originLongitude, ...offsets]),
  18: method('Cassini-Soldner', 9806, centred),
  19: method('Gnomonic', undefined, centred),
  20: method('Miller Cylindrical', undefined, [originLongitude, ...offsets]),
  21: method('Orthographic', 9840, centred),
  22: method('American Polyconic', 9818, centred),
  23: method('Robinson', undefined, [originLongitude, ...offsets]),
  24: method('Sinusoidal', undefined, [originLongitude, ...offsets]),
  25: method('Van Der Grinten', undefined, [originLongitude, ...offsets]),
  26: method('New Zealand Map Grid', 9811, centred),
  27: method('Transverse Mercator (South Orientated)', 9808, scaled),
  28: method('Lambert Cylindrical Equal Area', 9835, [firstParallel, originLongitude, ...offsets]),
  9815: method(
    'Hotine Oblique Mercator (variant B)',
    9815,
    oblique(
      length('Easting at projection centre', 8816, [CENTRE_EASTING, EASTING]),
      length('Northing at projection centre', 8817, [CENTRE_NORTHING, NORTHING])
    )
  )
}

/** Finds a method by its number. As in GDAL, the parameters decide between two variants of one method. */
export function methodOf(
  number: number,
  has: (key: number) => boolean,
  latitude: number
): ProjectionMethod | undefined {
  const isPole = Math.abs(Math.abs(latitude) - 90) < 1e-9
  if (number === 7 && has(STANDARD_1))
    return method('Mercator (variant B)', 9805, [firstParallel, originLongitude, ...offsets])
  if (number === 15 && !isPole)
    return method('Polar Stereographic (variant B)', 9829, [
      angle('Latitude of standard parallel', 8832, LATITUDES),
      angle('Longitude of origin', 8833, LONGITUDES),
      ...offsets
    ])
  return PROJECTION_METHODS[number]
}

/** GeoKeys that may contain the latitude of a projection's origin. */
export const ORIGIN_LATITUDES: readonly number[] = LATITUDES
