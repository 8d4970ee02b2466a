import { describe, expect, it } from 'vitest'
import '../fixtures/gpu.ts'
import { temporaryFolder } from '../fixtures/commandLine.ts'
import { shareProject } from '../fixtures/hosts.ts'

describe('two computers sharing one project', () => {
  // `npm run bench -- hardship hosts` repeats this two hundred times.
  it('end with the same result as one computer, although commands are killed in the middle', async () => {
    const { wrong, kills } = await shareProject(await temporaryFolder(), 4, 5)
    expect(wrong).toEqual([])
    expect(kills).toBeGreaterThan(0)
  })
})
