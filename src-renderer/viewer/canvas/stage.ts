import type { CorrectionShape } from '../../../src-main/contract/classes.ts'
import type { CatalogueImage } from '../../../src-main/contract/imagery.ts'
import {
  type Camera,
  type Point,
  type TilePlace,
  coarsestLevel,
  fitted,
  inSight,
  levelOf,
  pixelAt,
  resized,
  tilesInSight,
  zoomed
} from './camera.ts'
import { type Tool, createDrawing } from './drawing.ts'
import { type Heat, type Look, type Paint, type Side, createPainter } from './painter.ts'
import { sharesWithin } from './labelShares.ts'
import { type PointerListener, followPointer } from './pointer.ts'
import { type Sources, createStageTiles } from './stageTiles.ts'

/** The events of a stage. */
export interface Listener extends PointerListener {
  moved(camera: Camera): void
  /** A lasso was drawn around labels, each with its share of the area. */
  encircled(shares: ReadonlyMap<number, number>): void
  /** A shape was drawn, which stays on screen until its change is saved and shown. */
  drawn(shape: CorrectionShape): Promise<void>
  /** The number of failed tiles changed, or whether all requests have settled. */
  loading(state: { failed: number; settled: boolean }): void
}

export interface Stage {
  /** Shows an image. @returns the number of the view, which identifies its requests */
  show(image: CatalogueImage, sources: Sources, keepCamera: boolean): number
  /** @param side  the labels to paint: those of the current run, or those they are compared with */
  setPaint(paint: Paint | undefined, side?: Side): void
  /** Shows other labels to the right of the divider. */
  compare(source: Sources['labels']): void
  setSwipe(share: number | undefined): void
  setLook(look: Look): void
  /** Shows probabilities in place of labels. */
  showHeat(source: Sources['labels']): void
  setHeat(heat: Heat | undefined): void
  /** Sets the tool of the left button; the other buttons always pan. */
  setTool(tool: Tool): void
  /** Shows permanent outlines, in image pixels. */
  outline(rings: readonly (readonly [number, number][])[]): void
  /** Loads the visible labels again after a change, and resolves when they are loaded. */
  renewLabels(): Promise<void>
  /** Move the tool's cursor by screen pixels, click at it, or close the shape that was begun. */
  moveCursor(x: number, y: number): void
  pressCursor(): void
  closeShape(): void
  /** Cancels the shape that was begun. @returns whether there was one */
  cancelShape(): boolean
  fit(): void
  actualSize(): void
  zoomBy(factor: number): void
  panBy(x: number, y: number): void
  /** Centres an image pixel. */
  centre(pixel: Point): void
  /** Centres an image pixel, and zooms in enough to see it. */
  goTo(pixel: Point): void
  destroy(): void
}

const NEAR = 1

/** Creates a stage: an image with its labels, to pan and zoom. Only visible tiles are loaded, at the zoom's level. */
export function createStage(host: HTMLElement, listener: Listener): Stage {
  const canvas = document.createElement('canvas')
  canvas.className = 'tiles'
  host.prepend(canvas)
  const drawing = document.createElement('div')
  drawing.className = 'drawing'
  host.append(drawing)
  const painter = createPainter(canvas)
  const shapes = createDrawing(drawing, {
    drawn: (shape) => listener.drawn(shape),
    encircled: (loop) =>
      listener.encircled(
        sharesWithin(
          painter,
          loop.map(({ x, y }) => ({ x: camera.x + x * camera.scale, y: camera.y + y * camera.scale })),
          view,
          ratio()
        )
      )
  })

  let image: CatalogueImage | undefined
  let camera: Camera = { x: 0, y: 0, scale: 1 }
  let view = { width: Math.max(1, host.clientWidth), height: Math.max(1, host.clientHeight) }
  let paint: Paint | undefined
  let tool: Tool = { kind: 'pan', radius: 1, colour: '#ffffff' }
  /** Screen position of the tool's cursor. */
  let cursor: Point | undefined
  let places: readonly TilePlace[] = []
  let frame = 0
  let swipe: number | undefined
  let heat: Heat | undefined
  const tiles = createStageTiles(painter, update)

  function draw(): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0
      const shownHeat = paint && tiles.heated ? heat : undefined
      const shownSwipe = tiles.comparing ? swipe : undefined
      if (image)
        painter.draw(camera, image, tiles.shown(places, paint !== undefined), { heat: shownHeat, swipe: shownSwipe })
    })
  }
  /** Requests the visible tiles and draws. */
  function update(): void {
    if (!image) return
    const level = Math.min(levelOf(camera, window.devicePixelRatio), coarsestLevel(image))
    places = tilesInSight(camera, level, image, view)
    listener.loading(tiles.want(places, level, image))
    draw()
  }
  function move(next: Camera): void {
    camera = next
    shapes.follow(camera, view)
    listener.moved(camera)
    update()
  }
  function centre(pixel: Point, scale: number): void {
    if (image)
      move(inSight({ scale, x: view.width / 2 - pixel.x * scale, y: view.height / 2 - pixel.y * scale }, image, view))
  }
  const middle = (): Point => ({ x: view.width / 2, y: view.height / 2 })
  const zoomTo = (scale: number, about: Point): void => void (image && move(zoomed(camera, scale, about, image, view)))
  const ratio = (): number => canvas.width / view.width
  const labelUnder = ({ x, y }: Point): number =>
    painter.labelsAt(Math.floor(x * ratio()), Math.floor(y * ratio()), 1, 1)[0]
  const stopFollowing = followPointer(host, shapes, listener, {
    image: () => image,
    camera: () => camera,
    view: () => view,
    tool: () => tool,
    move,
    zoomTo,
    labelUnder,
    setCursor: (at) => void (cursor = at)
  })
  const observer = new ResizeObserver(() => {
    const before = view
    view = { width: Math.max(1, host.clientWidth), height: Math.max(1, host.clientHeight) }
    canvas.width = Math.round(view.width * window.devicePixelRatio)
    canvas.height = Math.round(view.height * window.devicePixelRatio)
    if (image) move(resized(camera, image, before, view))
  })
  observer.observe(host)

  return {
    show(shown, sources, keepCamera) {
      const same = keepCamera && image !== undefined && image.width === shown.width && image.height === shown.height
      image = shown
      const number = tiles.open(sources)
      if (same) update()
      else move(fitted(image, view))
      return number
    },
    setPaint(next, side = 'own') {
      if (side === 'own') paint = next
      if (next) painter.setPaint(next, side)
      draw()
    },
    compare(source) {
      tiles.compare(source)
      update()
    },
    setSwipe(share) {
      swipe = share
      draw()
    },
    setLook(look) {
      painter.setLook(look)
      draw()
    },
    showHeat(source) {
      tiles.showHeat(source)
      update()
    },
    setHeat(next) {
      heat = next
      draw()
    },
    setTool(next) {
      tool = next
      shapes.setTool(next)
    },
    outline: (rings) => shapes.outline(rings),
    async renewLabels() {
      const settled = tiles.renewLabels()
      if (!settled) return
      update()
      await settled
    },
    moveCursor(x, y) {
      const at = cursor ?? middle()
      cursor = { x: Math.min(view.width, Math.max(0, at.x + x)), y: Math.min(view.height, Math.max(0, at.y + y)) }
      shapes.point(pixelAt(camera, cursor))
    },
    pressCursor() {
      const at = pixelAt(camera, cursor ?? middle())
      shapes.press(at)
      shapes.release(at, true)
    },
    closeShape: () => shapes.close(),
    cancelShape: () => shapes.cancel(),
    fit: () => void (image && move(fitted(image, view))),
    actualSize: () => zoomTo(1, middle()),
    zoomBy: (factor) => zoomTo(camera.scale * factor, middle()),
    panBy: (x, y) => void (image && move(inSight({ ...camera, x: camera.x + x, y: camera.y + y }, image, view))),
    centre: (pixel) => centre(pixel, camera.scale),
    goTo: (pixel) => centre(pixel, Math.max(camera.scale, NEAR)),
    destroy() {
      cancelAnimationFrame(frame)
      observer.disconnect()
      stopFollowing()
      tiles.close()
      painter.dispose()
      shapes.destroy()
      canvas.remove()
      drawing.remove()
    }
  }
}
