import type { CatalogueImage } from '../../../src-main/contract/imagery.ts'
import { TILE_SIDE } from '../../../src-main/contract/window/pictures.ts'
import { type TilePlace, coarsestLevel } from './camera.ts'
import type { Painter } from './painter.ts'
import { TileCache } from './tileCache.ts'

export interface Sources {
  /** Return the URL of a tile of the image, and of its labels. */
  picture(place: { level: number; column: number; row: number }): string
  labels?(place: { level: number; column: number; row: number }): string
}

/** Largest number of bytes cached for an image, and for its labels. */
const MOST_BYTES = { picture: 256 * 2 ** 20, labels: 96 * 2 ** 20 }
let views = 0

type Tiles = TileCache<WebGLTexture>
type Shown = Parameters<Painter['draw']>[2]

/** The tiles of an image, of its labels, of the labels they are compared with, and of a heatmap. */
export interface StageTiles {
  /** Replaces all tiles by those of another image. @returns the number of the view, which identifies its requests */
  open(sources: Sources): number
  compare(source: Sources['labels']): void
  showHeat(source: Sources['labels']): void
  /** Requests the tiles of some places, with the coarsest level beneath them. */
  want(places: readonly TilePlace[], level: number, image: CatalogueImage): { failed: number; settled: boolean }
  /** Returns the tiles that can be drawn for some places; labels only if they are painted. */
  shown(places: readonly TilePlace[], painted: boolean): Shown
  /** Starts loading the labels again. @returns a promise that resolves when they are loaded; undefined without labels */
  renewLabels(): Promise<void> | undefined
  readonly comparing: boolean
  readonly heated: boolean
  close(): void
}

/** @param onChange  called when a tile has arrived or failed */
export function createStageTiles(painter: Painter, onChange: () => void): StageTiles {
  let number = 0
  let pictures: Tiles | undefined
  let labels: Tiles | undefined
  let heat: Tiles | undefined
  let others: Tiles | undefined
  const settling: (() => void)[] = []

  async function fetched(address: string, signal: AbortSignal): Promise<Response> {
    const response = await fetch(`${address}&view=${number}`, { signal })
    if (response.status !== 200) throw new Error(await response.text())
    return response
  }
  /** Uploads one texture per frame, because several at once would make movement stutter. */
  let turn: Promise<unknown> = Promise.resolve()
  const nextTurn = (): Promise<unknown> =>
    (turn = turn.then(() => new Promise((resolve) => requestAnimationFrame(resolve))))
  const release = (texture: WebGLTexture): void => painter.release(texture)

  const pictureTiles = (source: Sources['picture']): Tiles =>
    new TileCache(
      async (place, signal) => {
        const blob = await (await fetched(source(place), signal)).blob()
        const bitmap = await createImageBitmap(blob, { premultiplyAlpha: 'none' })
        await nextTurn()
        const content = painter.pictureOf(bitmap)
        bitmap.close()
        return { content, bytes: 4 * TILE_SIDE ** 2 }
      },
      release,
      onChange,
      MOST_BYTES.picture
    )
  /** Creates a cache of tiles with one byte per pixel. */
  const byteTiles = (source: NonNullable<Sources['labels']>): Tiles =>
    new TileCache(
      async (place, signal) => {
        const response = await fetched(source(place), signal)
        const [width, height] = ['x-width', 'x-height'].map((name) => Number(response.headers.get(name)))
        const values = new Uint8Array(await response.arrayBuffer())
        await nextTurn()
        return { content: painter.bytesOf(values, { width, height }), bytes: TILE_SIDE ** 2 }
      },
      release,
      onChange,
      MOST_BYTES.labels
    )
  function close(): void {
    for (const cache of [pictures, labels, heat, others]) cache?.close()
    heat = others = undefined
    if (number > 0) window.smalti.abandonPictures(number)
  }
  return {
    open(sources) {
      close()
      number = ++views
      pictures = pictureTiles(sources.picture)
      labels = sources.labels && byteTiles(sources.labels)
      return number
    },
    compare(source) {
      others?.close()
      others = source && byteTiles(source)
    },
    showHeat(source) {
      heat?.close()
      heat = source && byteTiles(source)
    },
    want(places, level, image) {
      const coarse = coarsestLevel(image)
      const beneath = coarse > level ? [{ level: coarse, column: 0, row: 0 }] : []
      const caches = [pictures, labels, heat, others].filter((cache) => cache !== undefined)
      for (const cache of caches) cache.want([...beneath, ...places])
      if (labels?.settled !== false) for (const settled of settling.splice(0)) settled()
      return {
        failed: caches.reduce((sum, { failed }) => sum + failed.length, 0),
        settled: caches.every(({ settled }) => settled)
      }
    },
    shown: (places, painted) => ({
      pictures: pictures?.shown(places) ?? [],
      labels: painted ? (labels?.shown(places) ?? []) : [],
      others: painted ? (others?.shown(places) ?? []) : [],
      heat: heat?.shown(places) ?? []
    }),
    renewLabels() {
      if (!labels) return undefined
      labels.renew()
      return new Promise<void>((resolve) => settling.push(resolve))
    },
    get comparing() {
      return others !== undefined
    },
    get heated() {
      return heat !== undefined
    },
    close
  }
}
