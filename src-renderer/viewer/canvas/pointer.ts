import { type Camera, type Point, inSight, pixelAt } from './camera.ts'
import type { CatalogueImage } from '../../../src-main/contract/imagery.ts'
import type { Drawing, Tool } from './drawing.ts'

/** A press that moves at most this many pixels is a click. */
const CLICK = 4

export interface PointerListener {
  /** The pointer moved to a pixel with a label; undefined when it has left. */
  pointed(found: { pixel: Point; label: number } | undefined): void
  /** A label was clicked. */
  picked(label: number, extend: boolean): void
}

/** The parts of a stage that its pointer works with. */
export interface PointedStage {
  image(): CatalogueImage | undefined
  camera(): Camera
  view(): { width: number; height: number }
  tool(): Tool
  move(camera: Camera): void
  zoomTo(scale: number, about: Point): void
  labelUnder(at: Point): number
  /** Sets the screen position of the tool's cursor. */
  setCursor(at: Point): void
}

/** Lets the pointer pan, zoom, pick and draw on a stage. @returns a function that removes its listeners */
export function followPointer(
  host: HTMLElement,
  shapes: Drawing,
  listener: PointerListener,
  stage: PointedStage
): () => void {
  const placeOf = ({ clientX, clientY }: MouseEvent): Point => {
    const { left, top } = host.getBoundingClientRect()
    return { x: clientX - left, y: clientY - top }
  }
  let press: { at: Point; camera: Camera; moves: boolean; still: boolean } | undefined
  const onDown = (event: PointerEvent): void => {
    if (event.button > 2 || !stage.image()) return
    host.setPointerCapture(event.pointerId)
    const at = placeOf(event)
    const moves = event.button !== 0 || stage.tool().kind === 'pan'
    press = { at, camera: stage.camera(), moves, still: true }
    if (!moves) shapes.press(pixelAt(stage.camera(), at))
  }
  const onMove = (event: PointerEvent): void => {
    const image = stage.image()
    if (!image) return
    const at = placeOf(event)
    stage.setCursor(at)
    if (!press) {
      shapes.point(pixelAt(stage.camera(), at))
      const pixel = pixelAt(stage.camera(), at)
      const inside = pixel.x >= 0 && pixel.y >= 0 && pixel.x < image.width && pixel.y < image.height
      listener.pointed(
        inside ? { pixel: { x: Math.floor(pixel.x), y: Math.floor(pixel.y) }, label: stage.labelUnder(at) } : undefined
      )
      return
    }
    // A drag points at nothing.
    if (press.still) listener.pointed(undefined)
    press.still &&= Math.hypot(at.x - press.at.x, at.y - press.at.y) <= CLICK
    if (!press.moves) {
      if (!press.still || stage.tool().kind === 'brush') shapes.drag(pixelAt(stage.camera(), at))
    } else
      stage.move(
        inSight(
          { ...press.camera, x: press.camera.x + at.x - press.at.x, y: press.camera.y + at.y - press.at.y },
          image,
          stage.view()
        )
      )
  }
  const onUp = (event: PointerEvent): void => {
    const ended = press
    press = undefined
    if (!ended) return
    const at = placeOf(event)
    if (!ended.moves) shapes.release(pixelAt(stage.camera(), at), ended.still)
    if (ended.still && event.button === 0 && (stage.tool().kind === 'pan' || stage.tool().kind === 'lasso'))
      listener.picked(stage.labelUnder(at), event.ctrlKey || event.metaKey || event.shiftKey)
  }
  const onLeave = (): void => {
    listener.pointed(undefined)
    shapes.point(undefined)
  }
  const onMenu = (event: Event): void => event.preventDefault()
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault()
    stage.zoomTo(stage.camera().scale * Math.exp(-event.deltaY / 400), placeOf(event))
  }
  const handlers = [
    ['pointerdown', onDown],
    ['pointermove', onMove],
    ['pointerup', onUp],
    ['pointerleave', onLeave],
    ['contextmenu', onMenu],
    ['wheel', onWheel]
  ] as const
  for (const [name, handler] of handlers) host.addEventListener(name, handler as EventListener, { passive: false })
  return () => {
    for (const [name, handler] of handlers) host.removeEventListener(name, handler as EventListener)
  }
}
