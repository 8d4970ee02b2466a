import { forgetProbe } from '../runtime/compute.ts'
import type { Job } from '../job.ts'
import { fetchRuntime, listRuntimes, removeRuntime } from '../runtime/runtimes.ts'

/** Downloads or removes an optional compute runtime, and lists them. */
export const runtimesJob: Job<'runtimes'> = async ({ fetch, remove }, { signal, onProgress }) => {
  if (remove) await removeRuntime(remove)
  if (fetch) await fetchRuntime(fetch, signal, (share) => onProgress({ stage: 'Downloading', share }))
  for (const name of [fetch, remove]) if (name) forgetProbe(name)
  return { runtimes: await listRuntimes() }
}
