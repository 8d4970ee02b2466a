/** Entry point of the process that computes: under Electron a utility process, else a child process. */

// A terminal's signals reach the whole group of processes; it is the command line that heeds them, and cancels by message.
// Electron ends its processes by SIGTERM.
const underElectron = 'parentPort' in process && process.parentPort !== undefined
for (const signal of ['SIGINT', 'SIGHUP', ...(underElectron ? [] : ['SIGTERM'])]) process.on(signal, () => undefined)
process.on('disconnect', () => process.exit())

await import('./serve.ts')

export {}
