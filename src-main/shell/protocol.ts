import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { protocol } from 'electron'
import type { EngineClient } from '../contract/client.ts'
import { HEADS } from '../contract/settings.ts'
import { z } from 'zod'

export const SCHEME = 'smalti'
const RENDERER = fileURLToPath(new URL('../renderer', import.meta.url))
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' }
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' smalti: data:; connect-src 'self' smalti:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const place = z.object({ level: z.coerce.number(), column: z.coerce.number(), row: z.coerce.number() })

export function declareScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true } }])
}

/**
 * `smalti://app/…` the window's own files, `smalti://thumbnail?…`, `smalti://tile?…` and `smalti://label?…`
 * pictures that the engine makes. Query parameters are the engine commands' inputs.
 */
export function handleScheme(engine: Pick<EngineClient, 'call'>): void {
  protocol.handle(SCHEME, async (request) => {
    const url = new URL(request.url)
    const query = Object.fromEntries(url.searchParams)
    try {
      if (url.hostname === 'app') return await serveFile(url.pathname)
      return picture(await makePicture(engine, url.hostname, query))
    } catch (fault) {
      return new Response((fault as Error).message, { status: 404 })
    }
  })
}

function makePicture(engine: Pick<EngineClient, 'call'>, kind: string, query: Record<string, string>): Promise<{ type: string; base64: string }> {
  if (kind === 'thumbnail') return engine.call('thumbnail', { file: query.file, side: Number(query.side) })
  if (kind === 'tile') return engine.call('tile', { file: query.file, project: query.project, ...place.parse(query) })
  if (kind === 'label') return engine.call('labelTile', { project: query.project, head: z.enum(HEADS).parse(query.head), path: query.path, ...place.parse(query) })
  throw new Error(`nothing is served as ${kind}`)
}

function picture({ type, base64 }: { type: string; base64: string }): Response {
  return new Response(new Uint8Array(Buffer.from(base64, 'base64')), { headers: { 'content-type': type, 'cache-control': 'max-age=3600', 'access-control-allow-origin': '*' } })
}

async function serveFile(pathname: string): Promise<Response> {
  const path = normalize(join(RENDERER, decodeURIComponent(pathname)))
  if (!path.startsWith(RENDERER + sep)) throw new Error('outside the application')
  const type = TYPES[extname(path)] ?? 'application/octet-stream'
  return new Response(new Uint8Array(await readFile(path)), { headers: { 'content-type': type, 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' } })
}
