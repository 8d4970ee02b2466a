const endedBy = <T extends object>(opened: T, end: () => Promise<void>): T & AsyncDisposable =>
  Object.assign(opened, { [Symbol.asyncDispose]: end })

/** Closes something at the end of its scope, however the scope is left: `await using file = scoped(await open(…))`. */
export const scoped = <T extends { close(): Promise<void> }>(opened: T): T & AsyncDisposable =>
  endedBy(opened, () => opened.close())
/** Does the same for something that runs until it is stopped. */
export const stopped = <T extends { stop(): Promise<void> }>(running: T): T & AsyncDisposable =>
  endedBy(running, () => running.stop())
/** Does the same for something that occupies memory of a device or a library. */
export const disposed = <T extends { dispose(): Promise<void> }>(made: T): T & AsyncDisposable =>
  endedBy(made, () => made.dispose())
