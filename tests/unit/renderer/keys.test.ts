import { beforeAll, describe, expect, it } from 'vitest'
import { belongsToFocus } from '../../../src-renderer/keys.ts'

/** The part of an element that the code reads. */
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
  it('belongs to a text field, whichever key it is', () => {
    for (const field of [new Input('text'), new Input('number'), new Area(), new Select(), new Editable()])
      for (const key of ['m', 'Enter', ' ', 'ArrowUp', 'Delete']) expect(belongs(field, key)).toBe(true)
  })

  it('belongs to a slider if it moves the slider', () => {
    expect(['ArrowLeft', 'Home', 'PageUp', 'm', ' '].map((key) => belongs(new Input('range'), key))).toEqual([
      true,
      true,
      true,
      false,
      false
    ])
  })

  it('belongs to a checkbox, radio button or colour field if it presses or moves it', () => {
    for (const type of ['checkbox', 'radio', 'color'])
      expect([' ', 'Enter', 'ArrowDown', 'm'].map((key) => belongs(new Input(type), key))).toEqual([
        true,
        true,
        true,
        false
      ])
  })

  it('belongs to a radio group if it is an arrow key, and to a button if it presses the button', () => {
    expect(['ArrowDown', 'm'].map((key) => belongs(new Element(['[role=radiogroup]']), key))).toEqual([true, false])
    expect(['Enter', ' ', 'ArrowDown', 'm'].map((key) => belongs(new Element(['button']), key))).toEqual([
      true,
      true,
      false,
      false
    ])
  })

  it('belongs to the window otherwise', () => {
    for (const target of [null, {}, new Element()])
      for (const key of ['m', 'Enter', 'ArrowUp']) expect(belongs(target, key)).toBe(false)
  })
})
