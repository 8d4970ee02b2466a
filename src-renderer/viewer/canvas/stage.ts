import type { CorrectionShape } from '../../../src-main/contract/classes.ts'
import { TILE_SIDE } from '../../../src-main/contract/window/pictures.ts'
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
import { TileCache } from './tileCache.ts'

export interface Sources {
  /** Return the URL of a tile of the image, and of its labels. */
  picture(place: { level: number; column: number; row: number }): string
  labels?(place: { level: number; column: number; row: number }): string
}

/** The events of a stage. */
export interface Listener {
  moved(camera: Camera): void
  /** The pointer moved to a pixel with a label; undefined when it has left. */
  pointed(found: { pixel: Point; label: number } | undefined): void
  /** A label was clicked. */
  picked(label: number, extend: boolean): void
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

/** Largest number of bytes cached for an image, and for its labels. */
const MOST_BYTES = { picture: 256 * 2 ** 20, labels: 96 * 2 ** 20 }
const NEAR = 1
/** A press that moves at most this many pixels is a click. */
const CLICK = 4

let views = 0

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
        sharesWithin(loop.map(({ x, y }) => ({ x: camera.x + x * camera.scale, y: camera.y + y * camera.scale })))
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
  const settling: (() => void)[] = []
  let number = 0
  let frame = 0
  type Tiles = TileCache<WebGLTexture>
  let pictures: Tiles | undefined
  let labelTiles: Tiles | undefined
  let heatTiles: Tiles | undefined
  let otherTiles: Tiles | undefined
  let swipe: number | undefined
  let heat: Heat | undefined

  function draw(): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0
      if (image)
        painter.draw(
          camera,
          image,
          {
            pictures: pictures?.shown(places) ?? [],
            labels: paint ? (labelTiles?.shown(places) ?? []) : [],
            others: paint ? (otherTiles?.shown(places) ?? []) : [],
            heat: heatTiles?.shown(places) ?? []
          },
          { heat: paint && heatTiles ? heat : undefined, swipe: otherTiles && swipe }
        )
    })
  }
  /** Requests the visible tiles, with the coarsest level beneath them, and draws. */
  function update(): void {
    if (!image) return
    const level = Math.min(levelOf(camera, window.devicePixelRatio), coarsestLevel(image))
    places = tilesInSight(camera, level, image, view)
    const coarse = coarsestLevel(image)
    const beneath = coarse > level ? [{ level: coarse, column: 0, row: 0 }] : []
    pictures?.want([...beneath, ...places])
    labelTiles?.want([...beneath, ...places])
    heatTiles?.want([...beneath, ...places])
    otherTiles?.want([...beneath, ...places])
    const caches = [pictures, labelTiles, heatTiles, otherTiles].filter((cache) => cache !== undefined)
    if (labelTiles?.settled !== false) for (const settled of settling.splice(0)) settled()
    listener.loading({
      failed: caches.reduce((sum, { failed }) => sum + failed.length, 0),
      settled: caches.every(({ settled }) => settled)
    })
    draw()
  }
  function move(next: Camera): void {
    camera = next
    shapes.follow(camera, view)
    listener.moved(camera)
    update()
  }
  async function fetched(address: string, signal: AbortSignal): Promise<Response> {
    const response = await fetch(`${address}&view=${number}`, { signal })
    if (response.status !== 200) throw new Error(await response.text())
    return response
  }
  /** Uploads one texture per frame, because several at once would make movement stutter. */
  let turn: Promise<unknown> = Promise.resolve()
  const nextTurn = (): Promise<unknown> =>
    (turn = turn.then(() => new Promise((resolve) => requestAnimationFrame(resolve))))

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
      (texture) => painter.release(texture),
      update,
      MOST_BYTES.labels
    )
  function close(): void {
    pictures?.close()
    labelTiles?.close()
    heatTiles?.close()
    otherTiles?.close()
    heatTiles = otherTiles = undefined
    if (number > 0) window.smalti.abandonPictures(number)
  }
  function centre(pixel: Point, scale: number): void {
    if (image)
      move(inSight({ scale, x: view.width / 2 - pixel.x * scale, y: view.height / 2 - pixel.y * scale }, image, view))
  }
  const middle = (): Point => ({ x: view.width / 2, y: view.height / 2 })
  const zoomTo = (scale: number, about: Point): void => void (image && move(zoomed(camera, scale, about, image, view)))

  const placeOf = ({ clientX, clientY }: MouseEvent): Point => {
    const { left, top } = host.getBoundingClientRect()
    return { x: clientX - left, y: clientY - top }
  }
  const ratio = (): number => canvas.width / view.width
  const labelUnder = ({ x, y }: Point): number =>
    painter.labelsAt(Math.floor(x * ratio()), Math.floor(y * ratio()), 1, 1)[0]

  let press: { at: Point; camera: Camera; moves: boolean; still: boolean } | undefined
  const onDown = (event: PointerEvent): void => {
    if (event.button > 2 || !image) return
    host.setPointerCapture(event.pointerId)
    const at = placeOf(event)
    const moves = event.button !== 0 || tool.kind === 'pan'
    press = { at, camera, moves, still: true }
    if (!moves) shapes.press(pixelAt(camera, at))
  }
  const onMove = (event: PointerEvent): void => {
    if (!image) return
    const at = placeOf(event)
    cursor = at
    if (!press) {
      shapes.point(pixelAt(camera, at))
      const pixel = pixelAt(camera, at)
      const inside = pixel.x >= 0 && pixel.y >= 0 && pixel.x < image.width && pixel.y < image.height
      listener.pointed(
        inside ? { pixel: { x: Math.floor(pixel.x), y: Math.floor(pixel.y) }, label: labelUnder(at) } : undefined
      )
      return
    }
    // A drag points at nothing.
    if (press.still) listener.pointed(undefined)
    press.still &&= Math.hypot(at.x - press.at.x, at.y - press.at.y) <= CLICK
    if (!press.moves) {
      if (!press.still || tool.kind === 'brush') shapes.drag(pixelAt(camera, at))
    } else
      move(
        inSight(
          { ...press.camera, x: press.camera.x + at.x - press.at.x, y: press.camera.y + at.y - press.at.y },
          image,
          view
        )
      )
  }
  const onUp = (event: PointerEvent): void => {
    const ended = press
    press = undefined
    if (!ended) return
    const at = placeOf(event)
    if (!ended.moves) shapes.release(pixelAt(camera, at), ended.still)
    if (ended.still && event.button === 0 && (tool.kind === 'pan' || tool.kind === 'lasso'))
      listener.picked(labelUnder(at), event.ctrlKey || event.metaKey || event.shiftKey)
  }
  const onLeave = (): void => {
    listener.pointed(undefined)
    shapes.point(undefined)
  }
  const onMenu = (event: Event): void => event.preventDefault()
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault()
    zoomTo(camera.scale * Math.exp(-event.deltaY / 400), placeOf(event))
  }

  /** Returns the share of each label within a loop on screen. */
  function sharesWithin(loop: readonly Point[]): Map<number, number> {
    const [xs, ys] = [loop.map(({ x }) => x), loop.map(({ y }) => y)]
    const [left, top] = [Math.max(0, Math.floor(Math.min(...xs))), Math.max(0, Math.floor(Math.min(...ys)))]
    const [right, bottom] = [
      Math.min(view.width, Math.ceil(Math.max(...xs))),
      Math.min(view.height, Math.ceil(Math.max(...ys)))
    ]
    const [width, height] = [Math.floor((right - left) * ratio()), Math.floor((bottom - top) * ratio())]
    const shares = new Map<number, number>()
    if (width < 1 || height < 1) return shares
    const found = painter.labelsAt(Math.floor(left * ratio()), Math.floor(top * ratio()), width, height)
    const area = new Path2D()
    for (let i = 0; i < xs.length; i++) area.lineTo((xs[i] - left) * ratio(), (ys[i] - top) * ratio())
    area.closePath()
    const mask = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!
    mask.fill(area)
    const { data } = mask.getImageData(0, 0, width, height)
    let inside = 0
    found.forEach((label, i) => {
      if (data[4 * i + 3] < 128 || label === 255) return
      inside++
      shares.set(label, (shares.get(label) ?? 0) + 1)
    })
    for (const [label, count] of shares) shares.set(label, count / inside)
    return shares
  }

  host.addEventListener('pointerdown', onDown)
  host.addEventListener('pointermove', onMove)
  host.addEventListener('pointerup', onUp)
  host.addEventListener('pointerleave', onLeave)
  host.addEventListener('contextmenu', onMenu)
  host.addEventListener('wheel', onWheel, { passive: false })
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
      close()
      number = ++views
      const same = keepCamera && image !== undefined && image.width === shown.width && image.height === shown.height
      image = shown
      pictures = new TileCache(
        async (place, signal) => {
          const bitmap = await createImageBitmap(await (await fetched(sources.picture(place), signal)).blob(), {
            premultiplyAlpha: 'none'
          })
          await nextTurn()
          const content = painter.pictureOf(bitmap)
          bitmap.close()
          return { content, bytes: 4 * TILE_SIDE ** 2 }
        },
        (texture) => painter.release(texture),
        update,
        MOST_BYTES.picture
      )
      labelTiles = sources.labels && byteTiles(sources.labels)
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
      otherTiles?.close()
      otherTiles = source && byteTiles(source)
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
      heatTiles?.close()
      heatTiles = source && byteTiles(source)
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
      if (!labelTiles) return
      labelTiles.renew()
      const settled = new Promise<void>((resolve) => settling.push(resolve))
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
      for (const [name, handler] of [
        ['pointerdown', onDown],
        ['pointermove', onMove],
        ['pointerup', onUp],
        ['pointerleave', onLeave],
        ['wheel', onWheel],
        ['contextmenu', onMenu]
      ] as const)
        host.removeEventListener(name, handler as EventListener)
      close()
      painter.dispose()
      shapes.destroy()
      canvas.remove()
      drawing.remove()
    }
  }
}
