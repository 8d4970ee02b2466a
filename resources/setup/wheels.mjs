import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Runs a command. @throws Error with the last line of its error output */
export function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').at(-1)}`)
}

/**
 * Downloads Python wheels, calls `use` with a folder of the files that they contain below `wanted`, and then removes
 * the folder. Any Python's pip will do, because only native libraries are used.
 */
export function withWheels(runtime, requirements, wanted, use) {
  const work = join(runtime, 'wheels-download')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  try {
    run('python3', [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--python-version',
      '3.12',
      '--only-binary=:all:',
      '--dest',
      work,
      ...requirements
    ])
    const wheels = readdirSync(work).map((name) => join(work, name))
    run('python3', ['-c', UNZIP, work, JSON.stringify(wanted), ...wheels])
    return use(work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const UNZIP = `
import json, sys, zipfile
work, wanted, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work, [name for name in archive.namelist() if name.startswith(tuple(json.loads(wanted)))])
`

/** Moves files into a folder, keeping their names. */
export function gather(files, folder) {
  mkdirSync(folder, { recursive: true })
  for (const file of files) renameSync(file, join(folder, basename(file)))
}
