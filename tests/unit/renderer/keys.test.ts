import { beforeAll, describe, expect, it } from 'vitest'
import { belongsToFocus } from '../../../src-renderer/keys.ts'

/** As much of an element as is looked at. */
class Element {
  readonly isContentEditable: boolean = false
  constructor(readonly roles: string[] = []) {}
  closest(selector: string): Element | null {
    return this.roles.some((role) => selector.split(', ').includes(role)) ? this : null
  }
}
class Input extends Element {
  constructor(readonly type: string) {
    super()
  }
}
class Area extends Element {}
class Select extends Element {}
class Editable extends Element {
  override readonly isContentEditable = true
}

beforeAll(
  () =>
    void Object.assign(globalThis, {
      HTMLElement: Element,
      HTMLInputElement: Input,
      HTMLTextAreaElement: Area,
      HTMLSelectElement: Select
    })
)
const belongs = (target: unknown, key: string): boolean => belongsToFocus({ target, key } as KeyboardEvent)

describe('a key', () => {
  it('belongs to a field that is typed in, whatever it is', () => {
    for (const field of [new Input('text'), new Input('number'), new Area(), new Select(), new Editable()])
      for (const key of ['m', 'Enter', ' ', 'ArrowUp', 'Delete']) expect(belongs(field, key)).toBe(true)
  })

  it('belongs to a slider where it moves it', () => {
    expect(['ArrowLeft', 'Home', 'PageUp', 'm', ' '].map((key) => belongs(new Input('range'), key))).toEqual([
      true,
      true,
      true,
      false,
      false
    ])
  })

  it('belongs to a box or a colour where it presses or moves it', () => {
    for (const type of ['checkbox', 'radio', 'color'])
      expect([' ', 'Enter', 'ArrowDown', 'm'].map((key) => belongs(new Input(type), key))).toEqual([
        true,
        true,
        true,
        false
      ])
  })

  it('belongs to a group of choices where it is an arrow, and to a button where it presses it', () => {
    expect(['ArrowDown', 'm'].map((key) => belongs(new Element(['[role=radiogroup]']), key))).toEqual([true, false])
    expect(['Enter', ' ', 'ArrowDown', 'm'].map((key) => belongs(new Element(['button']), key))).toEqual([
      true,
      true,
      false,
      false
    ])
  })

  it('is the window’s elsewhere', () => {
    for (const target of [null, {}, new Element()])
      for (const key of ['m', 'Enter', 'ArrowUp']) expect(belongs(target, key)).toBe(false)
  })
})
