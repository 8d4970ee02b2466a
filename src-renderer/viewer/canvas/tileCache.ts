import type { TilePlace } from './camera.ts'

/** Requests that are under way at a time. */
const AT_A_TIME = 8
/** Milliseconds after which a tile that failed is asked for again: the first time, and at most. */
const [RETRY, LONGEST_RETRY] = [1000, 30_000]

export interface Tile<T> extends TilePlace {
  state: 'waiting' | 'loading' | 'ready' | 'failed'
  content?: T
  bytes: number
  /** Frame in which it was last wanted. */
  wanted: number
  /** How often the source had changed when it was asked for. */
  edition: number
  controller?: AbortController
  /** How often it failed in a row, and when it is asked for again. */
  failures: number
  retry?: ReturnType<typeof setTimeout>
}

const keyOf = ({ level, column, row }: TilePlace): string => `${level}/${column}/${row}`

/**
 * Tiles of one picture: those in sight are asked for, others that still wait or load are given up, and the oldest are
 * let go when too many bytes are kept. One that fails is asked for again, ever more rarely, while it is in sight.
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

  /** @param load  fetches a tile; rejects when it cannot be had */
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

  /** Takes note of what is in sight, the most urgent first. */
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
      // What fails shows that it failed; what was given up is no longer here.
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

  /** What the tiles hold has changed: each is drawn as it was until it has come anew. */
  renew(): void {
    this.#edition++
  }

  /** Tiles that can be drawn, coarse ones first. */
  get ready(): Tile<T>[] {
    return [...this.#tiles.values()].filter(({ content }) => content !== undefined).sort((a, b) => b.level - a.level)
  }

  /** Tiles that could not be had when they were last asked for. */
  get failed(): Tile<T>[] {
    return [...this.#tiles.values()].filter(({ failures }) => failures > 0)
  }

  /** Tiles that can be drawn and are to be seen: those wanted last if all are there, or else all, coarse ones first. */
  shown(places: readonly TilePlace[]): Tile<T>[] {
    const wanted = places
      .map((place) => this.#tiles.get(keyOf(place)))
      .filter((tile) => tile?.content !== undefined) as Tile<T>[]
    if (wanted.length === places.length) return wanted
    const level = places[0]?.level ?? 0
    // Beneath those that are missing lies what is known of their place, not of others.
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
