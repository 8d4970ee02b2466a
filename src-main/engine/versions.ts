import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** Version of an installed package, found from its entry point upwards; `smalti` is this one. */
export async function versionOf(name: string): Promise<string> {
  try {
    let folder = name === 'smalti' ? import.meta.dirname : dirname(require.resolve(name))
    for (;;) {
      const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
      const found = manifest === undefined ? undefined : (JSON.parse(manifest) as { name?: string; version?: string })
      if (found?.name === name && found.version) return found.version
      if (dirname(folder) === folder) return 'unknown'
      folder = dirname(folder)
    }
  } catch {
    return 'not installed'
  }
}
