/**
 * A block map entry: where a logical block or a page of the tree is. Pages hold 812 of them; recovery journal
 * entries hold two, the new location and the previous one.
 *
 * | offset | bits  | field                                                |
 * |--------|-------|------------------------------------------------------|
 * | 0      | 3..0  | mapping state                                        |
 * | 0      | 7..4  | PBN bits 35..32                                      |
 * | 1      | 32    | PBN bits 31..0                                       |
 *
 * State 0 is unmapped (PBN 0), 1 an uncompressed block (PBN 0: reads as zeros, and counts as used), 2 to 15 the
 * fragments 0 to 13 of a compressed block. Everything here works in place and allocates nothing.
 */

import { readU32, writeU32 } from '../base/bytes.js'
import { MAPPING_STATE_UNCOMPRESSED, MAPPING_STATE_UNMAPPED, ZERO_PBN } from './constants.js'

const TWO_32 = 0x1_0000_0000

export function readLocationPbn(bytes: Uint8Array, at: number): number {
  return (bytes[at] >>> 4) * TWO_32 + readU32(bytes, at + 1)
}

export function readLocationState(bytes: Uint8Array, at: number): number {
  return bytes[at] & 0x0f
}

export function writeLocation(bytes: Uint8Array, at: number, pbn: number, state: number): void {
  bytes[at] = (Math.floor(pbn / TWO_32) << 4) | state
  writeU32(bytes, at + 1, pbn >>> 0)
}

/** Whether PBN and state go together. Whether the PBN is a data block is the depot's to say. */
export function isValidLocation(pbn: number, state: number): boolean {
  return pbn === ZERO_PBN ? state <= MAPPING_STATE_UNCOMPRESSED : state !== MAPPING_STATE_UNMAPPED
}
