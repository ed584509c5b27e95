/** Why an index cannot be opened. None of these is a loss of data: a volume serves without its index. */
import { VdoError } from '../base/errors.js'

/** All codes; their places stand for them in shared memory. */
export const INDEX_ERROR_CODES = [
  /** There is no index in the region, or one of another volume or configuration: a new one may be made. */
  'VDO_INDEX_MISSING',
  /** A structure of the index is damaged. */
  'VDO_INDEX_CORRUPT',
  /** Written in a version of the format that is not known. */
  'VDO_INDEX_UNSUPPORTED',
  /** The region has too little room for the index that it should hold. */
  'VDO_INDEX_NO_SPACE',
  /** There is no memory for it. */
  'VDO_INDEX_NO_MEMORY',
  /** The store failed. */
  'VDO_INDEX_IO',
  /** It was not saved when it was used last: it has to be rebuilt from its chapters. */
  'VDO_INDEX_UNCLEAN',
] as const

export type IndexErrorCode = (typeof INDEX_ERROR_CODES)[number]

export class IndexError extends VdoError {
  declare readonly code: IndexErrorCode

  // oxlint-disable-next-line no-useless-constructor -- narrows the code
  constructor(code: IndexErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The error of a damaged structure. */
export function indexCorrupt(what: string, found: string): IndexError {
  return new IndexError('VDO_INDEX_CORRUPT', `Cannot read the ${what}: ${found}`)
}

/** The error of a structure that is not there, or is not of this index. */
export function indexMissing(what: string, found: string): IndexError {
  return new IndexError('VDO_INDEX_MISSING', `Cannot open the ${what}: ${found}`)
}
