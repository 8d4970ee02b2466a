/**
 * Every fault that Smalti names, with the sentence a person reads. Each takes the details it needs; a fault is
 * raised where it is known and shown unchanged in the window and on the command line.
 */
const SENTENCES = {
  Busy: (d) => `Not now: ${d.job}. Stop it first, or wait until it is done.`,
  Cancelled: () => 'Cancelled.',
  FolderNotFound: (d) => `There is no folder at ${d.path}.`,
  FolderUnreadable: (d) => `${d.path} cannot be read: ${d.reason}.`,
  EmptyFolder: (d) => `The folder ${d.path} is empty.`,
  NoReadableImages: (d) =>
    `${d.files === 1 ? `There is no image that Smalti can read at ${d.path}.` : `None of the ${d.files} files in ${d.path} is an image that Smalti can read.`} ${d.reason ?? ''}`.trimEnd(),
  UnreadableImage: (d) => `${d.path} cannot be read: ${d.reason}.`,
  NotEnoughPixels: (d) =>
    `The images are too small: ${d.have} pixels on the short side, and ${d.need} are needed. ${d.advice ?? ''}`.trimEnd(),
  NothingValid: (d) =>
    `None of the ${d.images} images looked at has a pixel with data: all is marked as missing, or lies outside of the area of interest.`,
  MixedImages: (d) => `These images cannot be learnt together: ${d.reason}.`,
  AreaUnreachable: (d) => `The area of interest cannot be found in ${d.path}: ${d.reason}.`,
  PlaceUnknown: (d) =>
    `GeoJSON needs longitude and latitude, but the place of ${d.path} is unknown: ${d.reason}. Export a GeoPackage instead, which keeps the image's own coordinates.`,
  NotGrouped: (d) => `The images of ${d.path} are not sorted into groups yet: smalti group … --project ${d.path}.`,
  NotEnoughImages: (d) => `There are ${d.have} images for ${d.need} groups.`,
  ProjectNotFound: (d) => `There is no Smalti project at ${d.path}.`,
  ProjectUnreadable: (d) => `The project at ${d.path} cannot be read: ${d.reason}.`,
  OtherImages: (d) => `${d.path} is the project of other images (${d.images}). Open those, or choose another folder.`,
  ProjectTooNew: (d) =>
    `The project at ${d.path} was written by a newer Smalti (format ${d.found}; this one knows ${d.known}).`,
  ProjectLocked: (d) => `The project at ${d.path} is open in another Smalti window or command${holderOf(d)}.`,
  FolderInUse: (d) =>
    `Another export is writing to ${d.path}${holderOf(d)}. Wait until it finishes, or choose another folder.`,
  UpdateNotTrusted: (d) => `The update is not used: ${d.reason}. Smalti stays as it is.`,
  UpdateFailed: (d) => `There is no update: ${d.reason}. Smalti stays as it is.`,
  RuntimeUnavailable: (d) => `The runtime was not fetched: ${d.reason}. Smalti computes as before.`,
  PathNotNamed: (d) => `${d.path} was neither chosen, dropped nor opened here. Choose it first.`,
  FolderNotWritable: (d) => `${d.path} cannot be written: ${d.reason}.`,
  DiskFull: (d) => `The disk is full; ${d.path} could not be written. Everything saved before is intact.`,
  NothingTrained: (d) => `The project at ${d.path} has no trained model yet. Train it first.`,
  NothingSegmented: (d) => `The project at ${d.path} has no label masks yet. Segment it first.`,
  LabelsUnreadable: (d) => `The labels of ${d.path} cannot be read: ${d.reason}. Segment again.`,
  CorrectionsUnreadable: (d) =>
    `The corrections in ${d.path} cannot be read: ${d.reason}. Undo them, or restore the file.`,
  HeatmapsMissing: (d) =>
    `The labels of ${d.path} were made without heatmaps, which tell how probable each class is. Make them first: smalti segment … --heatmaps.`,
  TooManyPatches: (d) =>
    `The labels fall into more patches than polygons are made of (over ${d.most} corners). Clean them up first: --sieve 50px.`,
  ClassesChanged: (d) =>
    `The classes of ${d.path} were changed by another window or command meanwhile. They are shown as they are now.`,
  GroupsChanged: (d) =>
    `The groups of ${d.path} were changed by another window or command meanwhile. They are shown as they are now.`,
  ShardMissing: (d) => `The labels cannot be merged yet: missing ${d.missing}.`,
  WouldOverwrite: (d) =>
    `${d.path} exists and was not written by this export. Nothing was written; choose another folder${d.option ? `, or allow it with ${d.option}` : ''}.`,
  AmongImages: (d) =>
    `${d.path} lies among the images of the project, where nothing is ever written. Choose a folder of its own.`,
  CheckpointUnreadable: (d) => `The checkpoint ${d.path} cannot be read: ${d.reason}.`,
  CheckpointMismatch: (d) =>
    `The project was trained with other settings (${d.setting}: ${d.found}; asked: ${d.expected}).`,
  FeaturesUnusable: (d) => `The network ${d.path} cannot be used for its features: ${d.reason}.`,
  BackendUnavailable: (d) => `The backend ${d.backend} cannot be used here: ${d.reason}.`,
  TrainingDiverged: (d) => `Training gave numbers that are not finite at step ${d.step}, ${d.times} times in a row.`,
  TruthMissing: (d) => `No truth mask in ${d.path} has the name of a segmented image.`,
  TruthMismatch: (d) => `The truth mask ${d.path} measures ${d.found}, its image ${d.expected}.`,
  TruthAmbiguous: (d) =>
    `Smalti can't tell which truth belongs to which image: ${d.truths} for ${d.images}. Keep one truth file for each image, and give images different names.`,
  TruthUnusable: (d) => `Smalti can't use the truth ${d.path}: ${d.reason}.`,
  NothingScored: (d) => `No pixel could be scored: ${d.reason}.`,
  TruthInColour: (d) =>
    `The truth mask ${d.path} holds colours (${d.colour}), not classes. Say which class each colour is: --truth-map with {"#rrggbb": class}.`,
  InvalidSetting: (d) => `${d.setting}: ${d.reason}.`,
  ShapeMismatch: (d) => `The shapes do not match: ${d.expected} and ${d.found}.`,
  EngineStopped: (d) => `The engine stopped unexpectedly (${d.reason}). The project is as it was last saved.`,
  InternalError: (d) => `Something went wrong inside Smalti: ${d.reason}.`
} satisfies Record<string, (details: Details) => string>

type Details = Readonly<Record<string, string | number | undefined>>

/** The process that holds a lock, in brackets, as far as it is known. */
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

const GONE_DRIVE = 'its drive or network folder does not answer'
/** What a person understands of a file system's faults. */
const REASONS: Partial<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a file is in the way',
  EEXIST: 'a file is in the way',
  EISDIR: 'a folder is in the way',
  ENOENT: 'it has gone',
  ENAMETOOLONG: 'its name is too long',
  EFBIG: 'its file system takes no file that large',
  EBUSY: 'another program is using it',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ...Object.fromEntries(
    ['EIO', 'ESTALE', 'ENXIO', 'ENODEV', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT', 'EREMOTEIO'].map(
      (code) => [code, GONE_DRIVE]
    )
  )
}
/** Calls that only look. */
const LOOKING = new Set(['read', 'scandir', 'opendir', 'stat', 'lstat', 'fstat', 'readlink'])

/** A named error as it is; a fault of the file system under its name; anything else as an internal error. */
export function asSmaltiError(fault: unknown, path = ''): SmaltiError {
  if (fault instanceof SmaltiError) return fault
  // Closing failed, too, after what went wrong.
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
/** Whether a fault says that something was not kept, which a user is told even of work that was cancelled. */
export const isLoss = (fault: unknown): boolean => fault instanceof SmaltiError && LOSSES.has(fault.name)
