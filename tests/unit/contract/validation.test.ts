import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { parsedInput } from '../../../src-main/contract/commands.ts'
import { recipeChanges } from '../../../src-main/contract/recipe.ts'
import { requirementOf } from '../../../src-main/contract/words/validation.ts'

const requirement = (schema: z.ZodType, value: unknown): string =>
  requirementOf(schema.safeParse(value).error!.issues[0])

describe('a requirement', () => {
  it.each([
    [z.int().min(2), 1, 'must be at least 2'],
    [z.number().positive(), 0, 'must be more than 0'],
    [z.number().max(10), 11, 'must be at most 10'],
    [z.int(), 1.5, 'must be a whole number'],
    [z.number(), 'x', 'must be a number'],
    [z.boolean(), 'x', 'must be true or false'],
    [z.string().min(1), '', 'must not be empty'],
    [z.array(z.string()).min(1), [], 'must have at least 1 entry'],
    [z.enum(['a', 'b']), 'c', 'must be one of a, b'],
    [z.strictObject({}), { speed: 1 }, 'has no setting named speed'],
    [z.union([z.number(), z.string()]), true, 'has the wrong form'],
    [z.number().refine((value) => value !== 3, 'leave out three'), 3, 'leave out three']
  ])('is said in words (%#)', (schema, value, expected) => {
    expect(requirement(schema, value)).toBe(expected)
  })

  it('completes the sentence of a command that rejects its input', () => {
    expect(() => parsedInput('group', { sources: ['a'], groups: 1 })).toThrow('groups: must be at least 2.')
    expect(() => parsedInput('catalogue', { sources: [] })).toThrow('sources: must have at least 1 entry.')
  })

  it('names a setting of a recipe that does not exist', () => {
    expect(requirement(recipeChanges, { speed: 3 })).toBe('has no setting named speed')
  })
})
