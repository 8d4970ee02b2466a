import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { protocol } from 'electron'
import { type MadePicture, pictureRequest } from '../contract/window/pictures.ts'
import { checkPaths } from './grants.ts'
import { Abandoned, type PictureHost } from './pictures.ts'

/** The scheme of the window's own URLs. */
export const SCHEME = 'smalti'
const RENDERER = fileURLToPath(new URL('../renderer', import.meta.url))
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png'
}
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' smalti: data:; connect-src 'self' smalti:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Declares the scheme; Electron requires this before it is ready. */
export function declareScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true } }
  ])
}

/**
 * Handles `smalti://app/…`, the window's own files, and `smalti://thumbnail/?…`, `smalti://tile/?…` and
 * `smalti://labels/?…`, which the picture server answers. The query parameters are those of its requests, plus `view`,
 * the number of the view that asks.
 */
export function handleScheme(pictures: PictureHost): void {
  protocol.handle(SCHEME, async (request) => {
    const url = new URL(request.url)
    const query = Object.fromEntries(url.searchParams)
    try {
      if (url.hostname === 'app') return await serveFile(url.pathname)
      const wanted = pictureRequest.parse({ ...query, kind: url.hostname })
      checkPaths(wanted)
      return picture(await pictures.make(wanted, Number(query.view ?? 0), request.signal))
    } catch (fault) {
      // Not a fault that anybody should see.
      if (fault instanceof Abandoned) return new Response(null, { status: 204 })
      return new Response((fault as Error).message, { status: 404 })
    }
  })
}

function picture({ type, bytes, width, height }: MadePicture): Response {
  const size: Record<string, string> =
    width === undefined ? {} : { 'x-width': String(width), 'x-height': String(height) }
  return new Response(new Uint8Array(bytes), {
    headers: {
      'content-type': type,
      'cache-control': 'max-age=3600',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'x-width, x-height',
      ...size
    }
  })
}

async function serveFile(pathname: string): Promise<Response> {
  const path = normalize(join(RENDERER, decodeURIComponent(pathname)))
  if (!path.startsWith(RENDERER + sep)) throw new Error('outside the application')
  const type = TYPES[extname(path)] ?? 'application/octet-stream'
  return new Response(new Uint8Array(await readFile(path)), {
    headers: { 'content-type': type, 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' }
  })
}
