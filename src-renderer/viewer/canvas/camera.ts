import { TILE_SIDE } from '../../../src-main/contract/window/pictures.ts'

export interface Size {
  width: number
  height: number
}
export interface Point {
  x: number
  y: number
}

/** Where an image is on screen: its first pixel at (x, y), each pixel `scale` wide, in CSS pixels. */
export interface Camera extends Point {
  scale: number
}

const LARGEST_ZOOM = 64
/** Smallest zoom, as a share of the zoom that fits the image. */
const SMALLEST = 0.5
const MARGIN = 24
const LARGEST_FIT = 3
/** Share of the screen that the image always reaches into. */
const KEPT_IN_SIGHT = 0.25

const fittingScale = (image: Size, view: Size): number =>
  Math.max(1e-4, Math.min((view.width - 2 * MARGIN) / image.width, (view.height - 2 * MARGIN) / image.height))

/** Fits the whole image on screen; small images are enlarged, up to a limit. */
export function fitted(image: Size, view: Size): Camera {
  const scale = Math.min(fittingScale(image, view), LARGEST_FIT)
  return { scale, x: (view.width - image.width * scale) / 2, y: (view.height - image.height * scale) / 2 }
}

/** Moves the camera so that the image stays in sight. */
export function inSight(camera: Camera, image: Size, view: Size): Camera {
  const along = (at: number, side: number, room: number): number => {
    const kept = Math.min(side, room) * KEPT_IN_SIGHT
    return Math.min(Math.max(at, kept - side), room - kept)
  }
  return {
    ...camera,
    x: along(camera.x, image.width * camera.scale, view.width),
    y: along(camera.y, image.height * camera.scale, view.height)
  }
}

/** Changes the zoom and keeps the image pixel under a point of the screen in place. */
export function zoomed(camera: Camera, scale: number, about: Point, image: Size, view: Size): Camera {
  const next = Math.min(Math.max(scale, Math.min(1, fittingScale(image, view)) * SMALLEST), LARGEST_ZOOM)
  const factor = next / camera.scale
  return inSight(
    { scale: next, x: about.x - (about.x - camera.x) * factor, y: about.y - (about.y - camera.y) * factor },
    image,
    view
  )
}

/** Returns the image pixel at a point of the screen. */
export const pixelAt = (camera: Camera, { x, y }: Point): Point => ({
  x: (x - camera.x) / camera.scale,
  y: (y - camera.y) / camera.scale
})

/** Adapts the camera to another screen size: the middle stays, and an image that was fitted stays fitted. */
export function resized(camera: Camera, image: Size, before: Size, view: Size): Camera {
  const whole = fitted(image, before)
  if (Math.abs(camera.scale - whole.scale) < 1e-9 * whole.scale) return fitted(image, view)
  return inSight(
    { ...camera, x: camera.x + (view.width - before.width) / 2, y: camera.y + (view.height - before.height) / 2 },
    image,
    view
  )
}

export interface TilePlace {
  level: number
  column: number
  row: number
}

/** Returns the level with pixels closest to those of the screen, but not coarser. */
export const levelOf = ({ scale }: Camera, pixelRatio: number): number =>
  Math.max(0, Math.floor(Math.log2(1 / (scale * pixelRatio))))

/** Returns the level at which the whole image is one tile. */
export const coarsestLevel = ({ width, height }: Size): number =>
  Math.max(0, Math.ceil(Math.log2(Math.max(width, height) / TILE_SIDE)))

/** Returns the visible tiles of a level, those closest to the middle of the screen first. */
export function tilesInSight(camera: Camera, level: number, image: Size, view: Size): TilePlace[] {
  const span = TILE_SIDE * 2 ** level
  const range = (offset: number, room: number, side: number): [number, number] => [
    Math.max(0, Math.floor(-offset / camera.scale / span)),
    Math.min(Math.ceil(side / span), Math.ceil((room - offset) / camera.scale / span))
  ]
  const [left, right] = range(camera.x, view.width, image.width)
  const [top, bottom] = range(camera.y, view.height, image.height)
  const places: TilePlace[] = []
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++) places.push({ level, column, row })
  const middle = pixelAt(camera, { x: view.width / 2, y: view.height / 2 })
  const distance = ({ column, row }: TilePlace): number =>
    Math.hypot((column + 0.5) * span - middle.x, (row + 0.5) * span - middle.y)
  return places.sort((a, b) => distance(a) - distance(b))
}
