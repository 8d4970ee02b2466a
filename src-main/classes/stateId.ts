/** Sorts keys, because content read from a file and content made here may differ in their order alone. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/**
 * Identifies a state of the classes or groups by its content: equal content has an equal id, wherever it was made. 64
 * bits, from two FNV-1a hashes (http://www.isthe.com/chongo/tech/comp/fnv/), one of which mixes further.
 */
export function stateId(state: object): string {
  const text = JSON.stringify(state, sorted)
  let [one, other] = [0x811c9dc5, 0x01000193]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    one = Math.imul(one ^ unit, 0x01000193)
    other = Math.imul(other ^ unit ^ (other >>> 15), 0x85ebca6b)
  }
  return [one, other ^ (other >>> 13)].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
}
