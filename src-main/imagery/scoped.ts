const endedBy = <T extends object>(opened: T, end: () => Promise<void>): T & AsyncDisposable =>
  Object.assign(opened, { [Symbol.asyncDispose]: end })

/** Something opened that is closed at the end of its scope, whichever way that is left: `await using file = scoped(await open(…))`. */
export const scoped = <T extends { close(): Promise<void> }>(opened: T): T & AsyncDisposable =>
  endedBy(opened, () => opened.close())
/** The same for what runs until it is stopped. */
export const stopped = <T extends { stop(): Promise<void> }>(running: T): T & AsyncDisposable =>
  endedBy(running, () => running.stop())
/** The same for what occupies memory of a device, or of a library. */
export const disposed = <T extends { dispose(): Promise<void> }>(made: T): T & AsyncDisposable =>
  endedBy(made, () => made.dispose())
