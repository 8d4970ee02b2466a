/** Records requests by the user or the system to end the program. Loaded first, so that no signal is missed. */

/** Milliseconds within which signals count as one: some programs send theirs to a process and to its group. */
const ONE = 1000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const [first, second] = [new AbortController(), new AbortController()]
let since = -Infinity

/** Aborts at the first signal: the running command is cancelled. */
export const interrupted = first.signal
/** Aborts at the second signal: nothing is waited for any more. */
export const insisted = second.signal

function heed(): void {
  const now = performance.now()
  if (!interrupted.aborted) since = now
  else if (now - since > ONE) second.abort()
  first.abort()
}

/** Listens for signals. Called again once Electron has installed handlers of its own. */
export function heedSignals(): void {
  for (const signal of SIGNALS) process.off(signal, heed).on(signal, heed)
}

heedSignals()
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (fault: NodeJS.ErrnoException) => {
    // The reader, such as `head`, has seen enough.
    if (fault.code !== 'EPIPE') throw fault
  })
}
