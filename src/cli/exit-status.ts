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

const STATUS_OF_CODE: Readonly<Record<string, ExitStatus>> = {
  VDO_BAD_ARGUMENT: ExitStatus.BadArguments,
  VDO_BAD_URI: ExitStatus.BadArguments,
  VDO_NOT_SERVED: ExitStatus.WrongState,
  VDO_NOT_READ_ONLY: ExitStatus.WrongState,
  VDO_UNSUPPORTED_VERSION: ExitStatus.WrongState,
  VDO_ADDRESS_IN_USE: ExitStatus.SystemRefused,
  VDO_CANNOT_LISTEN: ExitStatus.SystemRefused,
  VDO_CONTROL: ExitStatus.SystemRefused,
  VDO_BAD_PROFILE: ExitStatus.CannotWork,
  VDO_PROFILE_NOT_FOUND: ExitStatus.CannotWork,
  VDO_STORE_TOO_SMALL: ExitStatus.CannotWork,
  VDO_TOO_MANY_PHYSICAL_ZONES: ExitStatus.CannotWork,
  VDO_ARENA_TOO_LARGE: ExitStatus.CannotWork,
  VDO_IN_THE_WAY: ExitStatus.WrongState,
  VDO_CANNOT_OPEN: ExitStatus.SystemRefused,
  VDO_IO_ERROR: ExitStatus.SystemRefused,
  VDO_NOT_FOUND: ExitStatus.CannotWork,
  VDO_BAD_CONFIGURATION: ExitStatus.CannotWork,
  VDO_TOO_SMALL: ExitStatus.CannotWork,
  VDO_TOO_MANY_SLABS: ExitStatus.CannotWork,
  VDO_ASSERTION_FAILED: ExitStatus.Defect,
}

/** The exit status for whatever a command threw. */
export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitStatus.Ok : ExitStatus.BadArguments
  if (error instanceof VdoError) return STATUS_OF_CODE[error.code] ?? ExitStatus.Failed
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code in STATUS_OF_CODE) return STATUS_OF_CODE[code]!
  // Node names the errors of the machine by their C constants.
  return /^E[A-Z0-9]+$/.test(code) ? ExitStatus.SystemRefused : ExitStatus.Defect
}
