import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** A source of uniform numbers in [0, 1). */
export type Uniform = () => number

/** First numbers to discard, because the generator's are alike for similar seeds. */
const DISCARDED = 32

/** Returns a stream of uniform numbers that depends only on the seed and the stream's numbers. */
export function uniformFrom(seed: number, ...stream: number[]): Uniform {
  const generator = xoroshiro128plus(
    stream.reduce((hash, part) => Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15), seed | 0)
  )
  for (let i = 0; i < DISCARDED; i++) generator.next()
  return () => uniformInt(generator, 0, 0x3fffffff) / 0x40000000
}

/** Returns standard normal numbers by the Box–Muller transform. */
export function normalFrom(uniform: Uniform): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

export function integerBelow(limit: number, uniform: Uniform): number {
  return Math.min(Math.floor(uniform() * limit), limit - 1)
}
