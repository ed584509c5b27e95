/**
 * Changes of one map page, as repair sends them to a logical zone in the buffer of a vio: what slots become. The page
 * itself is in the vio's `pagePbn`. Changes are made in their order.
 *
 * | offset | size | field                                              |
 * |--------|------|----------------------------------------------------|
 * | 0      | 2    | how many changes                                   |
 * | 8 + 8i | 2    | bits 9..0 slot, 13..10 mapping state               |
 * |        | 6    | PBN                                                |
 */
import { assert } from '../base/assert.js'
import { readU16, readU48, writeU16, writeU48 } from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'

const HEADER_BYTES = 8
const CHANGE_BYTES = 8
const SLOT_BITS = 10

/** With PBN 0, a location that cannot be: marks an entry that a rebuild has refused. */
export const REFUSED_STATE = 15

/** The most changes of a patch; a page may need two. */
export const PATCH_CAPACITY = (BLOCK_SIZE - HEADER_BYTES) / CHANGE_BYTES

export function openPatch(bytes: Uint8Array, at: number): void {
  writeU16(bytes, at, 0)
}

export function addToPatch(bytes: Uint8Array, at: number, slot: number, pbn: number, state: number): void {
  const length = readPatchLength(bytes, at)
  assert(length < PATCH_CAPACITY, 'changes fit a patch')
  const change = changeAt(at, length)
  writeU16(bytes, change, slot | (state << SLOT_BITS))
  writeU48(bytes, change + 2, pbn)
  writeU16(bytes, at, length + 1)
}

export function readPatchLength(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at)
}

export function readPatchSlot(bytes: Uint8Array, at: number, index: number): number {
  return readU16(bytes, changeAt(at, index)) & ((1 << SLOT_BITS) - 1)
}

export function readPatchState(bytes: Uint8Array, at: number, index: number): number {
  return readU16(bytes, changeAt(at, index)) >>> SLOT_BITS
}

export function readPatchPbn(bytes: Uint8Array, at: number, index: number): number {
  return readU48(bytes, changeAt(at, index) + 2)
}

function changeAt(at: number, index: number): number {
  return at + HEADER_BYTES + index * CHANGE_BYTES
}
