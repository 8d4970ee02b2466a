import { z } from 'zod'
import { RUNTIMES, runtime } from '../runtimes.ts'
import { BACKENDS } from '../settings.ts'
import { architecture, stepShape } from '../training.ts'

const backendFinding = z.object({
  name: z.string(),
  used: z.boolean(),
  device: z.string().optional(),
  /** Why the backend is not used. */
  reason: z.string().optional()
})
/** Commands about the program itself and its compute libraries. */
export const PROGRAM_COMMANDS = {
  info: {
    input: z.object({}),
    output: z.object({
      smalti: z.string(),
      node: z.string(),
      electron: z.string().optional(),
      platform: z.string(),
      processors: z.string(),
      memoryGiB: z.number(),
      libraries: z.record(z.string(), z.string()),
      backends: z.array(backendFinding)
    })
  },
  /** Downloads or removes an optional compute runtime, and lists them. */
  runtimes: {
    input: z.object({ fetch: z.enum(RUNTIMES).optional(), remove: z.enum(RUNTIMES).optional() }),
    output: z.object({ runtimes: z.array(runtime) })
  },
  /** Starts and tests a backend, and times a training step, in a process of its own. */
  trial: {
    input: z.object({ backend: z.enum(BACKENDS), step: z.object({ architecture, shape: stepShape }).optional() }),
    output: z.object({
      device: z.string().optional(),
      reason: z.string().optional(),
      milliseconds: z.number().optional()
    })
  },
  pause: { input: z.object({ paused: z.boolean() }), output: z.object({ paused: z.boolean() }) }
} as const
