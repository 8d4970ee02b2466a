/** A queue of requests. The latest request is served first, because it is in sight now. */
export interface Queue<Q, R> {
  /** Queues a request and returns its result, or undefined if it was dropped while it waited. */
  ask(id: number, request: Q): Promise<R | undefined>
  /** Drops a request that nobody waits for any more. */
  drop(id: number): void
}

/** Creates a queue that serves the latest request first. @param atATime  how many requests run at a time */
export function lastFirst<Q, R>(atATime: number, make: (request: Q, signal: AbortSignal) => Promise<R>): Queue<Q, R> {
  const waiting: { id: number; start(): Promise<void>; leave(): void }[] = []
  const running = new Map<number, AbortController>()

  function next(): void {
    while (running.size < atATime && waiting.length > 0) void waiting.pop()!.start()
  }

  return {
    ask: (id, request) =>
      new Promise((resolve, reject) => {
        const start = async (): Promise<void> => {
          const controller = new AbortController()
          running.set(id, controller)
          await make(request, controller.signal).then(resolve, reject)
          running.delete(id)
          next()
        }
        waiting.push({ id, start, leave: () => resolve(undefined) })
        next()
      }),
    drop(id) {
      running.get(id)?.abort()
      const place = waiting.findIndex((wanted) => wanted.id === id)
      if (place >= 0) waiting.splice(place, 1)[0].leave()
    }
  }
}
