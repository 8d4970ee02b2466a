/** Runs a benchmark by name: `npm run bench -- step|quality|… [arguments]`. */
const [name = 'step'] = process.argv.splice(2, 1)
await import(new URL(`../../out/bench/${name}.js`, import.meta.url).href)
