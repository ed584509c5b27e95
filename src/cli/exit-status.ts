/** What a program's exit status tells a script, the same for every command. */

import { CommanderError } from 'commander'
import { VdoError } from '../base/errors.js'

export enum ExitStatus {
  Ok = 0,
  /** Unspecified, or the "no" of a question (an audit, a check). */
  Failed = 1,
  BadArguments = 2,
  ProcessingFailed = 3,
  /** A defect of this program. */
  Defect = 4,
  /** The volume or the device is in a state that does not allow it. */
  WrongState = 5,
  /** The machine refused: I/O, a socket, permission. */
  SystemRefused = 6,
  /** What the user asked for cannot work: missing file, conflicting values, too small. */
  CannotWork = 7,
}

/** Every code of a VdoError; a test looks for those that are missing here. */
const STATUS_OF_CODE: Readonly<Record<string, ExitStatus>> = {
  VDO_ADDRESS_IN_USE: ExitStatus.SystemRefused,
  VDO_ARENA_TOO_LARGE: ExitStatus.CannotWork,
  VDO_ASSERTION_FAILED: ExitStatus.Defect,
  VDO_BAD_ARGUMENT: ExitStatus.BadArguments,
  VDO_BAD_CHECKSUM: ExitStatus.ProcessingFailed,
  VDO_BAD_CONFIGURATION: ExitStatus.CannotWork,
  VDO_BAD_MAGIC: ExitStatus.CannotWork,
  VDO_BAD_MAPPING: ExitStatus.ProcessingFailed,
  VDO_BAD_NONCE: ExitStatus.ProcessingFailed,
  VDO_BAD_PAGE: ExitStatus.ProcessingFailed,
  VDO_BAD_PROFILE: ExitStatus.CannotWork,
  VDO_BAD_SHAPE: ExitStatus.CannotWork,
  VDO_BAD_SUPER_BLOCK: ExitStatus.ProcessingFailed,
  VDO_BAD_URI: ExitStatus.BadArguments,
  VDO_CANNOT_LISTEN: ExitStatus.SystemRefused,
  VDO_CANNOT_OPEN: ExitStatus.SystemRefused,
  VDO_CLOSED: ExitStatus.WrongState,
  VDO_CONTROL: ExitStatus.SystemRefused,
  VDO_CORRUPT_JOURNAL: ExitStatus.ProcessingFailed,
  VDO_ENGINE_HALTED: ExitStatus.Failed,
  VDO_INDEX_CORRUPT: ExitStatus.ProcessingFailed,
  VDO_INDEX_ERROR: ExitStatus.ProcessingFailed,
  VDO_INDEX_IO: ExitStatus.SystemRefused,
  VDO_INDEX_MISSING: ExitStatus.ProcessingFailed,
  VDO_INDEX_NO_MEMORY: ExitStatus.CannotWork,
  VDO_INDEX_NO_SPACE: ExitStatus.CannotWork,
  VDO_INDEX_TOO_LARGE: ExitStatus.CannotWork,
  VDO_INDEX_UNCLEAN: ExitStatus.WrongState,
  VDO_INDEX_UNSUPPORTED: ExitStatus.CannotWork,
  VDO_INVALID_FRAGMENT: ExitStatus.ProcessingFailed,
  VDO_INVALID_REQUEST: ExitStatus.BadArguments,
  VDO_IN_THE_WAY: ExitStatus.WrongState,
  VDO_IN_USE: ExitStatus.WrongState,
  VDO_IO_ERROR: ExitStatus.SystemRefused,
  VDO_JOURNAL_ORDER: ExitStatus.ProcessingFailed,
  VDO_NBD_EXPORT: ExitStatus.BadArguments,
  VDO_NOT_FOUND: ExitStatus.CannotWork,
  VDO_NOT_SERVED: ExitStatus.WrongState,
  VDO_NOT_READ_ONLY: ExitStatus.WrongState,
  VDO_NO_SPACE: ExitStatus.ProcessingFailed,
  VDO_OUT_OF_RANGE: ExitStatus.BadArguments,
  VDO_PROFILE_NOT_FOUND: ExitStatus.CannotWork,
  VDO_READ_ONLY: ExitStatus.WrongState,
  VDO_REFERENCE_COUNT_INVALID: ExitStatus.ProcessingFailed,
  VDO_SEQUENCE_EXHAUSTED: ExitStatus.ProcessingFailed,
  VDO_SHUTTING_DOWN: ExitStatus.WrongState,
  VDO_STORE_TOO_SMALL: ExitStatus.CannotWork,
  VDO_TOO_MANY_PHYSICAL_ZONES: ExitStatus.CannotWork,
  VDO_TOO_MANY_SLABS: ExitStatus.CannotWork,
  VDO_TOO_SMALL: ExitStatus.CannotWork,
  VDO_TRUNCATED: ExitStatus.ProcessingFailed,
  VDO_UNSUPPORTED_VERSION: ExitStatus.CannotWork,
  VDO_VOLUME_TOO_LARGE: ExitStatus.CannotWork,
}

/** The exit status for whatever a command threw. */
export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof CommanderError) return statusOfCommander(error)
  if (error instanceof VdoError) return STATUS_OF_CODE[error.code] ?? ExitStatus.Failed
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (Object.hasOwn(STATUS_OF_CODE, code)) return STATUS_OF_CODE[code]!
  // Node names the errors of the machine by their C constants.
  return /^E[A-Z0-9]+$/.test(code) ? ExitStatus.SystemRefused : ExitStatus.Defect
}

/** Help that was asked for is a success; help because no verb was given answers no question. */
function statusOfCommander({ code, exitCode }: CommanderError): ExitStatus {
  if (exitCode === 0) return ExitStatus.Ok
  return code === 'commander.help' ? ExitStatus.Failed : ExitStatus.BadArguments
}
