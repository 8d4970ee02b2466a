/**
 * Loaded before a program (`node --import`): records everything that it does to files below POWER_ROOT, in order and
 * with the data, in the journal POWER_JOURNAL: one line of JSON per operation, followed by the number of bytes that it
 * names.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve, sep } from 'node:path'

const { POWER_ROOT: root, POWER_JOURNAL: journal } = process.env
const out = fs.openSync(journal, 'a')
const inside = (path) => typeof path === 'string' && resolve(path).startsWith(root + sep)
function note(entry, bytes = Buffer.alloc(0)) {
  fs.writeSync(out, Buffer.concat([Buffer.from(`${JSON.stringify({ ...entry, bytes: bytes.length })}\n`), bytes]))
}

const real = { ...fs.promises }
let last = 0
const WRITES = /w|a|\+/

fs.promises.open = async (path, flags = 'r', mode) => {
  const isNew = inside(path) && !fs.existsSync(path)
  const handle = await real.open(path, flags, mode)
  if (!inside(path)) return handle
  const id = `${process.pid}.${++last}`
  if (WRITES.test(String(flags)))
    note({ op: 'open', path: resolve(path), handle: id, isNew, empties: String(flags).startsWith('w') })
  else note({ op: 'look', path: resolve(path), handle: id })
  let end = String(flags).startsWith('a') ? (await handle.stat()).size : 0
  const written = (bytes, position) => {
    const at = String(flags).startsWith('a') ? fs.statSync(path).size - bytes.length : (position ?? end)
    if (position === undefined || position === null) end = at + bytes.length
    note({ op: 'write', handle: id, at }, bytes)
  }
  const bytesOf = (data) =>
    typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const own = Object.fromEntries(
    ['write', 'writeFile', 'appendFile', 'truncate', 'sync', 'datasync'].map((name) => [
      name,
      handle[name].bind(handle)
    ])
  )
  handle.write = async (data, offset, length, position) => {
    if (typeof data === 'string') {
      const result = await own.write(data, offset)
      written(Buffer.from(data), offset)
      return result
    }
    const result = await own.write(data, offset, length, position)
    const from = typeof offset === 'number' ? offset : 0
    written(bytesOf(data).subarray(from, from + result.bytesWritten), position)
    return result
  }
  for (const name of ['writeFile', 'appendFile']) {
    handle[name] = async (data, options) => {
      await own[name](data, options)
      written(bytesOf(data))
    }
  }
  handle.truncate = async (length = 0) => {
    await own.truncate(length)
    note({ op: 'truncate', handle: id, length })
  }
  for (const name of ['sync', 'datasync']) {
    handle[name] = async () => {
      await own[name]()
      note({ op: 'sync', handle: id })
    }
  }
  return handle
}
const after = (name, entry) => {
  fs.promises[name] = async (...args) => {
    const result = await real[name](...args)
    if (inside(args[0])) note(entry(...args))
    return result
  }
}
after('rename', (from, to) => ({ op: 'rename', from: resolve(from), to: resolve(to) }))
after('unlink', (path) => ({ op: 'remove', path: resolve(path) }))
after('rm', (path) => ({ op: 'remove', path: resolve(path) }))
after('mkdir', (path) => ({ op: 'mkdir', path: resolve(path) }))
syncBuiltinESMExports()
