import type { RunSummary } from '../../src-main/contract/runs.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'

/** The runs of the open project. */
class Runs {
  list = $state.raw<RunSummary[]>([])
  readonly current = $derived(this.list.find(({ run: name }) => name === project.state?.run))

  async refresh(): Promise<void> {
    const { folder, state } = project
    if (folder === undefined || !state) {
      this.list = []
      return
    }
    try {
      this.list = (await run('runs', { project: folder })).runs
    } catch (fault) {
      jobs.complain(fault)
    }
  }

  /** Makes another run the current one: its labels and classes are shown, and training and segmentation use it. */
  async use(name: string): Promise<void> {
    await this.#change({ use: name })
  }

  async rename(name: string, to: string): Promise<void> {
    await this.#change({ rename: { run: name, name: to } })
  }

  /** Moves a run that is not the current one to the system bin. */
  async bin(name: string): Promise<void> {
    const { folder } = project
    if (folder === undefined || jobs.busy) return
    const reason = await window.smalti.binRun(folder, name)
    if (reason !== undefined) jobs.complain(new SmaltiError('NotBinned', { path: name, reason }))
    await this.refresh()
  }

  /** Evaluates a run's features without labels. */
  async diagnose(name: string): Promise<void> {
    const { folder } = project
    if (folder === undefined) return
    await jobs.perform(
      'diagnose',
      async (signal, onProgress) => void (await run('diagnose', { project: folder, run: name }, { signal, onProgress }))
    )
    await this.refresh()
  }

  async #change(change: { use?: string; rename?: { run: string; name: string } }): Promise<void> {
    const { folder } = project
    if (folder === undefined || jobs.busy) return
    await jobs.perform('read', async () => void (await run('runs', { project: folder, ...change })))
    await project.refresh()
  }
}

export const runs = new Runs()
