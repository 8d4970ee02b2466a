import { describe, expect, it } from 'vitest'
import { SmaltiError, asSmaltiError } from '../../../src-main/contract/errors.ts'

const fault = (code: string, syscall = 'write'): Error =>
  Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, path: '/data/p' })

describe('a fault of the file system', () => {
  it.each([
    ['ENOSPC', 'DiskFull', /The disk is full/],
    // A quota that is used up.
    ['EDQUOT', 'DiskFull', /The disk is full/],
    ['EROFS', 'FolderNotWritable', /the file system is read-only/],
    ['EACCES', 'FolderNotWritable', /permission denied/],
    ['ENOENT', 'FolderNotWritable', /it has gone/],
    ['ESTALE', 'FolderNotWritable', /its drive or network folder does not answer/],
    ['EIO', 'FolderNotWritable', /its drive or network folder does not answer/],
    ['EBUSY', 'FolderNotWritable', /another program is using it/]
  ])('%s has a name and a sentence', (code, name, sentence) => {
    const { name: found, message } = asSmaltiError(fault(code))
    expect(found).toBe(name)
    expect(message).toMatch(sentence)
    expect(message).toContain('/data/p')
  })

  it('that came from looking is told as one', () => {
    expect(asSmaltiError(fault('ESTALE', 'scandir')).message).toBe(
      '/data/p cannot be read: its drive or network folder does not answer.'
    )
  })

  it('keeps the name that it has, and any other fault is internal', () => {
    const named = new SmaltiError('EmptyFolder', { path: '/x' })
    expect(asSmaltiError(named)).toBe(named)
    expect(asSmaltiError(new Error('what'), '/x').name).toBe('InternalError')
  })
})
