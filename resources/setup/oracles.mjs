import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './wheels.mjs'

/** Debian's Python, which GDAL's bindings are built for. */
const PYTHON = '/usr/bin/python3'
/** The libraries that tests compare with, each in its own folder, because the second brings its own GDAL and NumPy. */
const ORACLES = {
  oracles: ['--no-deps', 'pycocotools==2.0.*'],
  cogeo: ['rio-cogeo==5.*', 'onnxruntime', 'dask[distributed]']
}

/** Installs the Python packages that tests use. Returns what is missing, in words. */
export function installOracles(runtime) {
  if (!existsSync(PYTHON)) return 'no system Python found; tests that need it are skipped'
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
    return `could not be installed (${fault.message}); tests that need them are skipped`
  }
}
