import { expect, it } from 'vitest'
import { owedAnswers } from '../../../src-main/engine/runtime/owedAnswers.ts'

it('gives an answer to callers who ask for its number before or after it arrives', async () => {
  const answers = owedAnswers<string>(new AbortController().signal)
  const before = answers.to(1)
  answers.give(1, 'one')
  expect([await before, await answers.to(1)]).toEqual(['one', 'one'])
})

it('rejects a single number', async () => {
  const answers = owedAnswers<string>(new AbortController().signal)
  const [first, second] = [answers.to(1), answers.to(2)]
  answers.refuse(1, new Error('unreadable'))
  answers.give(2, 'two')
  await expect(first).rejects.toThrow('unreadable')
  expect(await second).toBe('two')
})

it.each(['before', 'after'])(
  'rejects with Cancelled when the signal aborts %s the answer was requested',
  async (when) => {
    const controller = new AbortController()
    if (when === 'before') controller.abort()
    const answers = owedAnswers<string>(controller.signal)
    const owed = answers.to(1)
    controller.abort()
    await expect(owed).rejects.toMatchObject({ name: 'Cancelled' })
    await expect(answers.to(2)).rejects.toMatchObject({ name: 'Cancelled' })
  }
)

it('keeps given answers when it ends, and rejects the rest with the first fault', async () => {
  const answers = owedAnswers<string>(new AbortController().signal)
  const [first, second] = [answers.to(1), answers.to(2)]
  answers.give(1, 'one')
  answers.end(new Error('the thread ended'))
  answers.close()
  expect(await first).toBe('one')
  await expect(second).rejects.toThrow('the thread ended')
})

it('forgets numbers that nobody will ask for again', () => {
  const answers = owedAnswers<string>(new AbortController().signal)
  for (const number of [1, 2, 3]) void answers.to(number)
  answers.forget((number) => number < 3)
  expect([1, 2, 3].map(answers.has)).toEqual([false, false, true])
})
