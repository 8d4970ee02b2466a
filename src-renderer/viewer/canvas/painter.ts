import { TILE_SIDE } from '../../../src-main/contract/window/pictures.ts'
import type { Camera, Size, TilePlace } from './camera.ts'
import { viewer as words } from '../../words/viewer.ts'
import { DIRECT, HEAT, LABEL, OVERLAY, PICTURE, VERTEX } from './shaders.ts'

const NO_LABEL = 255

/** How the pixels of an image are shown. */
export interface Look {
  brightness: number
  contrast: number
  gamma: number
}

/** How labels are shown. */
export interface Paint {
  /** Red, green, blue and opacity of each label (0 hidden, 128 hatched, 255 shown): 256 entries of 4 bytes. */
  colours: Uint8Array
  /** The class of each label: 256 entries of 1 byte. */
  classes: Uint8Array
  opacity: number
  /** Number of the outlined class. */
  highlighted?: number
  /** Opacity of the other classes while one is outlined, 0…1. */
  dimmed: number
  style: 'filled' | 'outlined'
}

/** How probabilities are shown, from dark to bright. With `fades`, low probabilities are transparent. */
export interface Heat {
  opacity: number
  fades: boolean
}

export type Side = 'own' | 'other'

export interface PaintedTile extends TilePlace {
  content?: WebGLTexture
}

export interface Painter {
  pictureOf(bitmap: ImageBitmap): WebGLTexture
  /** Uploads labels or probabilities, one byte per pixel. */
  bytesOf(values: Uint8Array, size: Size): WebGLTexture
  release(texture: WebGLTexture): void
  /** @param side  the labels to paint: those of the current run, or those they are compared with */
  setPaint(paint: Paint, side?: Side): void
  setLook(look: Look): void
  /**
   * Draws the image with labels, or with probabilities if `heat` is given.
   * @param swipe  share of the canvas to the right of which the other labels are drawn
   */
  draw(
    camera: Camera,
    image: Size,
    tiles: Record<'pictures' | 'labels' | 'others' | 'heat', readonly PaintedTile[]>,
    how: { heat?: Heat; swipe?: number }
  ): void
  /** Reads labels of the last drawing, in canvas pixels from the top left; 255 where there is none. */
  labelsAt(left: number, top: number, width: number, height: number): Uint8Array
  dispose(): void
}

/**
 * Creates a painter that draws the tiles of an image and its labels on a canvas with WebGL 2. Labels are first drawn
 * into a buffer, one byte per screen pixel, and then coloured by a table of 256 entries, so that changing a class, its
 * colour or the highlight loads no tile.
 * @throws Error if WebGL 2 is not available
 */
export function createPainter(canvas: HTMLCanvasElement): Painter {
  const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, premultipliedAlpha: true })
  if (!gl) throw new Error(words.noWebGl)
  const [picture, label, overlay, heatmap, direct] = [PICTURE, LABEL, OVERLAY, HEAT, DIRECT].map((source) =>
    programOf(gl, source)
  )
  const nearest = { min: gl.NEAREST, mag: gl.NEAREST }
  const tableOf = (): WebGLTexture => textureOf(gl, nearest)
  const tables = { own: { colours: tableOf(), classes: tableOf() }, other: { colours: tableOf(), classes: tableOf() } }
  const screen = textureOf(gl, nearest)
  const buffer = gl.createFramebuffer()
  gl.bindVertexArray(gl.createVertexArray())
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1)
  gl.pixelStorei(gl.PACK_ALIGNMENT, 1)
  let screenSize = { width: 0, height: 0 }
  const paints: Partial<Record<Side, Paint>> = {}
  let look: Look = { brightness: 0, contrast: 1, gamma: 1 }

  function bytesOf(values: Uint8Array, { width, height }: Size): WebGLTexture {
    const texture = textureOf(gl!, nearest)
    gl!.texImage2D(gl!.TEXTURE_2D, 0, gl!.R8, width, height, 0, gl!.RED, gl!.UNSIGNED_BYTE, values)
    return texture
  }

  function fitScreen(): void {
    const { width, height } = canvas
    if (screenSize.width === width && screenSize.height === height) return
    screenSize = { width, height }
    gl!.bindTexture(gl!.TEXTURE_2D, screen)
    gl!.texImage2D(gl!.TEXTURE_2D, 0, gl!.R8, width, height, 0, gl!.RED, gl!.UNSIGNED_BYTE, null)
    gl!.bindFramebuffer(gl!.FRAMEBUFFER, buffer)
    gl!.framebufferTexture2D(gl!.FRAMEBUFFER, gl!.COLOR_ATTACHMENT0, gl!.TEXTURE_2D, screen, 0)
  }

  function drawTiles(
    program: ReturnType<typeof programOf>,
    tiles: readonly PaintedTile[],
    camera: Camera,
    image: Size
  ): void {
    const ratio = canvas.width / Math.max(canvas.clientWidth, 1)
    const [scale, x, y] = [camera.scale * ratio, camera.x * ratio, camera.y * ratio]
    const across = (at: number): number => (2 * (x + at * scale)) / canvas.width - 1
    const down = (at: number): number => 1 - (2 * (y + at * scale)) / canvas.height
    for (const { level, column, row, content } of tiles) {
      const span = TILE_SIDE * 2 ** level
      const [left, top] = [column * span, row * span]
      const [right, bottom] = [Math.min(left + span, image.width), Math.min(top + span, image.height)]
      if (
        x + right * scale < 0 ||
        y + bottom * scale < 0 ||
        x + left * scale > canvas.width ||
        y + top * scale > canvas.height
      )
        continue
      gl!.bindTexture(gl!.TEXTURE_2D, content!)
      gl!.uniform4f(program.place, across(left), down(top), across(right), down(bottom))
      gl!.drawArrays(gl!.TRIANGLE_STRIP, 0, 4)
    }
  }

  /** Draws labels into the buffer, one byte per screen pixel. */
  function indexLabels(labels: readonly PaintedTile[], camera: Camera, image: Size): void {
    stale = undefined
    gl!.disable(gl!.BLEND)
    gl!.bindFramebuffer(gl!.FRAMEBUFFER, buffer)
    gl!.clearColor(NO_LABEL / 255, 0, 0, 1)
    gl!.clear(gl!.COLOR_BUFFER_BIT)
    gl!.useProgram(label.program)
    drawTiles(label, labels, camera, image)
    gl!.bindFramebuffer(gl!.FRAMEBUFFER, null)
    gl!.enable(gl!.BLEND)
  }

  /** Draws the labels into the buffer if that was skipped so far. */
  let stale: (() => void) | undefined

  /** Colours labels: directly if no borders are needed, otherwise through the buffer. */
  function paintLabels(side: Side, labels: readonly PaintedTile[], camera: Camera, image: Size): void {
    const paint = paints[side]
    const { colours, classes } = tables[side]
    const apart = labels.every(({ level }) => level === labels[0].level)
    if (paint && apart && labels.length > 0 && paint.style === 'filled' && paint.highlighted === undefined) {
      gl!.useProgram(direct.program)
      gl!.uniform1i(gl!.getUniformLocation(direct.program, 'tile'), 0)
      gl!.uniform1i(gl!.getUniformLocation(direct.program, 'colours'), 1)
      gl!.uniform1f(gl!.getUniformLocation(direct.program, 'opacity'), paint.opacity)
      gl!.activeTexture(gl!.TEXTURE1)
      gl!.bindTexture(gl!.TEXTURE_2D, colours)
      gl!.activeTexture(gl!.TEXTURE0)
      drawTiles(direct, labels, camera, image)
      stale = () => indexLabels(labels, camera, image)
      return
    }
    indexLabels(labels, camera, image)
    if (!paint || labels.length === 0) return
    gl!.useProgram(overlay.program)
    const uniform = (name: string): WebGLUniformLocation | null => gl!.getUniformLocation(overlay.program, name)
    for (const [unit, [name, texture]] of (
      [
        ['labels', screen],
        ['colours', colours],
        ['classes', classes]
      ] as const
    ).entries()) {
      gl!.activeTexture(gl!.TEXTURE0 + unit)
      gl!.bindTexture(gl!.TEXTURE_2D, texture)
      gl!.uniform1i(uniform(name), unit)
    }
    gl!.activeTexture(gl!.TEXTURE0)
    gl!.uniform1f(uniform('opacity'), paint.opacity)
    gl!.uniform1i(uniform('highlighted'), paint.highlighted ?? -1)
    gl!.uniform1f(uniform('dimmed'), paint.dimmed)
    gl!.uniform1i(uniform('outlined'), Number(paint.style === 'outlined'))
    gl!.uniform4f(overlay.place, -1, -1, 1, 1)
    gl!.drawArrays(gl!.TRIANGLE_STRIP, 0, 4)
  }

  return {
    pictureOf(bitmap) {
      const texture = textureOf(gl, { min: gl.LINEAR, mag: gl.LINEAR })
      gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false)
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap)
      return texture
    },
    bytesOf,
    release: (texture) => gl.deleteTexture(texture),
    setPaint(next, side = 'own') {
      paints[side] = next
      const { colours, classes } = tables[side]
      gl.bindTexture(gl.TEXTURE_2D, colours)
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, next.colours)
      gl.bindTexture(gl.TEXTURE_2D, classes)
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, 256, 1, 0, gl.RED, gl.UNSIGNED_BYTE, next.classes)
    },
    setLook: (next) => void (look = next),
    draw(camera, image, { pictures, labels, others, heat: heatTiles }, { heat, swipe }) {
      fitScreen()
      gl.viewport(0, 0, canvas.width, canvas.height)
      gl.disable(gl.BLEND)
      gl.bindFramebuffer(gl.FRAMEBUFFER, null)
      gl.clearColor(0, 0, 0, 0)
      gl.clear(gl.COLOR_BUFFER_BIT)
      gl.useProgram(picture.program)
      gl.uniform3f(gl.getUniformLocation(picture.program, 'look'), look.brightness, look.contrast, look.gamma)
      drawTiles(picture, pictures, camera, image)

      gl.enable(gl.BLEND)
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
      if (heat) {
        gl.useProgram(heatmap.program)
        gl.uniform1f(gl.getUniformLocation(heatmap.program, 'opacity'), heat.opacity)
        gl.uniform1i(gl.getUniformLocation(heatmap.program, 'fades'), Number(heat.fades))
        drawTiles(heatmap, heatTiles, camera, image)
        stale = () => indexLabels(labels, camera, image)
        return
      }
      if (swipe === undefined) return paintLabels('own', labels, camera, image)
      const at = Math.round(swipe * canvas.width)
      gl.enable(gl.SCISSOR_TEST)
      gl.scissor(at, 0, canvas.width - at, canvas.height)
      paintLabels('other', others, camera, image)
      gl.scissor(0, 0, at, canvas.height)
      paintLabels('own', labels, camera, image)
      gl.disable(gl.SCISSOR_TEST)
      // Labels read back are those of the current run.
      stale = () => indexLabels(labels, camera, image)
    },
    labelsAt(left, top, width, height) {
      stale?.()
      const values = new Uint8Array(4 * width * height)
      gl.bindFramebuffer(gl.FRAMEBUFFER, buffer)
      gl.readPixels(left, canvas.height - top - height, width, height, gl.RGBA, gl.UNSIGNED_BYTE, values)
      gl.bindFramebuffer(gl.FRAMEBUFFER, null)
      // WebGL returns rows from the bottom up.
      return Uint8Array.from(
        { length: width * height },
        (_, i) => values[4 * ((height - 1 - Math.floor(i / width)) * width + (i % width))]
      )
    },
    dispose: () => gl.getExtension('WEBGL_lose_context')?.loseContext()
  }
}

function programOf(
  gl: WebGL2RenderingContext,
  fragment: string
): { program: WebGLProgram; place: WebGLUniformLocation | null } {
  const program = gl.createProgram()
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, fragment]
  ] as const) {
    const shader = gl.createShader(type)!
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS))
      throw new Error(gl.getShaderInfoLog(shader) ?? words.shaderFailed)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(gl.getProgramInfoLog(program) ?? words.programFailed)
  return { program, place: gl.getUniformLocation(program, 'place') }
}

function textureOf(gl: WebGL2RenderingContext, { min, mag }: { min: number; mag: number }): WebGLTexture {
  const texture = gl.createTexture()
  gl.bindTexture(gl.TEXTURE_2D, texture)
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, min],
    [gl.TEXTURE_MAG_FILTER, mag],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]
  ])
    gl.texParameteri(gl.TEXTURE_2D, name, value)
  return texture
}
