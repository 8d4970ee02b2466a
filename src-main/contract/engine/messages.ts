import { z } from 'zod'
import { COMMANDS, type CommandName } from '../commands.ts'
import { progress } from './progress.ts'
import { ERROR_NAMES } from '../errors.ts'

const commandName = z.enum(Object.keys(COMMANDS) as [CommandName, ...CommandName[]])

/** Messages to the engine. */
export const toEngine = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('command'), id: z.int(), name: commandName, input: z.unknown() }),
  z.object({ kind: z.literal('cancel'), id: z.int() })
])
export type ToEngine = z.infer<typeof toEngine>

export const wireError = z.object({
  name: z.enum(ERROR_NAMES),
  message: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number()]).optional())
})
export type WireError = z.infer<typeof wireError>

/**
 * Requests of an engine to the shell about sibling engines, which it numbers itself. Under Electron only the shell can
 * start processes.
 */
export const siblingRequest = z.object({
  kind: z.literal('sibling'),
  sibling: z.int(),
  ask: z.union([z.literal('start'), z.literal('end'), z.object({ message: z.unknown() })])
})
export type SiblingRequest = z.infer<typeof siblingRequest>
export const siblingNews = z.object({
  kind: z.literal('sibling'),
  sibling: z.int(),
  news: z.union([z.object({ message: z.unknown() }), z.object({ ended: z.string() })])
})
export type SiblingNews = z.infer<typeof siblingNews>

/** Messages from the engine: any number of `progress`, then one `reply` or one `error`. */
export const fromEngine = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reply'), id: z.int(), output: z.unknown() }),
  z.object({ kind: z.literal('error'), id: z.int(), error: wireError }),
  z.object({ kind: z.literal('progress'), id: z.int(), progress })
])
export type FromEngine = z.infer<typeof fromEngine>
