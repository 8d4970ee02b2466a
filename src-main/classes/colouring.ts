/**
 * Colours for neighbouring classes: as far apart as possible for all kinds of colour vision, and farthest for classes
 * that share much border. Differences are measured in CIELAB; the smallest counts among full colour vision, protanopia
 * and deuteranopia (Machado, Oliveira and Fernandes 2009, severity 1).
 */

type Triple = readonly [number, number, number]

const PROTAN: readonly Triple[] = [
  [0.152286, 1.052583, -0.204868],
  [0.114503, 0.786281, 0.099216],
  [-0.003882, -0.048116, 1.051998]
]
const DEUTAN: readonly Triple[] = [
  [0.367322, 0.860646, -0.227968],
  [0.280085, 0.672501, 0.047413],
  [-0.01182, 0.04294, 0.968881]
]
const XYZ: readonly Triple[] = [
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505]
]
const WHITE: Triple = [0.9505, 1, 1.089]

const applied = (matrix: readonly Triple[], [x, y, z]: Triple): Triple =>
  matrix.map(([a, b, c]) => a * x + b * y + c * z) as unknown as Triple

/** Converts linear red, green and blue, 0…1, to CIELAB. */
function lab(linear: Triple): Triple {
  const [x, y, z] = applied(XYZ, linear.map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple).map(
    (value, i) => {
      const t = value / WHITE[i]
      return t > 216 / 24389 ? Math.cbrt(t) : (t * 24389) / 27 / 116 + 16 / 116
    }
  )
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

interface Candidate {
  colour: string
  seen: readonly Triple[]
}

function candidateOf(rgb: Triple): Candidate {
  const linear = rgb.map((value) =>
    value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4
  ) as unknown as Triple
  return {
    colour: `#${rgb.map((value) => value.toString(16).padStart(2, '0')).join('')}`,
    seen: [linear, applied(PROTAN, linear), applied(DEUTAN, linear)].map(lab)
  }
}

/** Distance between two colours for the kind of vision that distinguishes them least. */
function apart(a: Candidate, b: Candidate): number {
  return Math.min(
    ...a.seen.map((seen, i) => Math.hypot(seen[0] - b.seen[i][0], seen[1] - b.seen[i][1], seen[2] - b.seen[i][2]))
  )
}

/** Values of red, green and blue to try; a finer grid for many classes. */
const STEPS = [0, 51, 102, 153, 204, 255]
const FINE_STEPS = Array.from({ length: 9 }, (_, i) => Math.round((255 * i) / 8))
const MANY = 100
/**
 * Palettes for few classes, designed for maps and for all kinds of colour vision: Okabe and Ito's, and Tol's muted and
 * bright ones.
 */
const MADE = [
  '#e69f00',
  '#56b4e9',
  '#009e73',
  '#f0e442',
  '#0072b2',
  '#d55e00',
  '#cc79a7',
  '#332288',
  '#88ccee',
  '#117733',
  '#ddcc77',
  '#cc6677',
  '#882255',
  '#aa4499',
  '#ee6677',
  '#ccbb44',
  '#66ccee',
  '#aa3377'
]
const FEW = 12
/** Lightness limits, so that no colour passes for shadow or glare. */
const [DARKEST, BRIGHTEST] = [22, 92]
/** Classes that share all their border have to be 1 + this times as far apart. */
const NEIGHBOURS = 3

/** Returns the distance between two colours, `#rrggbb`, for the kind of vision that distinguishes them least. */
export const colourDistance = (a: string, b: string): number =>
  apart(candidateOf(rgbTriple(a)), candidateOf(rgbTriple(b)))
const rgbTriple = (colour: string): Triple =>
  [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as unknown as Triple

/**
 * Chooses a colour for each class, far from the colours of its neighbours.
 *
 * @param beside  for each class, the share 0…1 of its border with each other class
 * @returns       a different colour for each
 */
export function distantColours(beside: readonly (readonly number[])[]): string[] {
  const steps = beside.length > MANY ? FINE_STEPS : STEPS
  const grid = (): Triple[] => steps.flatMap((r) => steps.flatMap((g) => steps.map((b): Triple => [r, g, b])))
  const candidates = (beside.length <= FEW ? MADE.map(rgbTriple) : grid())
    .map(candidateOf)
    .filter(({ seen: [[lightness]] }) => lightness >= DARKEST && lightness <= BRIGHTEST)
  const weight = (a: number, b: number): number => 1 + NEIGHBOURS * Math.max(beside[a][b], beside[b][a])
  const total = beside.map(
    (row, i) => row.reduce((a, b) => a + b, 0) + beside.reduce((sum, other) => sum + other[i], 0)
  )
  const order = beside.map((_, i) => i).sort((a, b) => total[b] - total[a])
  const given = new Map<number, Candidate>()
  for (const own of order) {
    let [best, farthest] = [candidates[0], -1]
    for (const candidate of candidates) {
      let nearest = given.size === 0 ? candidate.seen[0][0] : Infinity
      for (const [other, colour] of given) nearest = Math.min(nearest, apart(candidate, colour) / weight(own, other))
      if (nearest > farthest) [best, farthest] = [candidate, nearest]
    }
    given.set(own, best)
    candidates.splice(candidates.indexOf(best), 1)
  }
  return beside.map((_, i) => given.get(i)!.colour)
}
