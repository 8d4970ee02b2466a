import type { ClassHistory, ClusterTree, Scheme, SchemeEdit } from '../contract/classes.ts'
import { edited, initialScheme } from './scheme.ts'

/** Nothing was made of the clusters yet. */
export const EMPTY_HISTORY: ClassHistory = { history: [{ name: 'As they were found', schemes: {} }], cursor: 0 }

/** The scheme of a head as it is now. */
export const schemeNow = ({ history, cursor }: ClassHistory, head: string, clusters: number): Scheme => history[cursor].schemes[head] ?? initialScheme(clusters)

/** The history after an edit, which takes the place of what was undone. @throws InvalidSetting */
export function withEdit({ history, cursor }: ClassHistory, head: string, clusters: number, edit: SchemeEdit, tree?: ClusterTree): ClassHistory {
  const { scheme, name } = edited(schemeNow({ history, cursor }, head, clusters), edit, tree)
  return { history: [...history.slice(0, cursor + 1), { name, schemes: { ...history[cursor].schemes, [head]: scheme } }], cursor: cursor + 1 }
}

/** The history at another of its steps, the first or last where that is none. */
export const atStep = ({ history }: ClassHistory, step: number): ClassHistory => ({ history, cursor: Math.min(Math.max(step, 0), history.length - 1) })
