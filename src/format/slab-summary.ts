/**
 * The slab summary: what it takes to load a slab. 64 blocks are 16 copies, one for each possible physical zone,
 * of 8192 entries.
 *
 * | byte of entry | bits | field                                                                   |
 * |---------------|------|-------------------------------------------------------------------------|
 * | 0             | 7..0 | tail: sequence of the next slab journal block modulo its ring's size    |
 * | 1             | 5..0 | fullness hint                                                           |
 * | 1             | 6    | load: the reference blocks on disk have been written                    |
 * | 1             | 7    | dirty: the reference blocks may lack entries of the slab journal        |
 *
 * An entry in memory is one 16-bit number, byte 0 low. Everything works in place and allocates nothing.
 */

import { assert } from '../base/assert.js'
import { readU16, writeU16 } from '../base/bytes.js'
import {
  MAXIMUM_PHYSICAL_ZONES,
  SLAB_SUMMARY_BLOCKS_PER_ZONE,
  SLAB_SUMMARY_ENTRIES_PER_BLOCK,
  SLAB_SUMMARY_ENTRY_SIZE,
} from './constants.js'

const HINT_BITS = 6
const HINT_SHIFT = 8
const HINT_MASK = (1 << HINT_BITS) - 1
const LOAD_BIT = 1 << 14
const DIRTY_BIT = 1 << 15

assert(LOAD_BIT === 1 << (HINT_SHIFT + HINT_BITS), 'the flags follow the hint')

export function packSummaryEntry(tail: number, hint: number, load: boolean, dirty: boolean): number {
  assert(tail < 1 << HINT_SHIFT && hint <= HINT_MASK, 'a summary entry has eight bits of tail, six of hint')
  return tail | (hint << HINT_SHIFT) | (load ? LOAD_BIT : 0) | (dirty ? DIRTY_BIT : 0)
}

export function summaryTail(entry: number): number {
  return entry & 0xff
}

export function summaryHint(entry: number): number {
  return (entry >>> HINT_SHIFT) & HINT_MASK
}

export function summaryLoad(entry: number): boolean {
  return (entry & LOAD_BIT) !== 0
}

export function summaryDirty(entry: number): boolean {
  return (entry & DIRTY_BIT) !== 0
}

/** The entry of a slab that was never used. `dataBlocks` is the count of data blocks in a slab. */
export function defaultSummaryEntry(dataBlocks: number, slabBits: number): number {
  return packSummaryEntry(0, fullnessHint(dataBlocks, slabBits), false, false)
}

/** How free a slab is, in six bits: 0 when full, and at least 1 otherwise. */
export function fullnessHint(freeBlocks: number, slabBits: number): number {
  if (freeBlocks === 0) return 0
  return Math.max(freeBlocks >>> Math.max(slabBits - HINT_BITS, 0), 1)
}

/** Which block of the summary partition holds a slab's entry in the copy of `zone`. */
export function summaryBlockOf(slab: number, zone: number): number {
  assert(zone < MAXIMUM_PHYSICAL_ZONES, 'the summary has a copy for each of 16 zones')
  return zone * SLAB_SUMMARY_BLOCKS_PER_ZONE + Math.floor(slab / SLAB_SUMMARY_ENTRIES_PER_BLOCK)
}

/** Which entry of its block a slab's is. */
export function summaryIndexOf(slab: number): number {
  return slab % SLAB_SUMMARY_ENTRIES_PER_BLOCK
}

/** The zone whose copy of a slab's entry is the right one. A volume never loaded has stored 0 zones. */
export function summaryZoneOf(slab: number, storedZoneCount: number): number {
  return slab % Math.max(storedZoneCount, 1)
}

export function readSummaryEntry(bytes: Uint8Array, block: number, index: number): number {
  return readU16(bytes, block + index * SLAB_SUMMARY_ENTRY_SIZE)
}

export function writeSummaryEntry(bytes: Uint8Array, block: number, index: number, entry: number): void {
  writeU16(bytes, block + index * SLAB_SUMMARY_ENTRY_SIZE, entry)
}
