import { describe, expect, it } from 'vitest'
import { SmaltiError, asSmaltiError } from '../../../src-main/contract/errors.ts'

const fault = (code: string, syscall = 'write'): Error =>
  Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, path: '/data/p' })

describe('a file system error', () => {
  it.each([
    ['ENOSPC', 'DiskFull', /The disk is full/],
    // The quota is used up.
    ['EDQUOT', 'DiskFull', /The disk is full/],
    ['EROFS', 'FolderNotWritable', /the file system is read-only/],
    ['EACCES', 'FolderNotWritable', /permission denied/],
    ['ENOENT', 'FolderNotWritable', /it no longer exists/],
    ['ESTALE', 'FolderNotWritable', /its drive or network folder isn't responding/],
    ['EIO', 'FolderNotWritable', /its drive or network folder isn't responding/],
    ['EBUSY', 'FolderNotWritable', /another program is using it/]
  ])('%s has a name and a sentence', (code, name, sentence) => {
    const { name: found, message } = asSmaltiError(fault(code))
    expect(found).toBe(name)
    expect(message).toMatch(sentence)
    expect(message).toContain('/data/p')
  })

  it('during reading is reported as a reading error', () => {
    expect(asSmaltiError(fault('ESTALE', 'scandir')).message).toBe(
      "Smalti can't read /data/p: its drive or network folder isn't responding."
    )
  })

  it('keeps its name if it has one, and otherwise becomes an internal error', () => {
    const named = new SmaltiError('EmptyFolder', { path: '/x' })
    expect(asSmaltiError(named)).toBe(named)
    expect(asSmaltiError(new Error('what'), '/x').name).toBe('InternalError')
  })
})
