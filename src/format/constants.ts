/**
 * Facts of the on-disk format that more than one structure, or a zone, needs. An offset inside a structure lives
 * in that structure's own file. All sizes named `…_SIZE` are bytes, all counts are of the thing they name.
 */

import { assert } from '../base/assert.js'

/** Unit of every address: logical and physical block numbers count these. */
export const BLOCK_SIZE = 4096
/** The unit that a device is trusted not to tear. */
export const SECTOR_SIZE = 512
export const SECTORS_PER_BLOCK = 8

/** PBN 0 never holds data: a mapping to it reads as zeros. */
export const ZERO_PBN = 0
export const MAXIMUM_LOGICAL_BLOCKS = 2 ** 40
export const MAXIMUM_PHYSICAL_BLOCKS = 2 ** 36
/** Sequence numbers share a 64-bit word with a 16-bit index. */
export const MAXIMUM_SEQUENCE = 2 ** 48 - 1
/** More than any volume has seen; one less than a multiple of 256, which journal blocks count them by. */
export const MAXIMUM_RECOVERIES = 2 ** 48 - 1

/** Block map: 60 trees of five heights on disk, the leaves (height 0) dealt out to the trees in turn. */
export const ENTRIES_PER_PAGE = 812
export const MAP_ENTRY_SIZE = 5
export const ROOT_COUNT = 60
export const TREE_HEIGHT = 5

/** How a logical block is mapped: the low four bits of a block map entry. 2 to 15 name a fragment. */
export const MAPPING_STATE_UNMAPPED = 0
export const MAPPING_STATE_UNCOMPRESSED = 1
export const MAPPING_STATE_COMPRESSED_BASE = 2
export const MAPPING_STATE_MAXIMUM = 15
export const MAXIMUM_FRAGMENTS = 14

/** Recovery journal: a ring of blocks, sector 0 of each a header, sectors 1 to 7 entries. */
export const RECOVERY_JOURNAL_BLOCKS = 32768
export const JOURNAL_ENTRY_SIZE = 16
export const JOURNAL_ENTRIES_PER_SECTOR = 31
export const JOURNAL_ENTRY_SECTORS = 7
export const JOURNAL_ENTRIES_PER_BLOCK = 217
/** Journal blocks held back from the ring, for a journal of the usual size. */
export const JOURNAL_RESERVED_BLOCKS = 11

/** Slab journal: a ring in each slab. A block with block map increments gives up room for their bitmap. */
export const SLAB_JOURNAL_BLOCKS = 224
export const SLAB_JOURNAL_ENTRY_SIZE = 3
export const SLAB_JOURNAL_PAYLOAD_SIZE = 4060
export const SLAB_JOURNAL_ENTRIES_PER_BLOCK = 1353
export const SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK = 1299
export const MAXIMUM_SLAB_JOURNAL_BLOCKS = 256

/** Reference counters, a byte each, after the commit point of every sector. */
export const REFERENCES_PER_SECTOR = 504
export const REFERENCES_PER_BLOCK = 4032
export const REFERENCE_FREE = 0
export const REFERENCE_MAXIMUM = 254
/** A block being allocated. Only in memory: read from disk it means free. */
export const REFERENCE_PROVISIONAL = 255

/** Slabs and their summary: 16 copies of 8192 entries. */
export const MAXIMUM_SLABS = 8192
export const MAXIMUM_PHYSICAL_ZONES = 16
export const SLAB_SUMMARY_ENTRY_SIZE = 2
export const SLAB_SUMMARY_ENTRIES_PER_BLOCK = 2048
export const SLAB_SUMMARY_BLOCKS_PER_ZONE = 4
export const SLAB_SUMMARY_BLOCKS = 64
export const MINIMUM_SLAB_BITS = 13
export const MAXIMUM_SLAB_BITS = 23
export const DEFAULT_SLAB_BITS = 19

/** Bytes of fragments that a compressed block can hold. */
export const COMPRESSED_PAYLOAD_SIZE = 4060

/** The kernel's limit of writes in flight. It enters two thresholds that are stored on disk. */
export const MAXIMUM_OUTSTANDING_WRITES = 2048

/** What a metadata block says it is. */
export enum MetadataType {
  /** Recovery journal with one location an entry, as written before version 8. */
  LegacyRecoveryJournal = 1,
  SlabJournal = 2,
  RecoveryJournal = 3,
}

/** What a recovery journal entry changes. */
export enum JournalOperation {
  /** A slot of a leaf: where a logical block's data are. */
  DataRemapping = 0,
  /** A slot of an interior or root page: where a page of the tree is. */
  BlockMapRemapping = 1,
}

assert(SECTOR_SIZE * SECTORS_PER_BLOCK === BLOCK_SIZE, 'sectors fill a block')
assert(
  JOURNAL_ENTRIES_PER_SECTOR * JOURNAL_ENTRY_SECTORS === JOURNAL_ENTRIES_PER_BLOCK,
  'journal block fills',
)
assert(REFERENCES_PER_SECTOR * SECTORS_PER_BLOCK === REFERENCES_PER_BLOCK, 'reference block fills')
assert(SLAB_SUMMARY_ENTRIES_PER_BLOCK * SLAB_SUMMARY_ENTRY_SIZE === BLOCK_SIZE, 'summary block fills')
assert(SLAB_SUMMARY_ENTRIES_PER_BLOCK * SLAB_SUMMARY_BLOCKS_PER_ZONE === MAXIMUM_SLABS, 'summary copy fills')
assert(SLAB_SUMMARY_BLOCKS_PER_ZONE * MAXIMUM_PHYSICAL_ZONES === SLAB_SUMMARY_BLOCKS, 'summary copies fill')
assert(
  SLAB_JOURNAL_ENTRIES_PER_BLOCK * SLAB_JOURNAL_ENTRY_SIZE <= SLAB_JOURNAL_PAYLOAD_SIZE,
  'slab journal entries fit',
)
assert(
  MAPPING_STATE_COMPRESSED_BASE + MAXIMUM_FRAGMENTS - 1 === MAPPING_STATE_MAXIMUM,
  'states name all fragments',
)
