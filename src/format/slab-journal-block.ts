/**
 * A slab journal block. Block `sequence` of a slab lives at ring position `sequence mod slab journal blocks`.
 *
 * | offset | size     | field                                                                    |
 * |--------|----------|--------------------------------------------------------------------------|
 * | 0      | 8        | head: oldest sequence still needed when this block was written           |
 * | 8      | 8        | sequence number of this block                                            |
 * | 16     | 2        | recovery point of the last entry: its index, see below                   |
 * | 18     | 6        | recovery point of the last entry: sequence of the recovery journal block |
 * | 24     | 8        | nonce of the volume                                                      |
 * | 32     | 1        | metadata type: 2                                                         |
 * | 33     | 1        | has block map increments: 0 or 1                                         |
 * | 34     | 2        | entry count                                                              |
 * | 36     | 3 × 1353 | entries without block map increments; or                                 |
 * | 36     | 3 × 1299 | entries, and then                                                        |
 * | 3933   | 163      | bitmap: bit n mod 8 of byte n div 8 is set for a block map increment     |
 *
 * An entry is 24 bits: the slab block number, and bit 23 set for an increment. The index of a recovery point is
 * twice the entry's index in the recovery journal block, plus 1 for a decrement; points grow for the whole life
 * of a slab. Bytes behind the entries are unspecified. Everything works in place and allocates nothing; `block`
 * is where the block starts in `bytes`.
 */

import { assert } from '../base/assert.js'
import {
  equalsWords,
  readU16,
  readU24,
  readU48,
  readU64,
  writeU16,
  writeU24,
  writeU32,
  writeU48,
  writeU64,
} from '../base/bytes.js'
import {
  BLOCK_SIZE,
  MAXIMUM_SLAB_BITS,
  MetadataType,
  SLAB_JOURNAL_ENTRIES_PER_BLOCK,
  SLAB_JOURNAL_ENTRY_SIZE,
  SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK,
  SLAB_JOURNAL_PAYLOAD_SIZE,
} from './constants.js'

const HEAD_AT = 0
const SEQUENCE_AT = 8
const RECOVERY_INDEX_AT = 16
const RECOVERY_SEQUENCE_AT = 18
const NONCE_AT = 24
const TYPE_AT = 32
const HAS_MAP_INCREMENTS_AT = 33
const ENTRY_COUNT_AT = 34
const ENTRIES_AT = 36
const BITMAP_AT = 3933
const BITMAP_SIZE = 163

const INCREMENT_BIT = 0x80_0000
const SBN_MASK = 0x7f_ffff

assert(ENTRIES_AT + SLAB_JOURNAL_PAYLOAD_SIZE === BLOCK_SIZE, 'header and payload fill a slab journal block')
assert(
  ENTRIES_AT + SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK * SLAB_JOURNAL_ENTRY_SIZE === BITMAP_AT,
  'the bitmap follows the entries that it describes',
)
assert(BITMAP_AT + BITMAP_SIZE === BLOCK_SIZE, 'the bitmap ends the block')
assert(BITMAP_SIZE * 8 >= SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK, 'the bitmap has a bit for each entry')
assert(SBN_MASK + 1 >= 2 ** MAXIMUM_SLAB_BITS, 'an entry can name every block of a slab')

/** How many entries fill a block, which depends on whether one of them is a block map increment. */
export function slabJournalCapacity(hasMapIncrements: boolean): number {
  return hasMapIncrements ? SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK : SLAB_JOURNAL_ENTRIES_PER_BLOCK
}

// Writing

/** Opens a block: writes everything of its header that does not change while it fills; no entries yet. */
export function openSlabJournalBlock(
  bytes: Uint8Array,
  block: number,
  sequence: number,
  nonceLow: number,
  nonceHigh: number,
): void {
  bytes.fill(0, block, block + ENTRIES_AT)
  writeU64(bytes, block + SEQUENCE_AT, sequence)
  writeU32(bytes, block + NONCE_AT, nonceLow)
  writeU32(bytes, block + NONCE_AT + 4, nonceHigh)
  bytes[block + TYPE_AT] = MetadataType.SlabJournal
}

/** Whether an entry of this kind still fits into the block as it is now. */
export function slabJournalHasRoom(bytes: Uint8Array, block: number, isMapIncrement: boolean): boolean {
  const withBitmap = isMapIncrement || bytes[block + HAS_MAP_INCREMENTS_AT] !== 0
  return readSlabJournalEntryCount(bytes, block) < slabJournalCapacity(withBitmap)
}

/**
 * Appends an entry, moves the block's recovery point to it, and returns its index. A block map increment is an
 * increment too; the block's first one clears the bitmap.
 */
export function appendSlabJournalEntry(
  bytes: Uint8Array,
  block: number,
  sbn: number,
  isIncrement: boolean,
  isMapIncrement: boolean,
  recoverySequence: number,
  recoveryIndex: number,
): number {
  assert(slabJournalHasRoom(bytes, block, isMapIncrement), 'a slab journal entry needs room')
  assert(isIncrement || !isMapIncrement, 'a block map increment is an increment')
  const index = readSlabJournalEntryCount(bytes, block)
  if (isMapIncrement) {
    if (bytes[block + HAS_MAP_INCREMENTS_AT] === 0) {
      bytes[block + HAS_MAP_INCREMENTS_AT] = 1
      bytes.fill(0, block + BITMAP_AT, block + BITMAP_AT + BITMAP_SIZE)
    }
    bytes[block + BITMAP_AT + (index >>> 3)] |= 1 << (index & 7)
  }
  const entry = block + ENTRIES_AT + index * SLAB_JOURNAL_ENTRY_SIZE
  writeU24(bytes, entry, isIncrement ? sbn | INCREMENT_BIT : sbn)
  writeU16(bytes, block + ENTRY_COUNT_AT, index + 1)
  writeU16(bytes, block + RECOVERY_INDEX_AT, recoveryIndex)
  writeU48(bytes, block + RECOVERY_SEQUENCE_AT, recoverySequence)
  return index
}

/** The head, as it is when the block is written. */
export function writeSlabJournalHead(bytes: Uint8Array, block: number, head: number): void {
  writeU64(bytes, block + HEAD_AT, head)
}

// Reading

/** Whether a block read from the disk is a slab journal block of this volume with a count that is possible. */
export function isSlabJournalBlock(
  bytes: Uint8Array,
  block: number,
  nonceLow: number,
  nonceHigh: number,
): boolean {
  return (
    bytes[block + TYPE_AT] === MetadataType.SlabJournal &&
    equalsWords(bytes, block + NONCE_AT, nonceLow, nonceHigh) &&
    readSlabJournalEntryCount(bytes, block) <= slabJournalCapacity(hasMapIncrements(bytes, block))
  )
}

export function readSlabJournalHead(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + HEAD_AT)
}

export function readSlabJournalSequence(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + SEQUENCE_AT)
}

/** Sequence number of the recovery journal block that the last entry comes from. */
export function readSlabJournalRecoverySequence(bytes: Uint8Array, block: number): number {
  return readU48(bytes, block + RECOVERY_SEQUENCE_AT)
}

/** Index part of the last entry's recovery point. */
export function readSlabJournalRecoveryIndex(bytes: Uint8Array, block: number): number {
  return readU16(bytes, block + RECOVERY_INDEX_AT)
}

export function readSlabJournalType(bytes: Uint8Array, block: number): number {
  return bytes[block + TYPE_AT]
}

export function hasMapIncrements(bytes: Uint8Array, block: number): boolean {
  return bytes[block + HAS_MAP_INCREMENTS_AT] !== 0
}

export function readSlabJournalEntryCount(bytes: Uint8Array, block: number): number {
  return readU16(bytes, block + ENTRY_COUNT_AT)
}

export function readSlabJournalEntrySbn(bytes: Uint8Array, block: number, index: number): number {
  return readU24(bytes, block + ENTRIES_AT + index * SLAB_JOURNAL_ENTRY_SIZE) & SBN_MASK
}

/** Whether the entry is an increment, of data or of the block map. */
export function isSlabJournalIncrement(bytes: Uint8Array, block: number, index: number): boolean {
  return (bytes[block + ENTRIES_AT + index * SLAB_JOURNAL_ENTRY_SIZE + 2] & 0x80) !== 0
}

export function isSlabJournalMapIncrement(bytes: Uint8Array, block: number, index: number): boolean {
  return (
    hasMapIncrements(bytes, block) && (bytes[block + BITMAP_AT + (index >>> 3)] & (1 << (index & 7))) !== 0
  )
}
