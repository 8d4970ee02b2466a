/**
 * Every error that Smalti names, with the sentence that a person reads. Each sentence takes the details it needs. An
 * error is raised where it is known, and shown unchanged in the window and on the command line.
 */
const SENTENCES = {
  Busy: (d) => `${d.job} is in progress. Stop it first, or wait until it finishes.`,
  Cancelled: () => 'Cancelled.',
  FolderNotFound: (d) => `Smalti can't find ${d.path}. Check the path.`,
  FolderUnreadable: (d) => `Smalti can't read ${d.path}: ${d.reason}.`,
  EmptyFolder: (d) => `There are no files in ${d.path}. Choose a folder that contains images.`,
  NoReadableImages: (d) =>
    `${d.files === 1 ? `Smalti can't read an image from ${d.path}.` : `Smalti can't read an image from any of the ${d.files} files in ${d.path}.`} ${d.reason ?? ''}`.trimEnd(),
  UnreadableImage: (d) => `Smalti can't read ${d.path}: ${d.reason}.`,
  NotEnoughPixels: (d) =>
    `The images are too small: their short side is ${d.have} pixels, and at least ${d.need} are needed. ${d.advice ?? ''}`.trimEnd(),
  NothingValid: (d) =>
    `${d.images === 1 ? 'The image contains no valid pixels' : `None of the ${d.images} sampled images contains valid pixels`}: everything is nodata or outside the area of interest.`,
  MixedImages: (d) => `These images can't be trained together: ${d.reason}.`,
  AreaUnreachable: (d) => `The area of interest can't be placed on ${d.path}: ${d.reason}.`,
  PlaceUnknown: (d) =>
    `GeoJSON needs longitude and latitude, but the location of ${d.path} is unknown: ${d.reason}. Export a GeoPackage instead, which keeps the image's own coordinates.`,
  NotGrouped: (d) => `The images of the project at ${d.path} have not been grouped yet. Group them first.`,
  NotEnoughImages: (d) =>
    `There ${d.have === 1 ? 'is only 1 image' : `are only ${d.have} images`} for ${d.need} groups. Add images, or choose fewer groups.`,
  ProjectNotFound: (d) => `There is no Smalti project at ${d.path}. Check the path.`,
  ProjectUnreadable: (d) => `Smalti can't read the project at ${d.path}: ${d.reason}.`,
  OtherImages: (d) =>
    `The project at ${d.path} belongs to different images (${d.images}). Open those, or choose another folder.`,
  ProjectTooNew: (d) =>
    `The project at ${d.path} was saved by a newer version of Smalti (format ${d.found}; this version reads up to ${d.known}). Update Smalti to open it.`,
  ProjectLocked: (d) => `The project at ${d.path} is open in another Smalti window or command${holderOf(d)}.`,
  FolderInUse: (d) =>
    `Another export is writing to ${d.path}${holderOf(d)}. Wait until it finishes, or choose another folder.`,
  UpdateNotTrusted: (d) => `The update was rejected: ${d.reason}. Smalti was not changed.`,
  UpdateFailed: (d) => `Couldn't update: ${d.reason}. Smalti was not changed.`,
  RuntimeUnavailable: (d) => `Couldn't download the runtime: ${d.reason}. Smalti works without it.`,
  PathNotNamed: (d) => `Smalti doesn't have access to ${d.path}. Choose it first.`,
  NotBinned: (d) => `Smalti can't move ${d.path} to the bin: ${d.reason}.`,
  FolderNotWritable: (d) => `Smalti can't write to ${d.path}: ${d.reason}.`,
  DiskFull: (d) => `The disk is full, so ${d.path} couldn't be written. Everything saved before is intact.`,
  NothingTrained: (d) => `The project at ${d.path} has no trained model yet. Train it first.`,
  NothingSegmented: (d) => `The project at ${d.path} has no labels yet. Segment it first.`,
  LabelsUnreadable: (d) => `Smalti can't read the labels of ${d.path}: ${d.reason}. Segment it again.`,
  CorrectionsUnreadable: (d) =>
    `Smalti can't read the corrections in ${d.path}: ${d.reason}. Undo them, or restore the file.`,
  HeatmapsMissing: (d) => `${d.path} has no saved probabilities (heatmaps). Segment it again and save them.`,
  TooManyPatches: (d) =>
    `The labels are too fragmented to vectorise (over ${Number(d.most).toLocaleString('en')} corners). Clean up the labels first.`,
  ClassesChanged: (d) => `The classes of ${d.path} were changed elsewhere. They have been reloaded.`,
  GroupsChanged: (d) => `The groups of ${d.path} were changed elsewhere. They have been reloaded.`,
  ShardMissing: (d) => `The shards can't be merged yet. Missing: ${d.missing}.`,
  WouldOverwrite: (d) =>
    `${d.path} already exists and was not written by an earlier export. Nothing was written. Choose another place, or allow overwriting.`,
  AmongImages: (d) =>
    `${d.path} is in a folder of the project's images, where Smalti never writes. Choose a folder outside the images.`,
  CheckpointUnreadable: (d) =>
    `Smalti can't read the checkpoint in ${d.path}: ${d.reason}. Restore it from a copy, or train again.`,
  CheckpointMismatch: (d) =>
    `The project was trained with different settings (${d.setting}: ${d.found}, not ${d.expected}).`,
  FeaturesUnusable: (d) => `Smalti can't use features of the network ${d.path}: ${d.reason}.`,
  BackendUnavailable: (d) => `Smalti can't use the backend ${d.backend} on this computer: ${d.reason}.`,
  TrainingDiverged: (d) =>
    `Training diverged (NaN or infinity) at step ${d.step}, ${d.times} times in a row. Try another seed, or a lower learning rate in the recipe.`,
  TruthMissing: (d) => `No mask in ${d.path} is named after a segmented image. Give each mask the name of its image.`,
  TruthMismatch: (d) => `The mask ${d.path} is ${d.found} pixels; its image is ${d.expected}.`,
  TruthAmbiguous: (d) =>
    `Smalti can't tell which reference file belongs to which image: ${d.truths} for ${d.images}. Keep one reference file for each image, and give images different names.`,
  TruthUnusable: (d) => `Smalti can't use the reference file ${d.path}: ${d.reason}.`,
  NothingScored: (d) => `No pixels could be scored: ${d.reason}.`,
  TruthInColour: (d) =>
    `The mask ${d.path} contains colours (${d.colour}), not class numbers. Convert the colours to class numbers, or use a class map with smalti evaluate.`,
  InvalidSetting: (d) => `${d.setting}: ${d.reason}.`,
  ShapeMismatch: (d) => `The shapes don't match: ${d.expected} and ${d.found}.`,
  EngineStopped: (d) => `The engine stopped unexpectedly (${d.reason}). Everything saved before is intact.`,
  InternalError: (d) => `Something went wrong in Smalti: ${d.reason}.`
} satisfies Record<string, (details: Details) => string>

type Details = Readonly<Record<string, string | number | undefined>>

/** Names the process that holds a lock, in brackets, as far as it is known. */
const holderOf = ({ process, host }: Details): string =>
  process === undefined ? '' : ` (process ${process}${host === undefined ? '' : ` on ${host}`})`

export type ErrorName = keyof typeof SENTENCES

export class SmaltiError extends Error {
  override readonly name: ErrorName
  readonly details: Details

  constructor(name: ErrorName, details: Details = {}) {
    super((SENTENCES[name] as (details: Details) => string)(details))
    this.name = name
    this.details = details
  }

  toJSON(): { name: ErrorName; message: string; details: Details } {
    return { name: this.name, message: this.message, details: this.details }
  }
}

export const ERROR_NAMES = Object.keys(SENTENCES) as [ErrorName, ...ErrorName[]]

const GONE_DRIVE = "its drive or network folder isn't responding"
/** Plain words for the file system's error codes. */
const REASONS: Partial<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a file with that name exists',
  EEXIST: 'a file with that name exists',
  EISDIR: 'a folder with that name exists',
  ENOENT: 'it no longer exists',
  ENAMETOOLONG: 'the name is too long',
  EFBIG: 'the file is too large for this file system',
  EBUSY: 'another program is using it',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ...Object.fromEntries(
    ['EIO', 'ESTALE', 'ENXIO', 'ENODEV', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT', 'EREMOTEIO'].map(
      (code) => [code, GONE_DRIVE]
    )
  )
}
/** System calls that only read. */
const LOOKING = new Set(['read', 'scandir', 'opendir', 'stat', 'lstat', 'fstat', 'readlink'])

/** Returns a named error as it is, a file system error under its name, and anything else as an internal error. */
export function asSmaltiError(fault: unknown, path = ''): SmaltiError {
  if (fault instanceof SmaltiError) return fault
  // Closing failed as well; the first fault is the one that matters.
  if (fault instanceof Error && 'suppressed' in fault) return asSmaltiError(fault.suppressed, path)
  const { code, path: faultPath, message, syscall } = fault as NodeJS.ErrnoException
  const where = faultPath ?? path
  if (code === 'ENOSPC' || code === 'EDQUOT') return new SmaltiError('DiskFull', { path: where })
  const reason = syscall === undefined || code === undefined ? undefined : REASONS[code]
  if (reason !== undefined && where !== '')
    return new SmaltiError(LOOKING.has(syscall!) ? 'FolderUnreadable' : 'FolderNotWritable', { path: where, reason })
  return new SmaltiError('InternalError', { reason: message ?? String(fault) })
}

const LOSSES = new Set<string>(['DiskFull', 'FolderNotWritable'])
/** Whether an error says that something was not saved. The user is told this even if the work was cancelled. */
export const isLoss = (fault: unknown): boolean => fault instanceof SmaltiError && LOSSES.has(fault.name)
