import { SmaltiError } from '../../contract/errors.ts'

/** What one caller wants of shared work. */
export interface Wanted<V> {
  /** Does the work. Its signal is the work's own: it aborts when nobody waits any more. */
  make(signal: AbortSignal): Promise<V>
  /** Lets go of this caller's share alone. */
  signal?: AbortSignal
}

/** Work that several callers may wait for, and its results. */
export interface SharedWork<V> {
  /**
   * The value of a key, made by the first who asks.
   * @throws Cancelled when the caller's own signal aborts, and whatever `make` throws
   */
  get(key: string, wanted: Wanted<V>): Promise<V>
  /** Lends the value of a key to `work`: it isn't ended before `work` is over. @throws as `get`, and whatever `work` throws */
  use<R>(key: string, wanted: Wanted<V>, work: (value: V) => Promise<R>): Promise<R>
  /** Lets go of what matches; what is still made or lent ends when the last caller leaves. */
  forget(matches: (key: string) => boolean): Promise<void>
  /** Lets go of everything, and ends the work that is under way. */
  close(): Promise<void>
}

export interface SharedWorkOptions<V> {
  /** How much is kept, in the unit of `sizeOf`, beyond what is lent; the newest value is kept whatever its size, unless this is 0. */
  most: number
  /** Size of a value; each counts 1 when absent. */
  sizeOf?(value: V): number
  /** Ends a value that is no longer kept nor lent. */
  end?(value: V): Promise<void>
}

interface Entry<V> {
  value: Promise<V>
  controller: AbortController
  /** Callers that wait for the value or work with it. */
  holders: number
  /** Size of the value, once it is made. */
  size?: number
  /** No longer found by its key. */
  gone: boolean
}

/**
 * Keeps work by key while it is under way and its results afterwards, the least recently used going first. An abort lets
 * go of the caller's own share; the work itself is aborted when its last caller has left, and started again by the next.
 * A failure reaches those who wait for it and isn't remembered.
 */
export function sharedWork<V>({
  most,
  sizeOf = () => 1,
  end = () => Promise.resolve()
}: SharedWorkOptions<V>): SharedWork<V> {
  const entries = new Map<string, Entry<V>>()
  let kept = 0

  function start(key: string, make: Wanted<V>['make']): Entry<V> {
    const controller = new AbortController()
    const entry: Entry<V> = { value: make(controller.signal), controller, holders: 0, gone: false }
    entry.value.then(
      (value) => {
        entry.size = sizeOf(value)
        if (entry.gone) return
        kept += entry.size
        shrink(key)
      },
      () => letGo(key, entry)
    )
    return entry
  }

  /** An entry that is held from here on, so that nothing ends it before its caller has seen it. */
  function hold(key: string, { make, signal }: Wanted<V>): Entry<V> {
    if (signal?.aborted) throw new SmaltiError('Cancelled')
    const entry = entries.get(key) ?? start(key, make)
    entries.delete(key)
    entries.set(key, entry)
    entry.holders++
    return entry
  }

  async function release(key: string, entry: Entry<V>): Promise<void> {
    entry.holders--
    if (entry.holders > 0) return
    if (entry.size === undefined) {
      letGo(key, entry)
      entry.controller.abort()
      // Who has left doesn't wait for the work to notice.
      ended(entry).catch(() => undefined)
    } else if (entry.gone) await ended(entry)
    else shrink(key)
  }

  /** Takes an entry out of what is found. */
  function letGo(key: string, entry: Entry<V>): void {
    if (entry.gone) return
    entry.gone = true
    kept -= entry.size ?? 0
    if (entries.get(key) === entry) entries.delete(key)
  }

  async function ended({ value }: Entry<V>): Promise<void> {
    const made = await value.then(
      (found) => ({ found }),
      () => undefined
    )
    if (made) await end(made.found)
  }

  function shrink(newest: string): void {
    for (const [key, entry] of entries) {
      if (kept <= most) return
      if ((key === newest && most > 0) || entry.holders > 0 || entry.size === undefined) continue
      letGo(key, entry)
      ended(entry).catch(() => undefined)
    }
  }

  async function forget(matches: (key: string) => boolean, abort: boolean): Promise<void> {
    const found = [...entries].filter(([key]) => matches(key))
    for (const [key, entry] of found) {
      letGo(key, entry)
      if (abort) entry.controller.abort()
    }
    await Promise.all(found.map(async ([, entry]) => entry.holders === 0 && ended(entry)))
  }

  async function use<R>(key: string, wanted: Wanted<V>, work: (value: V) => R | Promise<R>): Promise<R> {
    const entry = hold(key, wanted)
    try {
      return await work(await unlessAborted(entry.value, wanted.signal))
    } finally {
      await release(key, entry)
    }
  }

  return {
    get: (key, wanted) => use(key, wanted, (value) => value),
    use,
    forget: (matches) => forget(matches, false),
    close: () => forget(() => true, true)
  }
}

/** A promise's value. @throws Cancelled as soon as the signal aborts */
export async function unlessAborted<V>(promise: Promise<V>, signal?: AbortSignal): Promise<V> {
  if (!signal) return promise
  if (signal.aborted) throw new SmaltiError('Cancelled')
  let leave = (): void => undefined
  const left = new Promise<never>((_, reject) => (leave = () => reject(new SmaltiError('Cancelled'))))
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([promise, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
