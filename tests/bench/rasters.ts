/**
 * Measures large scenes and hostile files: `npm run bench -- rasters [part] [arguments]`. The parts are the keys below;
 * without one, all run.
 */
import { measureFullDisk } from './hardship/fullDisk.ts'
import { measureHostile } from './hardship/hostile.ts'
import { measureKills } from './hardship/kills.ts'
import { measureOverlay } from './overlay.ts'
import { measureReading } from './reading.ts'
import { measureScale, measureSmall } from './scale.ts'
import { measureAgainstTorch } from './torchSegment.ts'

const [part = 'all', first, second] = process.argv.slice(2)
const parts: Record<string, () => Promise<void>> = {
  reading: () => measureReading(),
  torch: () => measureAgainstTorch(),
  scale: () => measureScale(Number(first ?? 20_000)),
  small: () => measureSmall(Number(first ?? 50_000)),
  hostile: () => measureHostile(Number(first ?? 1000), Number(second ?? 1)),
  disk: () => measureFullDisk(Number(first ?? 20), Number(second ?? 1)),
  kills: () => measureKills(Number(first ?? 20), Number(second ?? 1)),
  overlay: () => measureOverlay()
}
for (const [name, measure] of Object.entries(parts)) if (part === 'all' || part === name) await measure()
process.exit(0)
