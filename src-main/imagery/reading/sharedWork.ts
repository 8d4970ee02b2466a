import { SmaltiError } from '../../contract/errors.ts'

/** One caller's request for shared work. */
export interface Wanted<V> {
  /** Does the work. The signal aborts when no caller is waiting any longer. */
  make(signal: AbortSignal): Promise<V>
  /** Withdraws only this caller's request. */
  signal?: AbortSignal
}

/** Work that several callers may wait for, and its results. */
export interface SharedWork<V> {
  /**
   * Returns the value of a key, made by the first caller.
   * @throws Cancelled when the caller's own signal aborts, and whatever `make` throws
   */
  get(key: string, wanted: Wanted<V>): Promise<V>
  /**
   * Passes the value of a key to `work` and keeps it alive until `work` is done.
   * @throws the same as `get`, and whatever `work` throws
   */
  use<R>(key: string, wanted: Wanted<V>, work: (value: V) => Promise<R>): Promise<R>
  /** Drops the matching values. A value that is being made or used ends when its last caller leaves. */
  forget(matches: (key: string) => boolean): Promise<void>
  /** Drops everything and aborts unfinished work. */
  close(): Promise<void>
}

/** How much shared work keeps, and how it is measured and ended. */
export interface SharedWorkOptions<V> {
  /**
   * Most that is kept beyond values in use, in the unit of `sizeOf`. The newest value is kept whatever its size, unless
   * this is 0.
   */
  most: number
  /** Returns a value's size; each value counts as 1 by default. */
  sizeOf?(value: V): number
  /** Ends a value that is neither kept nor in use. */
  end?(value: V): Promise<void>
}

interface Entry<V> {
  value: Promise<V>
  controller: AbortController
  /** Callers that wait for the value or work with it. */
  holders: number
  /** Size of the value, once it is made. */
  size?: number
  /** True once the entry can't be found by its key. */
  gone: boolean
}

/**
 * Keeps work by key while it is in progress, and its results afterwards; the least recently used are dropped first. An
 * abort withdraws only the caller's own request. The work itself is aborted when its last caller has left, and starts
 * again for the next. A failure reaches the callers that wait for it and isn't remembered.
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

  /** Marks an entry as held, so that nothing ends it before its caller has seen it. */
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
      // A caller that has left doesn't wait for the work to notice.
      ended(entry).catch(() => undefined)
    } else if (entry.gone) await ended(entry)
    else shrink(key)
  }

  /** Removes an entry, so that it can't be found by its key. */
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

/** Waits for a promise. @throws Cancelled as soon as the signal aborts */
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
