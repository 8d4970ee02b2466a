import { SmaltiError } from '../../contract/errors.ts'

/** Answers that other threads owe this one, by number. */
export interface OwedAnswers<Answer> {
  /** The answer to a number, whether it was given already or not. Nobody needs to wait for it. @throws Cancelled, and what ended the threads */
  to(number: number): Promise<Answer>
  has(number: number): boolean
  give(number: number, answer: Answer): void
  refuse(number: number, fault: Error): void
  /** Forgets the numbers that match. */
  forget(matches: (number: number) => boolean): void
  /** Fails all that is owed now and later, as when a thread has ended. The first fault counts. */
  end(fault: Error): void
  /** Stops listening to the signal, and fails what is still owed. */
  close(): void
}

/** Keeps the promises of threads: all of them fail with Cancelled when the signal aborts. */
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
      promise.catch(() => undefined) // Whoever waits is told; what was asked for ahead may never be wanted.
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
