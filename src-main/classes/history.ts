import type { ClassHistory, ClusterTree, Correction, Scheme, SchemeEdit } from '../contract/classes.ts'
import { edited, initialScheme } from './scheme.ts'

/** A history without edits. */
export const EMPTY_HISTORY: ClassHistory = { history: [{ name: 'Original clusters', schemes: {} }], cursor: 0 }

/** Returns the current schemes of all heads. */
const schemesNow = ({ history, cursor }: ClassHistory): Record<string, Scheme> =>
  history.findLast(({ schemes }, step) => step <= cursor && schemes !== undefined)?.schemes ?? {}

/** Returns the edited scheme of a head; undefined without edits. */
export const madeScheme = (history: ClassHistory, head: string): Scheme | undefined => schemesNow(history)[head]

/** Returns the current scheme of a head. */
export const schemeNow = (history: ClassHistory, head: string, clusters: number): Scheme =>
  madeScheme(history, head) ?? initialScheme(clusters)

/** Adds a step to the history, which replaces undone steps. */
const withStep = ({ history, cursor }: ClassHistory, step: ClassHistory['history'][number]): ClassHistory => ({
  history: [...history.slice(0, cursor + 1), step],
  cursor: cursor + 1
})

/**
 * Applies an edit.
 * @throws InvalidSetting
 */
export function withEdit(
  before: ClassHistory,
  head: string,
  clusters: number,
  edit: SchemeEdit,
  tree?: ClusterTree
): ClassHistory {
  const { scheme, name } = edited(schemeNow(before, head, clusters), edit, tree)
  return withStep(before, { name, schemes: { ...schemesNow(before), [head]: scheme } })
}

/** Adds a correction. */
export const withCorrection = (before: ClassHistory, name: string, corrected: Correction): ClassHistory =>
  withStep(before, { name, corrected })

/** Moves to another step, or to the first or last if there is none. */
export const atStep = ({ history }: ClassHistory, step: number): ClassHistory => ({
  history,
  cursor: Math.min(Math.max(step, 0), history.length - 1)
})
