import { duration } from '../../src-main/contract/words/duration.ts'
import { percent } from './common.ts'

/** Jobs: their progress, and what stands in the way of another one. */
export const jobs = {
  /** The first stage of each job. */
  stages: {
    read: 'Reading images',
    train: 'Preparing',
    group: 'Preparing',
    segment: 'Preparing',
    export: 'Exporting',
    evaluate: 'Checking accuracy',
    diagnose: 'Reading pixels'
  },
  /** What is in progress when something else has to wait. */
  busy: {
    read: 'Reading images',
    train: 'Training',
    group: 'Grouping',
    segment: 'Segmentation',
    export: 'An export',
    evaluate: 'An accuracy check',
    diagnose: 'A quality evaluation'
  },
  done: (share: number) => percent(Math.floor(100 * share) / 100),
  left: (seconds: number) => `about ${duration(seconds)} left`,
  pause: 'Pause',
  pausing: 'Pausing…',
  paused: 'Paused',
  resume: 'Resume',
  stop: 'Stop',
  stopping: 'Stopping…'
}
