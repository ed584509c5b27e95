/**
 * The outcome of work on the data plane, kept in a vio's column. Values are sent between threads and traced, so
 * they are written out. The first error of a vio wins and stays until the vio is reset.
 */
export enum Status {
  Success = 0,
  /** No block can be allocated. Returned only to requests that were not acknowledged. */
  NoSpace = 1,
  /** The volume is in read-only mode. */
  ReadOnly = 2,
  /** The backing store failed. */
  IoError = 3,
  /** The request reaches beyond the logical size. */
  OutOfRange = 4,
  /** A block map entry is not one that can exist. */
  BadMapping = 5,
  /** A compressed block or fragment cannot be decoded. */
  InvalidFragment = 6,
  /** A block map page carries another page's number. */
  BadPage = 7,
  /** A reference count would leave its range. */
  ReferenceCountInvalid = 8,
  /** Journal entries would not be in order. */
  JournalOrder = 9,
  /** A zone is draining and takes no new work. */
  ShuttingDown = 10,
  /** The engine stopped: a thread died or an invariant broke. */
  EngineHalted = 11,
  /** The request itself makes no sense. */
  InvalidRequest = 12,
  /** A sequence number reached its ceiling. */
  SequenceExhausted = 13,
  /** The recovery journal cannot be replayed. */
  CorruptJournal = 14,
  /** The recovery journal is of an older version, which must recover the volume itself. */
  UnsupportedVersion = 15,
}

interface StatusFacts {
  readonly code: string
  readonly sentence: string
}

/** The one table from a status to the stable code and the sentence of the control plane's errors. */
export const STATUS_FACTS: Readonly<Record<Status, StatusFacts>> = {
  [Status.Success]: { code: 'VDO_SUCCESS', sentence: 'success' },
  [Status.NoSpace]: { code: 'VDO_NO_SPACE', sentence: 'no physical block is free' },
  [Status.ReadOnly]: { code: 'VDO_READ_ONLY', sentence: 'the volume is in read-only mode' },
  [Status.IoError]: { code: 'VDO_IO_ERROR', sentence: 'the backing store failed' },
  [Status.OutOfRange]: { code: 'VDO_OUT_OF_RANGE', sentence: 'the request reaches beyond the logical size' },
  [Status.BadMapping]: { code: 'VDO_BAD_MAPPING', sentence: 'a block map entry is invalid' },
  [Status.InvalidFragment]: {
    code: 'VDO_INVALID_FRAGMENT',
    sentence: 'a compressed block cannot be decoded',
  },
  [Status.BadPage]: { code: 'VDO_BAD_PAGE', sentence: 'a block map page is not the page that was asked for' },
  [Status.ReferenceCountInvalid]: {
    code: 'VDO_REFERENCE_COUNT_INVALID',
    sentence: 'a reference count would leave its range',
  },
  [Status.JournalOrder]: { code: 'VDO_JOURNAL_ORDER', sentence: 'slab journal entries are out of order' },
  [Status.ShuttingDown]: { code: 'VDO_SHUTTING_DOWN', sentence: 'the volume is shutting down' },
  [Status.EngineHalted]: { code: 'VDO_ENGINE_HALTED', sentence: 'the engine has stopped' },
  [Status.InvalidRequest]: { code: 'VDO_INVALID_REQUEST', sentence: 'the request is invalid' },
  [Status.SequenceExhausted]: {
    code: 'VDO_SEQUENCE_EXHAUSTED',
    sentence: 'a journal sequence number reached its ceiling',
  },
  [Status.CorruptJournal]: {
    code: 'VDO_CORRUPT_JOURNAL',
    sentence: 'the recovery journal is damaged and cannot be replayed',
  },
  [Status.UnsupportedVersion]: {
    code: 'VDO_UNSUPPORTED_VERSION',
    sentence: 'the recovery journal is of an older version, which must recover the volume first',
  },
}
