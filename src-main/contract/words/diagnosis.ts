import type { Diagnosis } from '../runs.ts'

/** Sums up the measurements of a run's features in a sentence without a full stop. */
export const diagnosisText = ({ features, unused, pixels, information, dependency }: Diagnosis): string =>
  `${features} features${unused > 0 ? ` (${unused} unused)` : ''}: information about nearby colours and gradients ` +
  `at least ${information.toFixed(2)} nats (MINE), dependence at least ${dependency.toFixed(2)} nats (NDM), ` +
  `measured at ${pixels.toLocaleString('en')} pixels`
