/** Remembers what was made by its key, the `most` made last; failures are not remembered. */
export function remembered<V>(most: number): (key: string, make: () => Promise<V>) => Promise<V> {
  const known = new Map<string, Promise<V>>()
  return (key, make) => {
    const before = known.get(key)
    if (before) return before
    const made = make()
    known.set(key, made)
    made.catch(() => known.delete(key))
    if (known.size > most) known.delete(known.keys().next().value!)
    return made
  }
}
