import { SmaltiError } from '../contract/errors.ts'
import { stateId } from './stateId.ts'
import type { GroupEdit, GroupHistory, GroupedImage, ImageGroup } from '../contract/groups.ts'

/** Groups of whole images as they are now. */
export interface Groups {
  groups: readonly ImageGroup[]
  images: readonly GroupedImage[]
}

/** Tells one state of the groups from another. */
export const groupsState = ({ sorting, edits, done }: GroupHistory): string => stateId({ sorting, edits, done })

/** What was made of the groups that were found. @throws InvalidSetting */
export const groupsNow = (history: Omit<GroupHistory, 'sorting'>): Groups =>
  history.edits.slice(0, history.done).reduce(changed, foundGroups(history))

const foundGroups = ({ groups, images }: Pick<GroupHistory, 'groups' | 'images'>): Groups => ({
  groups: Array.from({ length: groups }, (_, id) => ({ id, name: `Group ${id + 1}` })),
  images
})

/** @throws InvalidSetting where there is no such group or image */
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
        throw new SmaltiError('InvalidSetting', { setting: 'image', reason: `${missing} is in none of the groups` })
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

/** The history with one more step, which takes the place of what was undone. @throws InvalidSetting */
export function withGroupEdit(history: GroupHistory, edit: GroupEdit): GroupHistory {
  const { edits, done } = history
  const after = { ...history, edits: [...edits.slice(0, done), edit], done: done + 1 }
  groupsNow(after)
  return after
}

/** The history so many steps back, or forth where it is below zero, as far as it goes. */
export const groupsUndone = (history: GroupHistory, steps: number): GroupHistory => ({
  ...history,
  done: Math.min(Math.max(history.done - steps, 0), history.edits.length)
})

/** What each step is called, those that are undone too. @throws InvalidSetting */
export function groupSteps(history: GroupHistory): string[] {
  let groups = foundGroups(history)
  return history.edits.map((edit) => {
    const name = stepName(groups, edit)
    groups = changed(groups, edit)
    return name
  })
}

/** Of groups as they were before it. */
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
