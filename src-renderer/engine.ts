import type { CommandInput, CommandName, CommandOutput } from '../src-main/contract/commands.ts'
import type { Progress } from '../src-main/contract/engine/progress.ts'
import type { PictureQuery, PictureRequest } from '../src-main/contract/window/pictures.ts'
import { SmaltiError } from '../src-main/contract/errors.ts'
import type { WindowApi } from '../src-main/contract/window/window.ts'

declare global {
  interface Window {
    smalti: WindowApi
  }
}

const listeners = new Map<number, (progress: Progress) => void>()
let last = 0
let listening = false

/** Runs an engine command from the window. @throws SmaltiError */
export async function run<N extends CommandName>(
  name: N,
  input: CommandInput<N>,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {}
): Promise<CommandOutput<N>> {
  if (!listening) window.smalti.onProgress((call, progress) => listeners.get(call)?.(progress))
  listening = true
  const call = ++last
  if (onProgress) listeners.set(call, onProgress)
  const cancel = (): void => window.smalti.cancel(call)
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const outcome = await window.smalti.run(call, name, plainCopy(input))
    if ('error' in outcome) throw new SmaltiError(outcome.error.name, outcome.error.details)
    return outcome.output
  } finally {
    listeners.delete(call)
    signal?.removeEventListener('abort', cancel)
  }
}

/** Copies a value: reactive proxies can't be sent to another process. */
function plainCopy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

/**
 * Returns the URL of a picture that the program makes on demand.
 * @param more  parameters that identify its state, and `view`, the number of the requesting view
 */
export function pictureUrl<K extends PictureRequest['kind']>(
  kind: K,
  query: PictureQuery<K>,
  more: Record<string, string | number> = {}
): string {
  const parameters = new URLSearchParams(
    Object.entries({ ...query, ...more }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]]
    )
  )
  return `smalti://${kind}/?${parameters.toString()}`
}

/** Hashes the state of the corrections, so that the URL of a label tile changes with them. */
export const fingerprint = (text = ''): number =>
  [...text].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) | 0, text.length)
