import type { z } from 'zod'

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object'
}

/** Says what a value must be, to follow the name of the setting that it belongs to: `must be at least 1`. */
export function requirementOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return limitText(issue.origin, Number(issue.minimum), issue.inclusive === false ? 'more than' : 'at least')
    case 'too_big':
      return limitText(issue.origin, Number(issue.maximum), issue.inclusive === false ? 'less than' : 'at most')
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`
    case 'unrecognized_keys':
      return `has no setting named ${issue.keys.join(', ')}`
    case 'invalid_union':
      return 'has the wrong form'
    case 'invalid_format':
      return issue.format === 'regex' ? 'has the wrong form' : `must be a valid ${issue.format}`
    default:
      return issue.message.replace(/^./, (first) => first.toLowerCase())
  }
}

function limitText(origin: string, limit: number, compared: string): string {
  if (origin === 'string') return limit === 1 ? 'must not be empty' : `must have ${compared} ${limit} characters`
  if (origin === 'array' || origin === 'set')
    return `must have ${compared} ${limit} ${limit === 1 ? 'entry' : 'entries'}`
  return `must be ${compared} ${limit}`
}
