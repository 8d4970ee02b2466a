import type { RuntimeName, Runtime } from '../../src-main/contract/runtimes.ts'
import { asSmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'

/** Optional compute runtimes. Other jobs can run while one is downloaded. */
class Runtimes {
  all = $state.raw<Runtime[]>([])
  /** The runtime that is being downloaded. */
  fetching = $state<{ name: RuntimeName; share: number; controller: AbortController }>()

  refresh(): Promise<void> {
    return this.#change(() => run('runtimes', {}))
  }

  async fetch(name: RuntimeName): Promise<void> {
    if (this.fetching) return
    const controller = new AbortController()
    this.fetching = { name, share: 0, controller }
    const onProgress = ({ share }: { share?: number }): void => {
      if (this.fetching) this.fetching.share = share ?? 0
    }
    await this.#change(() => run('runtimes', { fetch: name }, { signal: controller.signal, onProgress }))
    this.fetching = undefined
  }

  remove(name: RuntimeName): Promise<void> {
    return this.#change(() => run('runtimes', { remove: name }))
  }

  async #change(work: () => Promise<{ runtimes: Runtime[] }>): Promise<void> {
    try {
      this.all = (await work()).runtimes
    } catch (fault) {
      if (asSmaltiError(fault).name !== 'Cancelled') jobs.complain(fault)
    }
  }
}

export const runtimes = new Runtimes()
