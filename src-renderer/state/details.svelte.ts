import { detailRows } from '../../src-main/contract/words/details.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'

/** The details of the image that is shown. */
class Details {
  /** Names and values; empty until they are read. */
  rows = $state.raw<readonly [name: string, value: string][]>([])
  /** Why the details can't be read. */
  fault = $state<string>()
  #asked = 0

  async look(file: string, page: number | undefined): Promise<void> {
    const asked = ++this.#asked
    this.rows = []
    this.fault = undefined
    try {
      const { images } = await run('details', { sources: [file], page })
      // Another image may be shown by now.
      if (asked === this.#asked) this.rows = detailRows(images[0])
    } catch (fault) {
      if (!(fault instanceof SmaltiError)) throw fault
      if (asked === this.#asked) this.fault = fault.message
    }
  }
}

export const details = new Details()
