/** What a client is told about a request that failed in the engine: the one table from status to NBD error. */

import { Status } from '../../base/status.js'
import { NbdError } from './protocol.js'

/**
 * A volume that fell into read-only mode answers EIO and not EPERM: the export was writable when the client
 * attached, and its data are in danger.
 */
const NBD_ERROR: Readonly<Record<Status, NbdError>> = {
  [Status.Success]: NbdError.None,
  [Status.NoSpace]: NbdError.NoSpace,
  [Status.ReadOnly]: NbdError.Io,
  [Status.IoError]: NbdError.Io,
  [Status.OutOfRange]: NbdError.Invalid,
  [Status.BadMapping]: NbdError.Io,
  [Status.InvalidFragment]: NbdError.Io,
  [Status.BadPage]: NbdError.Io,
  [Status.ReferenceCountInvalid]: NbdError.Io,
  [Status.JournalOrder]: NbdError.Io,
  [Status.ShuttingDown]: NbdError.Shutdown,
  [Status.EngineHalted]: NbdError.Io,
  [Status.InvalidRequest]: NbdError.Invalid,
  [Status.SequenceExhausted]: NbdError.Io,
  [Status.CorruptJournal]: NbdError.Io,
  [Status.UnsupportedVersion]: NbdError.Io,
}

/** The NBD error of a status. A status that is not in the table is an I/O error. */
export function nbdErrorOf(status: Status): NbdError {
  return NBD_ERROR[status] ?? NbdError.Io
}
