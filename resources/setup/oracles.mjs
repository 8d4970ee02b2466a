import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './wheels.mjs'

/** Debian's, which GDAL's bindings are made for. */
const PYTHON = '/usr/bin/python3'
/** What the tests compare with, each in a folder of its own: the second brings a GDAL and a NumPy along. */
const ORACLES = {
  oracles: ['--no-deps', 'pycocotools==2.0.*'],
  cogeo: ['rio-cogeo==5.*', 'onnxruntime', 'dask[distributed]']
}

/** Installs Python packages that tests ask. Returns what is lacking, in words. */
export function installOracles(runtime) {
  if (!existsSync(PYTHON)) return 'there is no system Python; tests that need one are skipped'
  try {
    for (const [folder, packages] of Object.entries(ORACLES)) {
      const target = join(runtime, folder)
      rmSync(target, { recursive: true, force: true })
      const unfinished = `${target}.partial`
      rmSync(unfinished, { recursive: true, force: true })
      run('python3', [
        '-m',
        'pip',
        '--python',
        PYTHON,
        'install',
        '--quiet',
        '--only-binary=:all:',
        '--target',
        unfinished,
        ...packages
      ])
      run('mv', [unfinished, target])
    }
    return undefined
  } catch (fault) {
    return `they could not be had (${fault.message}); tests that need them are skipped`
  }
}
