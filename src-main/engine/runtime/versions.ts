import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

interface Manifest {
  name?: string
  version?: string
}

/** Returns the manifest of an installed package, searched from its entry point upwards. `smalti` is this package. */
export async function manifestOf(name: string): Promise<Manifest | undefined> {
  let folder = name === 'smalti' ? import.meta.dirname : dirname(require.resolve(name))
  for (;;) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
    const found = text === undefined ? undefined : (JSON.parse(text) as Manifest)
    if (found?.name === name) return found
    if (dirname(folder) === folder) return undefined
    folder = dirname(folder)
  }
}

export async function versionOf(name: string): Promise<string> {
  try {
    return (await manifestOf(name))?.version ?? 'unknown'
  } catch {
    return 'not installed'
  }
}
