/**
 * The checksum of the geometry block and the super block: CRC-32 with the usual polynomial, but its register
 * starts at 0 where the usual one starts at all ones. The end is inverted in both. A common crc32 inverts the
 * value that it is told to go on from, so that going on from all ones starts the register at 0.
 */

import { readU32, writeU32 } from '../base/bytes.js'
import type { Native } from '../base/native.js'
import { FormatError, hex32 } from './format-error.js'

export type Crc32 = Native['crc32']

export const CHECKSUM_SIZE = 4

const SEED = 0xffff_ffff

/** The checksum of bytes 0 to `size - 1`, of which there must be one: of nothing, a common crc32 forgets its seed. */
export function checksumOf(bytes: Uint8Array, size: number, crc32: Crc32): number {
  return crc32(bytes.subarray(0, size), SEED) >>> 0
}

/** Stores the checksum of everything before `at` at `at`. */
export function writeChecksum(bytes: Uint8Array, at: number, crc32: Crc32): void {
  writeU32(bytes, at, checksumOf(bytes, at, crc32))
}

/** Throws unless the checksum at `at` is that of everything before it. `what` names the structure. */
export function verifyChecksum(what: string, bytes: Uint8Array, at: number, crc32: Crc32): void {
  const found = readU32(bytes, at)
  const wanted = checksumOf(bytes, at, crc32)
  if (found === wanted) return
  throw new FormatError(
    'VDO_BAD_CHECKSUM',
    `Cannot decode ${what}: checksum is ${hex32(found)}, contents give ${hex32(wanted)}`,
  )
}
