/** Entry point of the engine process: a utility process under Electron, otherwise a child process. */

// A terminal sends its signals to the whole process group. The command line handles them and cancels by message.
// Electron ends its processes with SIGTERM.
const underElectron = 'parentPort' in process && process.parentPort !== undefined
for (const signal of ['SIGINT', 'SIGHUP', ...(underElectron ? [] : ['SIGTERM'])]) process.on(signal, () => undefined)
process.on('disconnect', () => process.exit())

await import('./serve.ts')

export {}
