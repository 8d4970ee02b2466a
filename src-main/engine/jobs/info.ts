import { availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { version_core } from '@tensorflow/tfjs-core'
import { BACKENDS } from '../../contract/settings.ts'
import { tryBackend } from '../runtime/compute.ts'
import type { Job } from '../job.ts'
import { versionOf } from '../runtime/versions.ts'

/** Returns the versions, the machine, and the backends that work on it. */
export const infoJob: Job<'info'> = async (_, { signal }) => {
  const findings = await Promise.all(
    BACKENDS.map(async (name) => ({ name, ...(await tryBackend(name, undefined, undefined, signal)) }))
  )
  const libraries = ['onnxruntime-node', '@tensorflow/tfjs-node-gpu', 'sharp']
  const versions = await Promise.all(libraries.map(async (name) => [name, await versionOf(name)] as const))
  return {
    smalti: await versionOf('smalti'),
    node: process.versions.node,
    electron: process.versions.electron,
    platform: `${platform()} ${release()} ${process.arch}`,
    processors: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    libraries: { '@tensorflow/tfjs-core': version_core, ...Object.fromEntries(versions) },
    backends: findings.map(({ name, device, reason }) => ({ name, used: device !== undefined, device, reason }))
  }
}
