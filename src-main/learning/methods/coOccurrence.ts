import { pairOfPlaces } from './pairOfPlaces.ts'

/** Pixels between places that are near each other, and between those that are not, at least. */
const [NEAR, FAR] = [11, 22]

/**
 * Co-occurrence (Isola et al. 2015, as the authors of IIC rebuilt it): do two places lie `NEAR` pixels apart, or farther
 * than `FAR`? Half of the pairs do. Changed for time: 256 units for 1024, no dropout.
 */
export const coOccurrence = pairOfPlaces('co-occurrence', 2, (stride, side, uniform) => {
  const near = uniform() < 0.5
  const farthest = Math.max(FAR, (side - 1) * stride)
  const length = near ? NEAR : FAR + (farthest - FAR) * uniform()
  const angle = 2 * Math.PI * uniform()
  return {
    rows: Math.round((length * Math.sin(angle)) / stride),
    columns: Math.round((length * Math.cos(angle)) / stride),
    answer: Number(near)
  }
})
