import { createHash } from 'node:crypto'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { BACKENDS } from '../../contract/settings.ts'
import { makeFolder, readIfPresent, writeJsonSafely } from '../../project/files.ts'
import { fetchedRuntime } from './runtimes.ts'
import { cacheFolder } from './userFolders.ts'
import { versionOf } from './versions.ts'

const choices = z.record(z.string(), z.enum(BACKENDS))
type Remembered = z.infer<typeof choices>

const path = (): string => join(cacheFolder(), 'backends.json')

/** A key for everything the fastest backend depends on: the machine, the versions, the network and the step. */
async function keyOf(step: object): Promise<string> {
  const versions = await Promise.all(['smalti', 'onnxruntime-node', '@tensorflow/tfjs-node-gpu'].map(versionOf))
  const fetched = await fetchedRuntime('tensorflow')
  if (fetched) versions.push(fetched.version)
  return createHash('sha256')
    .update(JSON.stringify([process.platform, process.arch, cpus()[0]?.model, availableParallelism(), versions, step]))
    .digest('hex')
    .slice(0, 24)
}

async function all(): Promise<Remembered> {
  const text = await readIfPresent(path())
  try {
    return text ? choices.parse(JSON.parse(text.toString())) : {}
  } catch {
    return {} // Written by another version, or damaged: measure again.
  }
}

/**
 * Returns the backend that was fastest for this step (network and sizes) when it was last measured on this machine.
 * Reusing it makes the same seed give the same result each time.
 */
export async function rememberedBackend(step: object): Promise<(typeof BACKENDS)[number] | undefined> {
  return (await all())[await keyOf(step)]
}

/** Stores the fastest backend for a step. @throws DiskFull, FolderNotWritable */
export async function rememberBackend(step: object, name: (typeof BACKENDS)[number]): Promise<void> {
  await makeFolder(cacheFolder())
  await writeJsonSafely(path(), { ...(await all()), [await keyOf(step)]: name })
}
