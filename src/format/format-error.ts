/** What is wrong with bytes that should be a structure of the disk, or with what a volume should become. */

import { VdoError } from '../base/errors.js'

export type FormatErrorCode =
  /** The structure is not there at all. */
  | 'VDO_BAD_MAGIC'
  /** The bytes changed since they were written. */
  | 'VDO_BAD_CHECKSUM'
  /** Written by a program with another idea of this structure. */
  | 'VDO_UNSUPPORTED_VERSION'
  /** Fewer bytes than the structure has. */
  | 'VDO_TRUNCATED'
  /** A component of the super block is not what it must be. */
  | 'VDO_BAD_SUPER_BLOCK'
  /** Sizes that contradict each other or the limits of the format. */
  | 'VDO_BAD_CONFIGURATION'
  /** Geometry and super block are of two volumes. */
  | 'VDO_BAD_NONCE'
  /** The device cannot hold the volume asked for. */
  | 'VDO_TOO_SMALL'
  /** The device would have more slabs than the format can count. */
  | 'VDO_TOO_MANY_SLABS'

export class FormatError extends VdoError {
  declare readonly code: FormatErrorCode

  // oxlint-disable-next-line no-useless-constructor -- narrows the code
  constructor(code: FormatErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A 32-bit value as it is printed in messages. */
export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
