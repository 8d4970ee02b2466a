const ARROWS = /^(Arrow|Home$|End$|Page)/

/**
 * Whether the focused element handles a key itself: a text field, a slider or a group that uses arrow keys, or a
 * button.
 */
export function belongsToFocus({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true
  const pressed = key === ' ' || key === 'Enter'
  if (target instanceof HTMLInputElement) {
    if (target.type === 'range') return ARROWS.test(key)
    return !['checkbox', 'radio', 'color'].includes(target.type) || pressed || ARROWS.test(key)
  }
  if (ARROWS.test(key) && target.closest('[role=radiogroup], [role=tree], [role=menu], [role=grid]')) return true
  return pressed && target.closest('button, a, summary') !== null
}
