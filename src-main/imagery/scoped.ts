/** Something opened that is closed at the end of its scope, whichever way that is left: `await using file = scoped(await open(…))`. */
export function scoped<T extends { close(): Promise<void> }>(opened: T): T & AsyncDisposable {
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() })
}
