import { duration } from '../../src-main/contract/words/duration.ts'
import { percent } from './common.ts'

/** The progress of jobs. */
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
  /** Names for a job that something else has to wait for: “Training is in progress.” */
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
