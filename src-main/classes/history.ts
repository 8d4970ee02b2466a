import type { ClassHistory, ClusterTree, Correction, Scheme, SchemeEdit } from '../contract/classes.ts'
import { edited, initialScheme } from './scheme.ts'

/** Nothing was made of the clusters yet. */
export const EMPTY_HISTORY: ClassHistory = { history: [{ name: 'As they were found', schemes: {} }], cursor: 0 }

/** All heads' schemes as they are now. */
const schemesNow = ({ history, cursor }: ClassHistory): Record<string, Scheme> =>
  history.findLast(({ schemes }, step) => step <= cursor && schemes !== undefined)?.schemes ?? {}

/** What was made of a head's clusters; undefined where nothing was. */
export const madeScheme = (history: ClassHistory, head: string): Scheme | undefined => schemesNow(history)[head]

/** The scheme of a head as it is now. */
export const schemeNow = (history: ClassHistory, head: string, clusters: number): Scheme =>
  madeScheme(history, head) ?? initialScheme(clusters)

/** The history with one more step, which takes the place of what was undone. */
const withStep = ({ history, cursor }: ClassHistory, step: ClassHistory['history'][number]): ClassHistory => ({
  history: [...history.slice(0, cursor + 1), step],
  cursor: cursor + 1
})

/** The history after an edit. @throws InvalidSetting */
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

/** The history after a correction by hand. */
export const withCorrection = (before: ClassHistory, name: string, corrected: Correction): ClassHistory =>
  withStep(before, { name, corrected })

/** The history at another of its steps, the first or last where that is none. */
export const atStep = ({ history }: ClassHistory, step: number): ClassHistory => ({
  history,
  cursor: Math.min(Math.max(step, 0), history.length - 1)
})
