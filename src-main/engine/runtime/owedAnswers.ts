import { SmaltiError } from '../../contract/errors.ts'

/** Answers that other threads owe this one, by number. */
export interface OwedAnswers<Answer> {
  /**
   * Returns the answer to a number, given or still to come. The caller need not await it.
   * @throws Cancelled, or the fault that ended the threads
   */
  to(number: number): Promise<Answer>
  has(number: number): boolean
  give(number: number, answer: Answer): void
  refuse(number: number, fault: Error): void
  /** Forgets the numbers that match. */
  forget(matches: (number: number) => boolean): void
  /** Rejects everything owed now and later, as when a thread has ended. The first fault counts. */
  end(fault: Error): void
  /** Stops listening to the signal, and rejects everything still owed. */
  close(): void
}

/** Keeps track of answers that threads owe. All of them reject with Cancelled when the signal aborts. */
export function owedAnswers<Answer>(signal: AbortSignal): OwedAnswers<Answer> {
  const owed = new Map<
    number,
    { promise: Promise<Answer>; resolve(answer: Answer): void; reject(fault: Error): void }
  >()
  let ended: Error | undefined
  const end = (fault: Error): void => {
    ended ??= fault
    for (const { reject } of owed.values()) reject(ended)
  }
  const leave = (): void => end(new SmaltiError('Cancelled'))
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  return {
    to(number) {
      const known = owed.get(number)
      if (known) return known.promise
      let settle!: { resolve(answer: Answer): void; reject(fault: Error): void }
      const promise = new Promise<Answer>((resolve, reject) => (settle = { resolve, reject }))
      promise.catch(() => undefined) // Callers see the rejection; an answer requested ahead may never be awaited.
      owed.set(number, { promise, ...settle })
      if (ended) settle.reject(ended)
      return promise
    },
    has: (number) => owed.has(number),
    give: (number, answer) => owed.get(number)?.resolve(answer),
    refuse: (number, fault) => owed.get(number)?.reject(fault),
    forget(matches) {
      for (const number of [...owed.keys()].filter(matches)) owed.delete(number)
    },
    end,
    close() {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }
}
