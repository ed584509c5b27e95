/**
 * A compressed block: up to 14 logical blocks, each a raw LZ4 block of its own, packed into one data block.
 *
 * | offset | size   | field                                            |
 * |--------|--------|--------------------------------------------------|
 * | 0      | 8      | version 1.0 (two u32)                            |
 * | 8      | 2 × 14 | fragment sizes, 0 for an unused slot             |
 * | 36     | 4060   | fragments, back to back                          |
 *
 * Slots are used from 0 up. Nothing marks the block but the state of a map entry that leads to it. Bytes behind
 * the last fragment are unspecified. Everything works in place and allocates nothing.
 */

import { assert } from '../base/assert.js'
import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.js'
import {
  BLOCK_SIZE,
  COMPRESSED_PAYLOAD_SIZE,
  MAPPING_STATE_COMPRESSED_BASE,
  MAXIMUM_FRAGMENTS,
} from './constants.js'

const MAJOR_VERSION = 1
const MINOR_VERSION = 0

const MINOR_AT = 4
const SIZES_AT = 8
const SIZE_SIZE = 2
const FRAGMENTS_AT = 36

assert(SIZES_AT + MAXIMUM_FRAGMENTS * SIZE_SIZE === FRAGMENTS_AT, 'the fragments follow their sizes')
assert(FRAGMENTS_AT + COMPRESSED_PAYLOAD_SIZE === BLOCK_SIZE, 'a compressed block is exactly full')

/** Where the first fragment goes, from the start of the block. */
export const FIRST_FRAGMENT_AT = FRAGMENTS_AT

/** Makes `block` a compressed block without fragments; bytes behind the header stay as they are. */
export function openCompressedBlock(bytes: Uint8Array, block: number): void {
  bytes.fill(0, block, block + FRAGMENTS_AT)
  writeU32(bytes, block, MAJOR_VERSION)
  writeU32(bytes, block + MINOR_AT, MINOR_VERSION)
}

/** Records the size of the fragment in `slot`. */
export function writeFragmentSize(bytes: Uint8Array, block: number, slot: number, size: number): void {
  writeU16(bytes, block + SIZES_AT + slot * SIZE_SIZE, size)
}

/** The size of the fragment in `slot` (below 14). */
export function readFragmentSize(bytes: Uint8Array, block: number, slot: number): number {
  return readU16(bytes, block + SIZES_AT + slot * SIZE_SIZE)
}

/** Whether the block carries the one version that there is. */
export function isCompressedBlock(bytes: Uint8Array, block: number): boolean {
  return readU32(bytes, block) === MAJOR_VERSION && readU32(bytes, block + MINOR_AT) === MINOR_VERSION
}

/**
 * Where the fragment in `slot` starts, counted from the start of the block; -1 when the block is not a compressed
 * block, or has no such fragment, or one that would reach beyond its end.
 */
export function findFragment(bytes: Uint8Array, block: number, slot: number): number {
  if (slot < 0 || slot >= MAXIMUM_FRAGMENTS || !isCompressedBlock(bytes, block)) return -1
  let start = 0
  for (let before = 0; before < slot; before++) {
    start += readFragmentSize(bytes, block, before)
    if (start >= COMPRESSED_PAYLOAD_SIZE) return -1
  }
  const size = readFragmentSize(bytes, block, slot)
  if (size === 0 || start + size > COMPRESSED_PAYLOAD_SIZE) return -1
  return FRAGMENTS_AT + start
}

/** The mapping state that names the fragment in `slot`. */
export function stateOfFragment(slot: number): number {
  return slot + MAPPING_STATE_COMPRESSED_BASE
}

/** The slot that a mapping state names; negative when it names none. */
export function fragmentOfState(state: number): number {
  return state - MAPPING_STATE_COMPRESSED_BASE
}
