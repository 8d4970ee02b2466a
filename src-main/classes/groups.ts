import { SmaltiError } from '../contract/errors.ts'
import { stateId } from './stateId.ts'
import type { GroupEdit, GroupHistory, GroupedImage, ImageGroup } from '../contract/groups.ts'

/** Groups of whole images after all edits. */
export interface Groups {
  groups: readonly ImageGroup[]
  images: readonly GroupedImage[]
}

/** Identifies a state of the groups. */
export const groupsState = ({ sorting, edits, done }: GroupHistory): string => stateId({ sorting, edits, done })

/**
 * Applies the edits to the groups that were found.
 * @throws InvalidSetting
 */
export const groupsNow = (history: Omit<GroupHistory, 'sorting'>): Groups =>
  history.edits.slice(0, history.done).reduce(changed, foundGroups(history))

const foundGroups = ({ groups, images }: Pick<GroupHistory, 'groups' | 'images'>): Groups => ({
  groups: Array.from({ length: groups }, (_, id) => ({ id, name: `Group ${id + 1}` })),
  images
})

/**
 * Applies one edit.
 * @throws InvalidSetting when a group or image does not exist
 */
function changed({ groups, images }: Groups, edit: GroupEdit): Groups {
  const known = (id: number): void => {
    if (!groups.some((group) => group.id === id))
      throw new SmaltiError('InvalidSetting', { setting: 'group', reason: `there is no group ${id + 1}` })
  }
  switch (edit.kind) {
    case 'move': {
      known(edit.to)
      const paths = new Set(edit.paths)
      const moved = images.map((image) => (paths.delete(image.path) ? { ...image, group: edit.to } : image))
      const [missing] = paths
      if (missing !== undefined)
        throw new SmaltiError('InvalidSetting', {
          setting: 'image',
          reason: `${missing} isn't one of the grouped images`
        })
      return { groups, images: moved }
    }
    case 'merge': {
      edit.groups.forEach(known)
      const [into, ...others] = edit.groups
      const taken = new Set(others.filter((id) => id !== into))
      return {
        groups: groups.filter(({ id }) => !taken.has(id)),
        images: images.map((image) => (taken.has(image.group) ? { ...image, group: into } : image))
      }
    }
    case 'rename':
      known(edit.group)
      return {
        images,
        groups: groups.map((group) => (group.id === edit.group ? { ...group, name: edit.name } : group))
      }
    case 'add':
      return {
        images,
        groups: [
          ...groups,
          { id: 1 + Math.max(...groups.map(({ id }) => id), ...images.map(({ group }) => group)), name: edit.name }
        ]
      }
  }
}

/**
 * Adds a step to the history, which replaces undone steps.
 * @throws InvalidSetting
 */
export function withGroupEdit(history: GroupHistory, edit: GroupEdit): GroupHistory {
  const { edits, done } = history
  const after = { ...history, edits: [...edits.slice(0, done), edit], done: done + 1 }
  groupsNow(after)
  return after
}

/** Undoes steps or, if `steps` is negative, redoes them, as far as the history goes. */
export const groupsUndone = (history: GroupHistory, steps: number): GroupHistory => ({
  ...history,
  done: Math.min(Math.max(history.done - steps, 0), history.edits.length)
})

/**
 * Names every step, including undone ones.
 * @throws InvalidSetting
 */
export function groupSteps(history: GroupHistory): string[] {
  let groups = foundGroups(history)
  return history.edits.map((edit) => {
    const name = stepName(groups, edit)
    groups = changed(groups, edit)
    return name
  })
}

/** Names a step after the groups before it. */
function stepName({ groups }: Groups, edit: GroupEdit): string {
  const nameOf = (id: number): string => groups.find((group) => group.id === id)?.name ?? `Group ${id + 1}`
  switch (edit.kind) {
    case 'move':
      return `Move ${edit.paths.length === 1 ? edit.paths[0] : `${edit.paths.length} images`} to ${nameOf(edit.to)}`
    case 'merge':
      return `Merge ${edit.groups.map(nameOf).join(' and ')}`
    case 'rename':
      return `Rename ${nameOf(edit.group)} to ${edit.name}`
    case 'add':
      return `Add ${edit.name}`
  }
}
