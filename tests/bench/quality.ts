/**
 * Measures the accuracy of a preset on a shared data set: `npm run bench -- quality [set] [preset] [minutes|sSTEPS]
 * [seeds] [changes]`. A path to an `.onnx` file in place of a preset clusters that network's features. `changes` is
 * JSON that overrides the preset's recipe: `{"lambda":{"A":1.5,"B":1}}`.
 */
import type { TrainingSettings } from '../../src-main/contract/settings.ts'
import { SETS, isHere, measure } from './measure.ts'

const [set = 'dubai72', preset = 'quick', length = '', seeds = '3', changes = '{}'] = process.argv.slice(2)
if (!isHere(set)) {
  console.log(`SKIPPED: the data set ${set} is not here; known are ${Object.keys(SETS).join(', ')}`)
  process.exit(0)
}
const limit = length.startsWith('s') ? { steps: Number(length.slice(1)) } : length ? { minutes: Number(length) } : {}
for (let seed = 1; seed <= Number(seeds); seed++) {
  const found = await measure(set, {
    ...(preset.endsWith('.onnx') ? { features: { file: preset } } : { preset: preset as 'quick' }),
    seed,
    recipe: JSON.parse(changes) as TrainingSettings['recipe'],
    ...limit
  })
  console.log(
    `${set} ${preset} seed ${seed}: ${found.steps} steps ${found.seconds.toFixed(0)} s  A many-to-one ${found.manyToOne.toFixed(4)}  B Hungarian ${found.hungarian.toFixed(4)} ` +
      `(majority ${found.majority.toFixed(2)})  errors near boundaries ${found.boundaryErrors.toFixed(3)}  decisions ${[5, 8, 12].map((n) => `${n}: ${found.curve?.[n - 1]?.toFixed(3) ?? '-'}`).join(' ')}  A ${found.information?.toFixed(3) ?? '-'} nats, ${found.clustersUsed} clusters used, waited ${(100 * found.waitingShare).toFixed(1)} %  ${changes}`
  )
}
process.exit(0)
