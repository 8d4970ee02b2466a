import { groupSteps, groupsNow, groupsState, groupsUndone, withGroupEdit } from '../../classes/groups.ts'
import type { GroupHistory } from '../../contract/groups.ts'
import { SmaltiError } from '../../contract/errors.ts'
import { writeGroups } from '../../export/groups.ts'
import { GROUPS_LOCK, loadGroups, saveGroupEdits } from '../../project/groups.ts'
import { withLock } from '../../project/lock.ts'
import { openProject } from '../../project/project.ts'
import type { Job } from '../job.ts'

/** Edits the groups of a project's images, writes them, or only returns them. */
export const groupsJob: Job<'groups'> = async ({ project: folder, edits, undo, out, copies, overwrite, expected }) => {
  const project = await openProject(folder)
  const load = async (): Promise<GroupHistory> => {
    const found = await loadGroups(project)
    if (!found) throw new SmaltiError('NotGrouped', { path: folder })
    return found
  }
  const change = async (): Promise<GroupHistory> => {
    const before = await load()
    if (expected !== undefined && expected !== groupsState(before))
      throw new SmaltiError('GroupsChanged', { path: folder })
    const after = groupsUndone(edits.reduce(withGroupEdit, before), undo ?? 0)
    await saveGroupEdits(project, after)
    return after
  }
  const history = edits.length > 0 || undo !== undefined ? await withLock(folder, change, GROUPS_LOCK) : await load()
  const groups = groupsNow(history)
  const written =
    out === undefined
      ? { files: 0, skipped: [] }
      : await writeGroups(groups, out, {
          copies,
          overwrite,
          territory: { sources: project.sources, images: groups.images.map(({ file }) => file), project: folder }
        })
  const sizes = new Map<number, number>()
  for (const { group } of groups.images) sizes.set(group, (sizes.get(group) ?? 0) + 1)
  return {
    history,
    groups: groups.groups.map((group) => ({ ...group, images: sizes.get(group.id) ?? 0 })),
    steps: groupSteps(history),
    ...written
  }
}
