import { expect, it } from 'vitest'
import { ACTIONS, ACTION_NAMES, keysOf } from '../../../src-main/contract/window/actions.ts'

it('gives no key to two actions', () => {
  const keys = ACTION_NAMES.map(keysOf).filter((key) => key !== undefined)
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([])
})

it('gives no label to two actions of a menu', () => {
  const labels = ACTION_NAMES.map((name) => `${ACTIONS[name].menu}: ${ACTIONS[name].label}`)
  expect(labels.filter((label, i) => labels.indexOf(label) !== i)).toEqual([])
})
