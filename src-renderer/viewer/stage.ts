import Konva from 'konva'
import { TILE_SIDE } from '../../src-main/contract/commands.ts'
import type { CatalogueImage } from '../../src-main/contract/imagery.ts'
import type { HeadName } from '../../src-main/contract/settings.ts'
import { pictureUrl } from '../engine.ts'

export interface LabelSource {
  project: string
  head: HeadName
  version: number
}

export interface Stage {
  showImage(project: string, image: CatalogueImage): void
  showLabels(labels: LabelSource | undefined): void
  setOpacity(opacity: number): void
  fit(): void
  actualSize(): void
  zoomBy(factor: number): void
  destroy(): void
}

const LARGEST_ZOOM = 32
const MARGIN = 24

/** A picture with its label overlay, panned and zoomed; only the tiles in sight are asked for, at the zoom's level. */
export function createStage(host: HTMLDivElement, onZoom: (scale: number) => void): Stage {
  const stage = new Konva.Stage({ container: host, width: host.clientWidth, height: host.clientHeight, draggable: true })
  const picture = createTileLayer(stage)
  const overlay = createTileLayer(stage)
  let image: CatalogueImage | undefined

  function update(): void {
    onZoom(stage.scaleX())
    picture.update()
    overlay.update()
  }
  function zoomTo(scale: number, about: { x: number; y: number }): void {
    const before = stage.scaleX()
    const smallest = image ? Math.min(1, fittingScale(image)) / 2 : 0.01
    const next = Math.min(Math.max(scale, smallest), LARGEST_ZOOM)
    const place = { x: (about.x - stage.x()) / before, y: (about.y - stage.y()) / before }
    stage.scale({ x: next, y: next })
    stage.position({ x: about.x - place.x * next, y: about.y - place.y * next })
    update()
  }
  const middle = (): { x: number; y: number } => ({ x: stage.width() / 2, y: stage.height() / 2 })
  const fittingScale = ({ width, height }: CatalogueImage): number =>
    Math.max(1e-3, Math.min((stage.width() - 2 * MARGIN) / width, (stage.height() - 2 * MARGIN) / height))

  function fit(): void {
    if (!image) return
    const scale = fittingScale(image)
    stage.scale({ x: scale, y: scale })
    stage.position({ x: (stage.width() - image.width * scale) / 2, y: (stage.height() - image.height * scale) / 2 })
    update()
  }

  stage.on('wheel', ({ evt }) => {
    evt.preventDefault()
    zoomTo(stage.scaleX() * Math.exp(-evt.deltaY / 400), stage.getPointerPosition() ?? middle())
  })
  stage.on('dragmove dragend', update)
  const observer = new ResizeObserver(() => {
    stage.size({ width: host.clientWidth, height: host.clientHeight })
    update()
  })
  observer.observe(host)

  return {
    showImage(project, shown) {
      image = shown
      picture.show(shown, (place) => pictureUrl('tile', { file: shown.file, project, ...place }), true)
      overlay.clear()
      fit()
    },
    showLabels(labels) {
      if (!labels || !image) {
        overlay.clear()
        return
      }
      const { project, head, version } = labels
      const { path } = image
      overlay.show(image, (place) => pictureUrl('label', { project, head, path, version, ...place }), false)
      overlay.update()
    },
    setOpacity: (opacity) => overlay.layer.opacity(opacity),
    fit,
    actualSize: () => zoomTo(1, middle()),
    zoomBy: (factor) => zoomTo(stage.scaleX() * factor, middle()),
    destroy() {
      observer.disconnect()
      stage.destroy()
    }
  }
}

interface TilePlace extends Record<string, number> {
  level: number
  column: number
  row: number
}

interface TileLayer {
  layer: Konva.Layer
  show(image: CatalogueImage, url: (place: TilePlace) => string, smooth: boolean): void
  update(): void
  clear(): void
}

function createTileLayer(stage: Konva.Stage): TileLayer {
  const layer = new Konva.Layer({ listening: false })
  stage.add(layer)
  let source: { image: CatalogueImage; url: (place: TilePlace) => string } | undefined
  const tiles = new Map<string, Konva.Image>()

  function clear(): void {
    source = undefined
    tiles.clear()
    layer.destroyChildren()
  }

  function load(address: string, key: string, area: { x: number; y: number; width: number; height: number }): void {
    const element = new Image()
    const tile = new Konva.Image({ image: element, ...area, visible: false })
    tiles.set(key, tile)
    layer.add(tile)
    element.crossOrigin = 'anonymous'
    element.onload = () => {
      tile.visible(true)
      if (source) dropOthers(source.image)
    }
    element.src = address
  }

  /** Coarser and finer tiles stay until those of the present level are there. */
  function dropOthers(image: CatalogueImage): void {
    const wanted = visibleTiles(stage, image)
    const complete = wanted.every(({ level, column, row }) => tiles.get(`${level}/${column}/${row}`)?.visible())
    if (!complete) return
    const level = String(wanted[0]?.level)
    for (const [key, tile] of tiles) {
      if (key.split('/')[0] === level) continue
      tile.destroy()
      tiles.delete(key)
    }
  }

  return {
    layer,
    clear,
    show(image, url, smooth) {
      clear()
      layer.imageSmoothingEnabled(smooth)
      source = { image, url }
    },
    update() {
      if (!source) return
      for (const place of visibleTiles(stage, source.image)) {
        const key = `${place.level}/${place.column}/${place.row}`
        if (tiles.has(key)) continue
        const span = TILE_SIDE * 2 ** place.level
        const [x, y] = [place.column * span, place.row * span]
        load(source.url(place), key, { x, y, width: Math.min(span, source.image.width - x), height: Math.min(span, source.image.height - y) })
      }
      dropOthers(source.image)
    }
  }
}

/** Tiles in sight at the level whose pixels are nearest to the screen's, not coarser. */
function visibleTiles(stage: Konva.Stage, { width, height }: CatalogueImage): TilePlace[] {
  const scale = stage.scaleX()
  const level = Math.max(0, Math.floor(Math.log2(1 / (scale * window.devicePixelRatio))))
  const span = TILE_SIDE * 2 ** level
  const range = (offset: number, view: number, side: number): [number, number] => {
    const from = Math.max(0, Math.floor(-offset / scale / span))
    const to = Math.min(Math.ceil(side / span), Math.ceil((view - offset) / scale / span))
    return [from, to]
  }
  const [left, right] = range(stage.x(), stage.width(), width)
  const [top, bottom] = range(stage.y(), stage.height(), height)
  const places: TilePlace[] = []
  for (let row = top; row < bottom; row++) for (let column = left; column < right; column++) places.push({ level, column, row })
  return places
}
