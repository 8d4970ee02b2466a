import type { TilePlace } from './camera.ts'

/** Largest number of simultaneous requests. */
const AT_A_TIME = 8
/** Milliseconds before a failed tile is requested again: the first time, and at most. */
const [RETRY, LONGEST_RETRY] = [1000, 30_000]

export interface Tile<T> extends TilePlace {
  state: 'waiting' | 'loading' | 'ready' | 'failed'
  content?: T
  bytes: number
  /** Frame in which the tile was last wanted. */
  wanted: number
  /** Edition of the source when the tile was requested. */
  edition: number
  controller?: AbortController
  /** Consecutive failures, and the timer of the next request. */
  failures: number
  retry?: ReturnType<typeof setTimeout>
}

const keyOf = ({ level, column, row }: TilePlace): string => `${level}/${column}/${row}`

/**
 * The tiles of one image. Visible tiles are requested, pending requests of others are cancelled, and the oldest tiles
 * are released when the cache exceeds its size. A failed tile is requested again, ever more rarely, while visible.
 */
export class TileCache<T> {
  readonly #tiles = new Map<string, Tile<T>>()
  readonly #load: (place: TilePlace, signal: AbortSignal) => Promise<{ content: T; bytes: number }>
  readonly #release: (content: T) => void
  readonly #onChange: () => void
  readonly #mostBytes: number
  #frame = 0
  #edition = 0
  #closed = false

  /** @param load  fetches a tile; rejects if the tile is not available */
  constructor(
    load: (place: TilePlace, signal: AbortSignal) => Promise<{ content: T; bytes: number }>,
    release: (content: T) => void,
    onChange: () => void,
    mostBytes: number
  ) {
    this.#load = load
    this.#release = release
    this.#onChange = onChange
    this.#mostBytes = mostBytes
  }

  /** Sets the visible tiles, the most urgent first. */
  want(places: readonly TilePlace[]): void {
    this.#frame++
    for (const place of places) {
      const known = this.#tiles.get(keyOf(place))
      if (known) known.wanted = this.#frame
      else
        this.#tiles.set(keyOf(place), {
          ...place,
          state: 'waiting',
          bytes: 0,
          wanted: this.#frame,
          edition: this.#edition,
          failures: 0
        })
    }
    for (const [key, tile] of this.#tiles) {
      if (
        tile.wanted === this.#frame ||
        (tile.edition === this.#edition && (tile.state === 'ready' || tile.state === 'failed'))
      )
        continue
      this.#giveUp(tile)
      this.#tiles.delete(key)
    }
    this.#start(places)
    this.#shrink()
  }

  #start(places: readonly TilePlace[]): void {
    let loading = [...this.#tiles.values()].filter(({ state }) => state === 'loading').length
    for (const place of places) {
      if (loading >= AT_A_TIME) return
      const tile = this.#tiles.get(keyOf(place))
      if (!tile || (tile.state !== 'waiting' && (tile.edition === this.#edition || tile.state === 'loading'))) continue
      loading++
      void this.#fetch(tile)
    }
  }

  async #fetch(tile: Tile<T>): Promise<void> {
    clearTimeout(tile.retry)
    tile.state = 'loading'
    tile.edition = this.#edition
    tile.controller = new AbortController()
    const { signal } = tile.controller
    try {
      const { level, column, row } = tile
      const { content, bytes } = await this.#load({ level, column, row }, signal)
      if (signal.aborted || this.#closed) this.#release(content)
      else {
        if (tile.content !== undefined) this.#release(tile.content)
        Object.assign(tile, { state: 'ready', content, bytes, failures: 0 })
      }
    } catch {
      // Failures are shown; a cancelled tile is not in the cache.
      if (!signal.aborted && !this.#closed) this.#fail(tile)
    }
    if (!this.#closed) this.#onChange()
  }

  #fail(tile: Tile<T>): void {
    tile.state = 'failed'
    const again = (): void => {
      tile.state = 'waiting'
      this.#onChange()
    }
    tile.retry = setTimeout(again, Math.min(RETRY * 2 ** tile.failures++, LONGEST_RETRY))
  }

  #giveUp(tile: Tile<T>): void {
    tile.controller?.abort()
    clearTimeout(tile.retry)
    if (tile.content !== undefined) this.#release(tile.content)
  }

  #shrink(): void {
    let kept = 0
    for (const { bytes } of this.#tiles.values()) kept += bytes
    if (kept <= this.#mostBytes) return
    const spare = [...this.#tiles]
      .filter(([, tile]) => tile.wanted !== this.#frame && tile.content !== undefined)
      .sort(([, a], [, b]) => a.wanted - b.wanted)
    for (const [key, tile] of spare) {
      if (kept <= this.#mostBytes) return
      kept -= tile.bytes
      this.#release(tile.content!)
      this.#tiles.delete(key)
    }
  }

  /** Marks all tiles as outdated. Each is drawn as it was until its new version arrives. */
  renew(): void {
    this.#edition++
  }

  /** The tiles that can be drawn, coarse ones first. */
  get ready(): Tile<T>[] {
    return [...this.#tiles.values()].filter(({ content }) => content !== undefined).sort((a, b) => b.level - a.level)
  }

  /** The tiles whose last request failed. */
  get failed(): Tile<T>[] {
    return [...this.#tiles.values()].filter(({ failures }) => failures > 0)
  }

  /** Returns the tiles to draw, coarse ones first: those wanted, and others only where a wanted tile is missing. */
  shown(places: readonly TilePlace[]): Tile<T>[] {
    const wanted = places
      .map((place) => this.#tiles.get(keyOf(place)))
      .filter((tile) => tile?.content !== undefined) as Tile<T>[]
    if (wanted.length === places.length) return wanted
    const level = places[0]?.level ?? 0
    // Other levels fill in for missing tiles, but not for those that are there.
    const missing = places.filter((place) => this.#tiles.get(keyOf(place))?.content === undefined)
    const covers = (tile: TilePlace, place: TilePlace): boolean => {
      const [fine, coarse] = tile.level < place.level ? [tile, place] : [place, tile]
      const step = 2 ** (coarse.level - fine.level)
      return Math.floor(fine.column / step) === coarse.column && Math.floor(fine.row / step) === coarse.row
    }
    return [
      ...this.ready.filter((tile) => tile.level !== level && missing.some((place) => covers(tile, place))),
      ...wanted
    ]
  }

  get settled(): boolean {
    return [...this.#tiles.values()].every(
      ({ state, edition, failures }) => edition === this.#edition && (state === 'ready' || failures > 0)
    )
  }

  close(): void {
    this.#closed = true
    for (const tile of this.#tiles.values()) this.#giveUp(tile)
    this.#tiles.clear()
  }
}
