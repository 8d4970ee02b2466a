import Konva from 'konva'
import type { CorrectionShape } from '../../../src-main/contract/classes.ts'
import type { Camera, Point, Size } from './camera.ts'

/** A tool, with the colour of the class that it draws and its radius in image pixels. */
export interface Tool {
  kind: 'pan' | 'lasso' | 'brush' | 'polygon' | 'fill'
  radius: number
  colour: string
}

/** Drawing with a tool, in image pixels. */
export interface Drawing {
  setTool(tool: Tool): void
  /** Shows permanent outlines. */
  outline(rings: readonly (readonly [number, number][])[]): void
  /** Follows the camera. */
  follow(camera: Camera, view: Size): void
  /** Shows the pointer, or the cursor that keys move; undefined when it has left. */
  point(at: Point | undefined): void
  press(at: Point): void
  drag(at: Point): void
  /** @param still  whether the pointer has not moved since it was pressed */
  release(at: Point, still: boolean): void
  /** Closes a polygon that was begun. */
  close(): void
  /** Cancels a shape that was begun. @returns whether there was one */
  cancel(): boolean
  destroy(): void
}

export interface DrawingListener {
  /** Called with a finished shape, which stays on screen until the promise settles. */
  drawn(shape: CorrectionShape): Promise<void>
  /** Called with a finished lasso. */
  encircled(loop: readonly Point[]): void
}

const flat = (points: readonly Point[]): number[] => points.flatMap(({ x, y }) => [x, y])
const pairs = (points: readonly Point[]): [number, number][] => points.map(({ x, y }) => [x, y])
/** Points of a line closer than this many screen pixels are merged. */
const STEP = 2
/** A click within this many screen pixels of the first or the last corner finishes a polygon. */
const NEAR = 10

export function createDrawing(host: HTMLDivElement, { drawn, encircled }: DrawingListener): Drawing {
  const stage = new Konva.Stage({ container: host, width: 1, height: 1, listening: false })
  const layer = new Konva.Layer({ listening: false })
  /** Shapes in image pixels. */
  const onImage = new Konva.Group()
  const line: Konva.Line = new Konva.Line({ visible: false, lineJoin: 'round', lineCap: 'round' })
  const outline: Konva.Line = new Konva.Line({
    visible: false,
    stroke: '#ffffff',
    strokeScaleEnabled: false,
    strokeWidth: 1.5,
    dash: [6, 4],
    shadowColor: '#000000',
    shadowBlur: 2
  })
  const cursor = new Konva.Circle({
    visible: false,
    stroke: '#ffffff',
    strokeScaleEnabled: false,
    strokeWidth: 1.5,
    shadowColor: '#000000',
    shadowBlur: 3
  })
  const kept = new Konva.Group()
  onImage.add(kept, line, outline, cursor)
  layer.add(onImage)
  stage.add(layer)

  let tool: Tool = { kind: 'pan', radius: 1, colour: '#ffffff' }
  let scale = 1
  let points: Point[] = []
  let pressed = false

  const paints = (): boolean => tool.kind !== 'pan' && tool.kind !== 'lasso'
  const inPicture = (pixels: number): number => pixels / scale
  /** Draws the shapes. An empty canvas costs as much as a full one, so it is hidden while nothing is drawn. */
  function draw(): void {
    const any = kept.hasChildren() || onImage.getChildren().some((shape) => shape !== kept && shape.visible())
    host.style.display = any ? '' : 'none'
    if (any) layer.batchDraw()
  }
  function clear(): void {
    points = []
    line.visible(false)
    outline.visible(false)
    draw()
  }
  function show(end?: Point): void {
    const all = end ? [...points, end] : points
    if (tool.kind === 'brush') {
      const [first] = all
      line
        .setAttrs({
          points: flat(all.length === 1 ? [first, { x: first.x + inPicture(0.01), y: first.y }] : all),
          stroke: tool.colour,
          strokeWidth: 2 * tool.radius,
          opacity: 0.75
        })
        .visible(true)
    } else {
      line.visible(false)
      outline
        .setAttrs({
          points: flat(all),
          closed: pressed,
          fill: tool.kind === 'polygon' ? `${tool.colour}66` : 'rgba(255, 255, 255, 0.15)'
        })
        .visible(true)
    }
    draw()
  }
  /** Leaves a shape on screen until it is saved. */
  async function finish(shape: CorrectionShape): Promise<void> {
    const left =
      shape.kind === 'brush'
        ? line.clone({ visible: true })
        : shape.kind === 'polygon' && tool.kind === 'polygon'
          ? new Konva.Line({ points: shape.ring.flat(), closed: true, fill: tool.colour, opacity: 0.6 })
          : undefined
    if (left) {
      onImage.add(left)
      left.moveToBottom()
    }
    clear()
    try {
      await drawn(shape)
    } finally {
      left?.destroy()
      draw()
    }
  }
  function close(): void {
    const ring = points
    if (tool.kind === 'polygon' && ring.length > 2) void finish({ kind: 'polygon', ring: pairs(ring) })
    else clear()
  }
  const ends = (at: Point): boolean =>
    points.length > 2 && [points[0], points.at(-1)!].some(({ x, y }) => Math.hypot(at.x - x, at.y - y) * scale <= NEAR)

  return {
    setTool(next) {
      if (next.kind !== tool.kind) clear()
      tool = next
      cursor.radius(tool.kind === 'brush' ? tool.radius : inPicture(4))
      cursor.fill(`${tool.colour}55`)
      if (!paints()) cursor.visible(false)
      draw()
    },
    outline(rings) {
      kept.destroyChildren()
      for (const ring of rings) {
        const points = ring.flat()
        kept.add(
          new Konva.Line({
            points,
            closed: true,
            stroke: '#000000',
            strokeWidth: 4,
            opacity: 0.6,
            strokeScaleEnabled: false
          }),
          new Konva.Line({
            points,
            closed: true,
            stroke: '#ffffff',
            strokeWidth: 2,
            dash: [8, 5],
            strokeScaleEnabled: false
          })
        )
      }
      draw()
    },
    follow(camera, view) {
      stage.size(view)
      scale = camera.scale
      onImage.position(camera)
      onImage.scale({ x: scale, y: scale })
      if (tool.kind !== 'brush') cursor.radius(inPicture(4))
      draw()
    },
    point(at) {
      cursor.visible(at !== undefined && paints())
      if (at) cursor.position(at)
      if (at && tool.kind === 'polygon' && points.length > 0 && !pressed) show(at)
      draw()
    },
    press(at) {
      pressed = true
      if (tool.kind === 'brush' || tool.kind === 'lasso') points = [at]
      if (tool.kind === 'brush') show()
    },
    drag(at) {
      const last = points.at(-1)
      cursor.position(at)
      if (tool.kind === 'fill') return
      if (!last || Math.hypot(at.x - last.x, at.y - last.y) * scale >= STEP) points.push(at)
      show()
    },
    release(at, still) {
      pressed = false
      if (tool.kind === 'fill') void finish({ kind: 'fill', at: [at.x, at.y] })
      else if (tool.kind === 'brush' && points.length > 0)
        void finish({ kind: 'brush', line: pairs(points), radius: tool.radius })
      else if (tool.kind === 'lasso') {
        const loop = points
        clear()
        if (!still && loop.length > 2) encircled(loop)
      } else if (tool.kind === 'polygon') {
        // A drag draws the whole outline; clicks add corners.
        if (!still || ends(at)) close()
        else {
          points.push(at)
          show()
        }
      }
    },
    close,
    cancel() {
      const begun = points.length > 0
      clear()
      return begun
    },
    destroy: () => void stage.destroy()
  }
}
