import { pairOfPlaces } from './pairOfPlaces.ts'

/** Pixels between near places, and the fewest between far ones. */
const [NEAR, FAR] = [11, 22]

/**
 * Co-occurrence (Isola et al. 2015, as IIC's authors reimplemented it): are two places `NEAR` pixels apart, or farther
 * than `FAR`? Half of the pairs are near. Differences from the paper, for speed: 256 units instead of 1024, no dropout.
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
