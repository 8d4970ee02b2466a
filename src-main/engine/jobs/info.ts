import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { BACKENDS } from '../../contract/settings.ts'
import { tryBackend } from '../compute.ts'
import type { Job } from '../job.ts'

const require = createRequire(import.meta.url)

export const infoJob: Job<'info'> = async () => {
  const findings = await Promise.all(BACKENDS.map(async (name) => ({ name, ...(await tryBackend(name)) })))
  const libraries = ['onnxruntime-node', '@tensorflow/tfjs-core', '@tensorflow/tfjs-node-gpu', 'sharp']
  const versions = await Promise.all(libraries.map(async (name) => [name, await versionOf(name)] as const))
  return {
    smalti: await versionOf('smalti'),
    node: process.versions.node,
    electron: process.versions.electron,
    platform: `${platform()} ${release()} ${process.arch}`,
    processors: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    libraries: Object.fromEntries(versions),
    backends: findings.map(({ name, device, reason }) => ({ name, used: device !== undefined, device, reason }))
  }
}

/** Version of an installed package, found from its entry point upwards; `smalti` is this one. */
async function versionOf(name: string): Promise<string> {
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
