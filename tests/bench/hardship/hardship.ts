/**
 * Tests how Smalti survives desktop mishaps: `npm run bench -- hardship [part] [times or minutes] [seed]`. The parts
 * are the keys below; without one, all run.
 */
import { measureAdversity } from './adversity.ts'
import { measureFullDisk } from './fullDisk.ts'
import { measureHostile } from './hostile.ts'
import { measureHosts } from './hosts.ts'
import { measureInterrupts } from './interrupts.ts'
import { measureKills } from './kills.ts'
import { measureKillsEverywhere } from './killsEverywhere.ts'
import { measureMutatedInputs } from './mutatedInputs.ts'
import { measureMutatedProjects } from './mutatedProjects.ts'
import { measurePowerCut } from './powerCut/powerCut.ts'
import { measureOddNames } from './oddNames.ts'
import { measureSoak } from './soak.ts'
import { measureTogether } from './together.ts'
import { measureWindowKills } from './windowKills.ts'

const [part = 'all', first, second = '1'] = process.argv.slice(2)
const seed = Number(second)
const parts: Record<string, () => Promise<void>> = {
  kills: () => measureKillsEverywhere(Number(first ?? 100), seed),
  window: () => measureWindowKills(Number(first ?? 60), seed),
  scene: () => measureKills(Number(first ?? 20), seed),
  disk: () => measureFullDisk(Number(first ?? 20), seed),
  adversity: () => measureAdversity(Number(first ?? 50), seed),
  files: () => measureHostile(Number(first ?? 1000), seed),
  projects: () => measureMutatedProjects(Number(first ?? 200), seed),
  inputs: () => measureMutatedInputs(Number(first ?? 1000), seed),
  power: () => measurePowerCut(Number(first ?? 200), seed),
  names: () => measureOddNames(),
  together: () => measureTogether(Number(first ?? 3)),
  hosts: () => measureHosts(Number(first ?? 200), seed),
  interrupts: () => measureInterrupts(Number(first ?? 100), seed),
  soak: () => measureSoak(Number(first ?? 60), seed)
}
for (const [name, measure] of Object.entries(parts)) if (part === 'all' || part === name) await measure()
process.exit(0)
