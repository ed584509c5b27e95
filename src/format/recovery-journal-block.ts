/**
 * A recovery journal block. Block `sequence` lives at ring position `sequence mod journal size`.
 *
 * Header, in sector 0 (the rest of that sector is 0):
 *
 * | offset | size | field                                                              |
 * |--------|------|--------------------------------------------------------------------|
 * | 0      | 8    | block map head: oldest sequence still needed for the block map     |
 * | 8      | 8    | slab journal head: oldest sequence still needed for slab journals  |
 * | 16     | 8    | sequence number of this block                                      |
 * | 24     | 8    | nonce of the volume                                                |
 * | 32     | 1    | metadata type: 3, or 1 for the legacy format                       |
 * | 33     | 2    | entry count                                                        |
 * | 35     | 8    | logical blocks used when this block was opened                     |
 * | 43     | 8    | block map data blocks when this block was opened                   |
 * | 51     | 1    | check byte: ((sequence div journal size) and 127) or 128           |
 * | 52     | 1    | recovery count: complete recoveries modulo 256                     |
 *
 * Sectors 1 to 7 (a sector not yet reached is all zero, and 0 is never a check byte):
 *
 * | offset | size    | field                                                           |
 * |--------|---------|-----------------------------------------------------------------|
 * | 0      | 1       | check byte, as in the header                                    |
 * | 1      | 1       | recovery count, as in the header                                |
 * | 2      | 1       | entries in this sector, 0 to 31                                 |
 * | 3      | 16 × 31 | entries                                                         |
 *
 * Entry:
 *
 * | offset | size | field                                                              |
 * |--------|------|--------------------------------------------------------------------|
 * | 0      | 2    | bits 1..0 operation, 11..2 slot, 15..12 page PBN bits 35..32       |
 * | 2      | 4    | page PBN bits 31..0                                                |
 * | 6      | 5    | mapping: the new location                                          |
 * | 11     | 5    | unmapping: the previous location                                   |
 *
 * The legacy format has 46 entries of 11 bytes a sector (35 in the last) with a single location; it is only ever
 * read. Everything here works in place and allocates nothing; `block` is where the block starts in `bytes`.
 */

import { assert } from '../base/assert.js'
import { equalsWords, readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../base/bytes.js'
import { isValidLocation, readLocationPbn, readLocationState, writeLocation } from './block-map-entry.js'
import {
  BLOCK_SIZE,
  ENTRIES_PER_PAGE,
  JOURNAL_ENTRIES_PER_BLOCK,
  JOURNAL_ENTRIES_PER_SECTOR,
  JOURNAL_ENTRY_SIZE,
  JournalOperation,
  MAP_ENTRY_SIZE,
  MAPPING_STATE_UNCOMPRESSED,
  MAPPING_STATE_UNMAPPED,
  MAXIMUM_SEQUENCE,
  MetadataType,
  SECTOR_SIZE,
} from './constants.js'

const TWO_32 = 0x1_0000_0000

const BLOCK_MAP_HEAD_AT = 0
const SLAB_JOURNAL_HEAD_AT = 8
const SEQUENCE_AT = 16
const NONCE_AT = 24
const TYPE_AT = 32
const ENTRY_COUNT_AT = 33
const LOGICAL_USED_AT = 35
const DATA_BLOCKS_AT = 43
const CHECK_AT = 51
const RECOVERY_COUNT_AT = 52

const SECTOR_RECOVERY_COUNT_AT = 1
const SECTOR_ENTRY_COUNT_AT = 2
const SECTOR_ENTRIES_AT = 3

const ENTRY_PAGE_LOW_AT = 2
const ENTRY_MAPPING_AT = 6
const ENTRY_UNMAPPING_AT = 11

const LEGACY_ENTRY_SIZE = 11
const LEGACY_ENTRIES_PER_SECTOR = 46
const LEGACY_ENTRIES_IN_LAST_SECTOR = 35
export const LEGACY_ENTRIES_PER_BLOCK = 311

assert(ENTRY_UNMAPPING_AT + MAP_ENTRY_SIZE === JOURNAL_ENTRY_SIZE, 'a journal entry is exactly full')
assert(
  SECTOR_ENTRIES_AT + JOURNAL_ENTRIES_PER_SECTOR * JOURNAL_ENTRY_SIZE <= SECTOR_SIZE,
  'journal entries fit their sector',
)
assert(
  SECTOR_ENTRIES_AT + LEGACY_ENTRIES_PER_SECTOR * LEGACY_ENTRY_SIZE <= SECTOR_SIZE,
  'legacy entries fit their sector',
)
assert(
  6 * LEGACY_ENTRIES_PER_SECTOR + LEGACY_ENTRIES_IN_LAST_SECTOR === LEGACY_ENTRIES_PER_BLOCK,
  'a legacy journal block fills',
)

/** The byte that changes on every trip around the ring, so that a sector of the last trip is told apart. */
export function journalCheckByte(sequence: number, journalBlocks: number): number {
  return (Math.floor(sequence / journalBlocks) & 0x7f) | 0x80
}

// Writing

/** Opens a block: clears it and writes everything of its header but the heads and the count. */
export function openJournalBlock(
  bytes: Uint8Array,
  block: number,
  sequence: number,
  nonceLow: number,
  nonceHigh: number,
  logicalBlocksUsed: number,
  blockMapDataBlocks: number,
  checkByte: number,
  recoveryCount: number,
): void {
  bytes.fill(0, block, block + BLOCK_SIZE)
  writeU64(bytes, block + SEQUENCE_AT, sequence)
  writeU32(bytes, block + NONCE_AT, nonceLow)
  writeU32(bytes, block + NONCE_AT + 4, nonceHigh)
  bytes[block + TYPE_AT] = MetadataType.RecoveryJournal
  writeU64(bytes, block + LOGICAL_USED_AT, logicalBlocksUsed)
  writeU64(bytes, block + DATA_BLOCKS_AT, blockMapDataBlocks)
  bytes[block + CHECK_AT] = checkByte
  bytes[block + RECOVERY_COUNT_AT] = recoveryCount
}

/** What each write of a block refreshes: both heads, and how many entries it holds by now. */
export function writeJournalHeader(
  bytes: Uint8Array,
  block: number,
  blockMapHead: number,
  slabJournalHead: number,
  entryCount: number,
): void {
  writeU64(bytes, block + BLOCK_MAP_HEAD_AT, blockMapHead)
  writeU64(bytes, block + SLAB_JOURNAL_HEAD_AT, slabJournalHead)
  writeU16(bytes, block + ENTRY_COUNT_AT, entryCount)
}

/** Gives a sector (1 to 7) the check byte and recovery count of the block's header, and no entries. */
export function openJournalSector(bytes: Uint8Array, block: number, sector: number): void {
  const at = block + sector * SECTOR_SIZE
  bytes[at] = bytes[block + CHECK_AT]
  bytes[at + SECTOR_RECOVERY_COUNT_AT] = bytes[block + RECOVERY_COUNT_AT]
  bytes[at + SECTOR_ENTRY_COUNT_AT] = 0
}

/**
 * Writes entry `index` (0 to 216) and counts it in its sector, which it opens when it is the sector's first.
 * Entries are written in order; the count in the header waits for `writeJournalHeader`.
 */
export function writeJournalEntry(
  bytes: Uint8Array,
  block: number,
  index: number,
  operation: JournalOperation,
  pagePbn: number,
  slot: number,
  mappingPbn: number,
  mappingState: number,
  unmappingPbn: number,
  unmappingState: number,
): void {
  const sector = sectorOf(index)
  const inSector = index - (sector - 1) * JOURNAL_ENTRIES_PER_SECTOR
  if (inSector === 0) openJournalSector(bytes, block, sector)
  const sectorAt = block + sector * SECTOR_SIZE
  assert(bytes[sectorAt + SECTOR_ENTRY_COUNT_AT] === inSector, 'journal entries are written in order')
  const at = sectorAt + SECTOR_ENTRIES_AT + inSector * JOURNAL_ENTRY_SIZE
  writeU16(bytes, at, operation | (slot << 2) | (Math.floor(pagePbn / TWO_32) << 12))
  writeU32(bytes, at + ENTRY_PAGE_LOW_AT, pagePbn >>> 0)
  writeLocation(bytes, at + ENTRY_MAPPING_AT, mappingPbn, mappingState)
  writeLocation(bytes, at + ENTRY_UNMAPPING_AT, unmappingPbn, unmappingState)
  bytes[sectorAt + SECTOR_ENTRY_COUNT_AT] = inSector + 1
}

// Reading a header

export function readJournalBlockMapHead(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + BLOCK_MAP_HEAD_AT)
}

export function readJournalSlabJournalHead(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + SLAB_JOURNAL_HEAD_AT)
}

export function readJournalSequence(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + SEQUENCE_AT)
}

/** A `MetadataType` when the block is a journal block, any byte when it is not. */
export function readJournalType(bytes: Uint8Array, block: number): number {
  return bytes[block + TYPE_AT]
}

export function readJournalEntryCount(bytes: Uint8Array, block: number): number {
  return readU16(bytes, block + ENTRY_COUNT_AT)
}

export function readJournalLogicalBlocksUsed(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + LOGICAL_USED_AT)
}

export function readJournalBlockMapDataBlocks(bytes: Uint8Array, block: number): number {
  return readU64(bytes, block + DATA_BLOCKS_AT)
}

export function readJournalCheckByte(bytes: Uint8Array, block: number): number {
  return bytes[block + CHECK_AT]
}

export function readJournalRecoveryCount(bytes: Uint8Array, block: number): number {
  return bytes[block + RECOVERY_COUNT_AT]
}

/**
 * Whether the block read from ring position `ringPosition` belongs to this volume and to the time since its last
 * recovery. Its age is not judged: a block of the last trip around the ring is a candidate too. A number that no
 * block can have is judged: what follows it could not be written.
 */
export function isJournalCandidate(
  bytes: Uint8Array,
  block: number,
  ringPosition: number,
  journalBlocks: number,
  nonceLow: number,
  nonceHigh: number,
  recoveryCount: number,
): boolean {
  if (!equalsWords(bytes, block + NONCE_AT, nonceLow, nonceHigh)) return false
  if (bytes[block + RECOVERY_COUNT_AT] !== recoveryCount) return false
  const type = bytes[block + TYPE_AT]
  const count = readJournalEntryCount(bytes, block)
  if (type === MetadataType.RecoveryJournal) {
    if (count > JOURNAL_ENTRIES_PER_BLOCK) return false
  } else if (type !== MetadataType.LegacyRecoveryJournal || count > LEGACY_ENTRIES_PER_BLOCK) {
    return false
  }
  const sequence = readJournalSequence(bytes, block)
  return sequence <= MAXIMUM_SEQUENCE && sequence % journalBlocks === ringPosition
}

// Reading sectors

/** Whether a sector (1 to 7) was written together with this block's header, not on an earlier trip. */
export function isJournalSectorValid(bytes: Uint8Array, block: number, sector: number): boolean {
  const at = block + sector * SECTOR_SIZE
  const entriesPerSector =
    bytes[block + TYPE_AT] === MetadataType.LegacyRecoveryJournal
      ? legacyEntriesInSector(sector)
      : JOURNAL_ENTRIES_PER_SECTOR
  return (
    bytes[at] === bytes[block + CHECK_AT] &&
    bytes[at + SECTOR_RECOVERY_COUNT_AT] === bytes[block + RECOVERY_COUNT_AT] &&
    bytes[at + SECTOR_ENTRY_COUNT_AT] <= entriesPerSector
  )
}

export function readJournalSectorEntryCount(bytes: Uint8Array, block: number, sector: number): number {
  return bytes[block + sector * SECTOR_SIZE + SECTOR_ENTRY_COUNT_AT]
}

// Reading entries: first where one is, then its fields

/** Where entry `index` (0 to 216) of a block is. */
export function journalEntryAt(block: number, index: number): number {
  const sector = sectorOf(index)
  const inSector = index - (sector - 1) * JOURNAL_ENTRIES_PER_SECTOR
  return block + sector * SECTOR_SIZE + SECTOR_ENTRIES_AT + inSector * JOURNAL_ENTRY_SIZE
}

/** A `JournalOperation` when the entry is well formed; 2 and 3 are possible on a damaged disk. */
export function readJournalOperation(bytes: Uint8Array, entry: number): number {
  return bytes[entry] & 3
}

export function readJournalSlot(bytes: Uint8Array, entry: number): number {
  return (readU16(bytes, entry) >>> 2) & 0x3ff
}

export function readJournalPagePbn(bytes: Uint8Array, entry: number): number {
  return (bytes[entry + 1] >>> 4) * TWO_32 + readU32(bytes, entry + ENTRY_PAGE_LOW_AT)
}

export function readJournalMappingPbn(bytes: Uint8Array, entry: number): number {
  return readLocationPbn(bytes, entry + ENTRY_MAPPING_AT)
}

export function readJournalMappingState(bytes: Uint8Array, entry: number): number {
  return readLocationState(bytes, entry + ENTRY_MAPPING_AT)
}

export function readJournalUnmappingPbn(bytes: Uint8Array, entry: number): number {
  return readLocationPbn(bytes, entry + ENTRY_UNMAPPING_AT)
}

export function readJournalUnmappingState(bytes: Uint8Array, entry: number): number {
  return readLocationState(bytes, entry + ENTRY_UNMAPPING_AT)
}

/**
 * Whether an entry makes sense on a volume of this size. Whether its two PBNs, where not 0, are data blocks is
 * left to who knows the slabs.
 */
export function isJournalEntryWellFormed(bytes: Uint8Array, entry: number, physicalBlocks: number): boolean {
  if (readJournalPagePbn(bytes, entry) >= physicalBlocks) return false
  if (readJournalSlot(bytes, entry) >= ENTRIES_PER_PAGE) return false
  const mappingPbn = readJournalMappingPbn(bytes, entry)
  const mappingState = readJournalMappingState(bytes, entry)
  const unmappingPbn = readJournalUnmappingPbn(bytes, entry)
  const unmappingState = readJournalUnmappingState(bytes, entry)
  if (!isValidLocation(mappingPbn, mappingState)) return false
  if (!isValidLocation(unmappingPbn, unmappingState)) return false
  switch (readJournalOperation(bytes, entry)) {
    case JournalOperation.DataRemapping:
      return true
    case JournalOperation.BlockMapRemapping:
      return (
        mappingPbn !== 0 &&
        mappingState === MAPPING_STATE_UNCOMPRESSED &&
        unmappingPbn === 0 &&
        unmappingState === MAPPING_STATE_UNMAPPED
      )
    default:
      return false
  }
}

// The legacy format. Slot and page PBN are where they are in an entry of today, and so is the one location.

/** What an entry of the legacy format says. */
export enum LegacyJournalOperation {
  DataDecrement = 0,
  DataIncrement = 1,
  BlockMapDecrement = 2,
  BlockMapIncrement = 3,
}

export function legacyEntriesInSector(sector: number): number {
  return sector === 7 ? LEGACY_ENTRIES_IN_LAST_SECTOR : LEGACY_ENTRIES_PER_SECTOR
}

/** Where entry `inSector` of a sector (1 to 7) of a legacy block is. */
export function legacyJournalEntryAt(block: number, sector: number, inSector: number): number {
  return block + sector * SECTOR_SIZE + SECTOR_ENTRIES_AT + inSector * LEGACY_ENTRY_SIZE
}

function sectorOf(index: number): number {
  return 1 + Math.floor(index / JOURNAL_ENTRIES_PER_SECTOR)
}
