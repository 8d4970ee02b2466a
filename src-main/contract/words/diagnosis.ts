import type { Diagnosis } from '../runs.ts'

/** What was measured of a run's features, in a sentence. */
export const diagnosisText = ({ features, unused, pixels, information, dependency }: Diagnosis): string =>
  `${features} features${unused > 0 ? `, of which ${unused} are never used,` : ''} tell at least ${information.toFixed(2)} nats of the colours and gradients about their pixel (MINE), and depend on each other by at least ${dependency.toFixed(2)} (NDM), at ${pixels.toLocaleString('en')} pixels`
