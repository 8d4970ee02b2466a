import type { ClusterTree, Scheme, SchemeClass, SchemeEdit } from '../contract/classes.ts'
import { SmaltiError } from '../contract/errors.ts'
import { NO_LABEL } from '../contract/labels.ts'
import { plural } from '../contract/words/plural.ts'
import { clusterColours, clusterNames } from './palette.ts'
import { cutTree, partedAlong } from './tree.ts'

/** A scheme in which every cluster is its own class. */
export function initialScheme(clusters: number): Scheme {
  return {
    classes: clusterNames(clusters).map(({ name, colour }, id) => ({
      id,
      name,
      colour,
      hidden: false,
      ignored: false
    })),
    of: Array.from({ length: clusters }, (_, cluster) => cluster)
  }
}

/** Whether a class still has its default name. */
const isUnnamed = ({ name }: Pick<SchemeClass, 'name'>): boolean => /^Cluster \d+$/.test(name)

/** Returns for each cluster the position of its class in the scheme's list; 255 for none. */
export function placesOf({ classes, of }: Scheme): Uint8Array {
  const places = new Uint8Array(256).fill(NO_LABEL)
  of.forEach((id, cluster) => (places[cluster] = classes.findIndex((entry) => entry.id === id)))
  return places
}

/** Returns the clusters of a class. */
export const clustersOf = ({ of }: Scheme, id: number): number[] =>
  of.flatMap((owner, cluster) => (owner === id ? [cluster] : []))

/**
 * Applies an edit and names it for the history.
 *
 * @param tree  tree of the head's clusters, if it has one
 * @throws InvalidSetting naming the class that does not exist, or what the edit lacks
 */
export function edited(before: Scheme, edit: SchemeEdit, tree?: ClusterTree): { scheme: Scheme; name: string } {
  const { scheme, name } = changed(before, edit, tree)
  return { scheme: inUse(scheme), name }
}

/** Removes classes without clusters. */
function inUse(scheme: Scheme): Scheme {
  const owners = new Set(scheme.of)
  return { ...scheme, classes: scheme.classes.filter(({ id }) => owners.has(id)) }
}

/** A changed scheme, and what the change is called. */
interface Changed {
  scheme: Scheme
  name: string
}
type Edit<Kind extends SchemeEdit['kind']> = Extract<SchemeEdit, { kind: Kind }>

/** Returns a class of a scheme. @throws InvalidSetting if there is none with the id */
function classIn({ classes }: Scheme, id: number): SchemeClass {
  const entry = classes.find((one) => one.id === id)
  if (!entry) throw refused(`there is no class ${id + 1}`)
  return entry
}

/** Changes some classes and keeps their order. */
const withEach = (scheme: Scheme, ids: readonly number[], change: Partial<SchemeClass>): Scheme => ({
  ...scheme,
  classes: scheme.classes.map((entry) => (ids.includes(entry.id) ? { ...entry, ...change } : entry))
})

function changed(scheme: Scheme, edit: SchemeEdit, tree?: ClusterTree): Changed {
  const { classes } = scheme
  const found = (id: number): SchemeClass => classIn(scheme, id)
  switch (edit.kind) {
    case 'merge':
      return merged(scheme, edit)
    case 'assign':
      return assigned(scheme, edit)
    case 'add':
      return withNew(scheme, edit.name)
    case 'split':
      return split(scheme, edit, tree)
    case 'cut':
      return cut(scheme, edit.groups, tree)
    case 'replace':
      return replaced(scheme, edit)
    case 'rename': {
      const entry = found(edit.class)
      return { scheme: withEach(scheme, [entry.id], { name: edit.name }), name: `Rename ${entry.name} to ${edit.name}` }
    }
    case 'recolour': {
      const entry = found(edit.class)
      const colour = edit.colour.toLowerCase()
      return { scheme: withEach(scheme, [entry.id], { colour }), name: `Recolour ${entry.name}` }
    }
    case 'hide':
      return {
        scheme: withEach(scheme, edit.classes, { hidden: edit.hidden }),
        name: `${edit.hidden ? 'Hide' : 'Show'} ${listed(edit.classes.map(found))}`
      }
    case 'ignore':
      return {
        scheme: withEach(scheme, edit.classes, { ignored: edit.ignored }),
        name: `${edit.ignored ? 'Ignore' : 'Include'} ${listed(edit.classes.map(found))}`
      }
    case 'order': {
      const first = [...new Set(edit.classes)].map(found)
      return {
        scheme: { ...scheme, classes: [...first, ...classes.filter((entry) => !first.includes(entry))] },
        name: 'Reorder classes'
      }
    }
  }
}

function merged(scheme: Scheme, edit: Edit<'merge'>): Changed {
  const joined = [...new Set(edit.classes)].map((id) => classIn(scheme, id))
  if (joined.length < 2) throw refused('merging needs at least two classes')
  const [first] = joined
  const name = edit.name ?? joined.find((entry) => !isUnnamed(entry))?.name ?? first.name
  const ids = new Set(joined.map(({ id }) => id))
  const renamed = withEach(scheme, [first.id], { name })
  return {
    scheme: { ...renamed, of: scheme.of.map((id) => (ids.has(id) ? first.id : id)) },
    name: `Merge ${listed(joined)}`
  }
}

function assigned(scheme: Scheme, edit: Edit<'assign'>): Changed {
  const { classes, of } = scheme
  const clusters = new Set(edit.clusters)
  const beyond = edit.clusters.find((cluster) => cluster >= of.length)
  if (beyond !== undefined) throw refused(`there is no cluster ${beyond + 1}`)
  const what = clusters.size === 1 ? `cluster ${edit.clusters[0] + 1}` : `${clusters.size} clusters`
  if (edit.to !== undefined) {
    const target = classIn(scheme, edit.to)
    return {
      scheme: { ...scheme, of: of.map((id, cluster) => (clusters.has(cluster) ? target.id : id)) },
      name: `Move ${what} to ${target.name}`
    }
  }
  const [first] = edit.clusters
  const left = of.filter((_, cluster) => !clusters.has(cluster))
  const own = ownClass(first, new Set(left))
  const made = edit.name === undefined ? own : { ...own, name: edit.name }
  return {
    scheme: {
      ...scheme,
      classes: [...classes.filter(({ id }) => id !== made.id), made],
      of: of.map((id, cluster) => (clusters.has(cluster) ? made.id : id))
    },
    name: `Make ${what} a class`
  }
}

function withNew(scheme: Scheme, name: string): Changed {
  const { classes, of } = scheme
  if (of.length >= MOST_CLUSTERS) throw refused(`there can be at most ${MOST_CLUSTERS}`)
  const made = { ...ownClass(of.length, new Set(of)), name }
  return {
    scheme: { ...scheme, classes: [...classes, made], of: [...of, made.id], added: (scheme.added ?? 0) + 1 },
    name: `Add ${name}`
  }
}

function split(scheme: Scheme, edit: Edit<'split'>, tree?: ClusterTree): Changed {
  const entry = classIn(scheme, edit.class)
  const clusters = clustersOf(scheme, edit.class)
  const parts = edit.along === 'tree' ? tree && partsOf(tree, clusters) : clusters.map((cluster) => [cluster])
  if (!parts || parts.length < 2)
    throw refused(edit.along === 'tree' && !tree ? 'the run has no cluster tree' : `${entry.name} is a single cluster`)
  return { scheme: parted(scheme, entry, parts), name: `Split ${entry.name}` }
}

function cut(scheme: Scheme, groupCount: number, tree?: ClusterTree): Changed {
  const { of } = scheme
  if (!tree) throw refused('the run has no cluster tree')
  if (groupCount > of.length) throw refused(`there are only ${of.length} clusters`)
  const groups = cutTree(tree, groupCount)
  // Clusters that were added by hand are not in the tree and stay separate.
  return {
    scheme: regrouped(scheme, [...groups, ...of.slice(groups.length).map((_, i) => of.length + i)]),
    name: `Set to ${plural(groupCount, 'class', 'classes')}`
  }
}

function replaced(scheme: Scheme, edit: Edit<'replace'>): Changed {
  const [given, own] = [edit.scheme, scheme].map((one) => one.of.length - (one.added ?? 0))
  if (given !== own) throw refused(`these classes were made for ${given} clusters; the run has ${own}`)
  const ids = new Set(edit.scheme.classes.map(({ id }) => id))
  if (ids.size < edit.scheme.classes.length || edit.scheme.of.some((id) => !ids.has(id)))
    throw refused("some clusters are assigned to classes that don't exist")
  if (edit.scheme.of.length + Math.max(0, (scheme.added ?? 0) - (edit.scheme.added ?? 0)) > MOST_CLUSTERS)
    throw refused(`with the classes added by hand there would be more than ${MOST_CLUSTERS} clusters`)
  return { scheme: withAdded(inUse(edit.scheme), scheme), name: edit.name }
}

/** Label rasters have 250 values for clusters. */
const MOST_CLUSTERS = 250

/** Splits clusters into the two parts that the tree joined; those that were added by hand stay separate. */
function partsOf(tree: ClusterTree, clusters: readonly number[]): number[][] {
  const [inTree, added] = [
    clusters.filter((cluster) => cluster < tree.count),
    clusters.filter((cluster) => cluster >= tree.count)
  ]
  const apart = added.map((cluster) => [cluster])
  if (inTree.length === 0) return apart
  return added.length > 0 ? [inTree, ...apart] : (partedAlong(tree, inTree) ?? [inTree])
}

/** Carries over the clusters that were added by hand to another scheme, because pixels may have their labels. */
function withAdded(scheme: Scheme, former: Scheme): Scheme {
  const [has, had] = [scheme.added ?? 0, former.added ?? 0]
  if (has >= had) return scheme
  const taken = new Set(scheme.classes.map(({ id }) => id))
  const missing = former.of.slice(scheme.of.length).map((id, i) => {
    const own = ownClass(scheme.of.length + i, taken)
    taken.add(own.id)
    return { ...former.classes.find((entry) => entry.id === id)!, id: own.id }
  })
  return { classes: [...scheme.classes, ...missing], of: [...scheme.of, ...missing.map(({ id }) => id)], added: had }
}

const refused = (reason: string): SmaltiError => new SmaltiError('InvalidSetting', { setting: 'classes', reason })

/** Lists names, as `A and B` or `A, B and 3 others`. */
function listed(classes: readonly SchemeClass[]): string {
  const names = classes.map(({ name }) => name)
  if (names.length <= 3) return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} others`
}

/** The class of a single cluster. Its id is the cluster's number unless another class has it. */
function ownClass(cluster: number, taken: ReadonlySet<number>): SchemeClass {
  let id = cluster
  if (taken.size >= MOST_CLUSTERS) throw refused(`there can be at most ${MOST_CLUSTERS} classes`)
  while (taken.has(id)) id = (id + 1) % MOST_CLUSTERS
  return {
    id,
    name: `Cluster ${cluster + 1}`,
    colour: clusterColours(cluster + 1)[cluster],
    hidden: false,
    ignored: false
  }
}

/** Splits a class. The part with its first cluster keeps its name and colour; the others follow it in the list. */
function parted({ classes, of, added }: Scheme, entry: SchemeClass, parts: readonly number[][]): Scheme {
  const [kept, ...others] = [...parts].sort((a, b) => a[0] - b[0])
  const taken = new Set(classes.map(({ id }) => id))
  const owner = [...of]
  const made = others.map((clusters) => {
    const own = ownClass(clusters[0], taken)
    taken.add(own.id)
    for (const cluster of clusters) owner[cluster] = own.id
    return { ...own, hidden: entry.hidden, ignored: entry.ignored }
  })
  for (const cluster of kept) owner[cluster] = entry.id
  const at = classes.indexOf(entry)
  return { classes: [...classes.slice(0, at + 1), ...made, ...classes.slice(at + 1)], of: owner, added }
}

/** Makes a class of each group of clusters. A group from within one named class keeps its name. */
function regrouped({ classes, of, added }: Scheme, groups: readonly number[]): Scheme {
  const first = new Map<number, number>()
  groups.forEach((group, cluster) => first.has(group) || first.set(group, cluster))
  const used = new Set<number>()
  const made = [...first].map(([group, cluster]): SchemeClass => {
    const owners = new Set(of.filter((_, other) => groups[other] === group))
    const former = owners.size === 1 ? classes.find(({ id }) => owners.has(id)) : undefined
    const own = ownClass(cluster, new Set())
    if (!former || isUnnamed(former) || used.has(former.id)) return own
    used.add(former.id)
    return { ...former, id: own.id }
  })
  const ids = new Map([...first.keys()].map((group, i) => [group, made[i].id]))
  return { classes: made, of: groups.map((group) => ids.get(group)!), added }
}
