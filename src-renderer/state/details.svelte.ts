import { detailRows } from '../../src-main/contract/words/details.ts'
import { SmaltiError } from '../../src-main/contract/errors.ts'
import { run } from '../engine.ts'

/** What the file of the image that is shown says of it. */
class Details {
  /** Names and values, once they are known. */
  rows = $state.raw<readonly [name: string, value: string][]>([])
  /** Why they are not. */
  fault = $state<string>()
  #asked = 0

  async look(file: string, page: number | undefined): Promise<void> {
    const asked = ++this.#asked
    this.rows = []
    this.fault = undefined
    try {
      const { images } = await run('details', { sources: [file], page })
      // Another image may be looked at by now.
      if (asked === this.#asked) this.rows = detailRows(images[0])
    } catch (fault) {
      if (!(fault instanceof SmaltiError)) throw fault
      if (asked === this.#asked) this.fault = fault.message
    }
  }
}

export const details = new Details()
