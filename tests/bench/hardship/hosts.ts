import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shareProject } from '../../fixtures/hosts.ts'

/** Lets two machines work on one folder, simulated by `shareProject`. */
export async function measureHosts(rounds: number, seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'smalti-hosts-'))
  try {
    const { kills, refused, wrong } = await shareProject(base, rounds, seed)
    console.log(
      `two machines, ${rounds} random interleavings (seed ${seed}): ${kills} commands killed, ${refused} refused because the other was at it, ${wrong.length} wrong`
    )
    for (const fault of wrong) console.log(`  ${fault}`)
  } finally {
    await rm(base, { recursive: true, force: true })
  }
}
