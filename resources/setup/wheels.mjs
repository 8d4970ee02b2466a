import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Runs a command. @throws Error with the last line of its complaint */
export function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').at(-1)}`)
}

/**
 * Fetches Python wheels and calls `use` with a folder of what lies in them below `wanted`; the folder goes afterwards.
 * Any Python's pip can fetch them: only their native libraries are used.
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

/** Moves files into a folder, under the names they have. */
export function gather(files, folder) {
  mkdirSync(folder, { recursive: true })
  for (const file of files) renameSync(file, join(folder, basename(file)))
}
