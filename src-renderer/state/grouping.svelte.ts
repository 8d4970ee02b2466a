import { run } from '../engine.ts'
import { jobs } from './jobs.svelte.ts'
import { project } from './project.svelte.ts'
import { training } from './training.svelte.ts'

/** Sorting whole images into groups. */
class Grouping {
  settings = $state({ groups: 10, minutes: 15, copies: false })

  /** Writes the table and the contact sheet where the user says. */
  async group(): Promise<void> {
    const { sources } = project
    if (sources.length === 0) return
    const out = await window.smalti.chooseFolder('Choose a folder for the groups')
    if (out === undefined) return
    await jobs.perform('group', async (signal, onProgress) => {
      const { seed, backend } = training.settings
      const { images: count, sizes } = await run('group', { sources: [...sources], out, method: 'information', seed, backend, ...this.settings }, { signal, onProgress })
      jobs.notice = { text: `Sorted ${count} images into ${sizes.length} groups: a table and a contact sheet.`, folder: out }
    })
  }
}

export const grouping = new Grouping()
