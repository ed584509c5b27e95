/**
 * The whole recovery journal as a crash left it, in memory, and where it begins and ends. Pure: bytes in, an extent
 * out; the same for the real journal and for a made-up one of eight blocks.
 *
 * ```
 *   ring position   0        1        2        3        4        5        6        7
 *   sequence        8        9       10    ░ torn ░    12       5        6        7
 *                   │                 │                         │
 *                   │          tail: the last block             first: the older of
 *                   │          that gave entries                the two heads
 *                   └ highest is 12; what follows a hole was never promised to anybody
 * ```
 *
 * A block is a *candidate* when it carries the volume's nonce and recovery count and lies where its sequence number
 * belongs. Blocks older than what the super block names are of the time before it was written.
 */
import {
  BLOCK_SIZE,
  JOURNAL_ENTRIES_PER_SECTOR,
  JOURNAL_ENTRY_SECTORS,
  JournalOperation,
  MAPPING_STATE_UNMAPPED,
  MetadataType,
  ZERO_PBN,
} from '../format/constants.js'
import {
  isJournalCandidate,
  isJournalEntryWellFormed,
  isJournalSectorValid,
  journalEntryAt,
  readJournalBlockMapDataBlocks,
  readJournalBlockMapHead,
  readJournalEntryCount,
  readJournalLogicalBlocksUsed,
  readJournalMappingPbn,
  readJournalMappingState,
  readJournalOperation,
  readJournalPagePbn,
  readJournalRecoveryCount,
  readJournalSectorEntryCount,
  readJournalSequence,
  readJournalSlabJournalHead,
  readJournalType,
  readJournalUnmappingPbn,
  readJournalUnmappingState,
} from '../format/recovery-journal-block.js'

/** The journal's bytes and what is known of the volume that they belong to. */
export interface JournalRing {
  /** All blocks, by ring position. */
  readonly bytes: Uint8Array
  /** Blocks of the ring. */
  readonly blocks: number
  /** What the super block says comes next; nothing older counts. */
  readonly start: number
  readonly nonceLow: number
  readonly nonceHigh: number
  /** Complete recoveries modulo 256. */
  readonly recoveryCount: number
  /** Entries of a full block. The format's 217, less in a simulated volume. */
  readonly entriesPerBlock: number
  readonly physicalBlocks: number
  /** Whether a map entry may name this block. */
  readonly isDataBlock: (pbn: number) => boolean
  /** Whether a page of the map may lie in this block. */
  readonly isMapPage: (pbn: number) => boolean
}

/** How far sequence numbers go, and from where the journal says that its entries are needed. */
export interface JournalReach {
  /** The highest sequence number on disk, or `start` when there is none. */
  readonly highest: number
  /** The oldest block needed for the block map, and for the slab journals. 0 when nothing was found. */
  readonly blockMapHead: number
  readonly slabJournalHead: number
  /** Whether there is any block of this life of the volume. */
  readonly isFound: boolean
  /**
   * The number to go on with: behind every block of the volume, of whatever life. Those of others are older, unless
   * somebody has set the count of recoveries back.
   */
  readonly next: number
}

/** The usable journal. Blocks `first` to `tail` follow each other; all but the tail are full. */
export interface JournalExtent extends JournalReach {
  readonly first: number
  /** The last block that gave entries; `first` - 1 when none did. */
  readonly tail: number
  /** Entries that the tail gives. */
  readonly tailEntries: number
  /** Counters after the last entry; null when no block says anything. */
  readonly usage: JournalUsage | null
}

export interface JournalUsage {
  readonly logicalBlocksUsed: number
  readonly blockMapDataBlocks: number
}

/** Why a journal cannot be replayed. */
export enum JournalDefect {
  /** Written by a version whose entries do not name the old location: that version must recover it. */
  Legacy = 0,
  /** Blocks of both formats. */
  MixedFormats,
  /** A head names a block behind the last one that is there. */
  HeadBehindTail,
  /** An entry that no engine writes. */
  BadEntry,
}

export type JournalVerdict =
  | { readonly extent: JournalExtent }
  | { readonly defect: JournalDefect; readonly sentence: string }

/** Reads all headers: how far the journal reaches. */
export function reachOf(ring: JournalRing): JournalReach {
  let highest = ring.start
  let next = highest + 1
  let isFound = false
  let blockMapHead = 0
  let slabJournalHead = 0
  for (let position = 0; position < ring.blocks; position++) {
    const at = position * BLOCK_SIZE
    const recoveryCount = readJournalRecoveryCount(ring.bytes, at)
    if (!isCandidateAt(ring, position, recoveryCount)) continue
    const sequence = readJournalSequence(ring.bytes, at)
    next = Math.max(next, sequence + 1)
    if (recoveryCount !== ring.recoveryCount) continue
    if (sequence >= highest) {
      isFound = true
      highest = sequence
    }
    // Heads of blocks from before `start` would name what is long gone.
    if (!isFound) continue
    blockMapHead = Math.max(blockMapHead, readJournalBlockMapHead(ring.bytes, at))
    slabJournalHead = Math.max(slabJournalHead, readJournalSlabJournalHead(ring.bytes, at))
  }
  return { highest, isFound, blockMapHead, slabJournalHead, next }
}

/** Finds what can be replayed, and judges every entry of it. */
export function findExtent(ring: JournalRing): JournalVerdict {
  const reach = reachOf(ring)
  if (!reach.isFound) return { extent: { ...reach, first: 0, tail: -1, tailEntries: 0, usage: null } }
  const first = Math.min(reach.blockMapHead, reach.slabJournalHead)
  let tail = first - 1
  let tailEntries = 0
  let usage: JournalUsage | null = null
  let type: number | null = null
  for (let sequence = first; sequence <= reach.highest; sequence++) {
    const at = blockAt(ring, sequence)
    if (at < 0) break
    type ??= readJournalType(ring.bytes, at)
    if (readJournalType(ring.bytes, at) !== type) {
      return flaw(JournalDefect.MixedFormats, `block ${sequence} is of another format than those before it`)
    }
    if (type === MetadataType.LegacyRecoveryJournal) continue
    const count = countEntries(ring, at)
    const bad = findBadEntry(ring, at, count)
    if (bad >= 0) {
      return flaw(JournalDefect.BadEntry, `entry ${bad} of block ${sequence} is none that can be`)
    }
    usage = usageAfter(ring, at, count)
    if (count > 0) {
      tail = sequence
      tailEntries = count
    }
    if (count < ring.entriesPerBlock || readJournalEntryCount(ring.bytes, at) !== count) break
  }
  if (type === MetadataType.LegacyRecoveryJournal) {
    return flaw(JournalDefect.Legacy, 'all of it is of the format before version 8')
  }
  const newest = Math.max(reach.blockMapHead, reach.slabJournalHead)
  // A first block that was torn when it was written for the first time leaves nothing, and that is in order.
  if (newest > reach.highest || newest > Math.max(tail, first)) {
    return flaw(JournalDefect.HeadBehindTail, `it is needed from block ${newest} on and ends with ${tail}`)
  }
  return { extent: { ...reach, first, tail, tailEntries, usage } }
}

/** Entries that a block of the extent gives. */
export function entriesOf(ring: JournalRing, extent: JournalExtent, sequence: number): number {
  return sequence === extent.tail ? extent.tailEntries : ring.entriesPerBlock
}

/** Where a block with exactly this sequence number lies in the bytes; -1 if it is not there. */
export function blockAt(ring: JournalRing, sequence: number): number {
  const position = sequence % ring.blocks
  const at = position * BLOCK_SIZE
  if (!isCandidateAt(ring, position) || readJournalSequence(ring.bytes, at) !== sequence) return -1
  return at
}

/**
 * Whether an entry can be: its form, that what it names are data blocks, and that a page can be where it names one:
 * what is replayed is written there.
 */
export function isEntryPossible(ring: JournalRing, entry: number): boolean {
  const { bytes, physicalBlocks, isDataBlock, isMapPage } = ring
  if (!isJournalEntryWellFormed(bytes, entry, physicalBlocks)) return false
  if (!isMapPage(readJournalPagePbn(bytes, entry))) return false
  const mapping = readJournalMappingPbn(bytes, entry)
  const unmapping = readJournalUnmappingPbn(bytes, entry)
  return (mapping === ZERO_PBN || isDataBlock(mapping)) && (unmapping === ZERO_PBN || isDataBlock(unmapping))
}

function isCandidateAt(ring: JournalRing, position: number, recoveryCount = ring.recoveryCount): boolean {
  const { bytes, blocks, nonceLow, nonceHigh } = ring
  const at = position * BLOCK_SIZE
  return isJournalCandidate(bytes, at, position, blocks, nonceLow, nonceHigh, recoveryCount)
}

/** Entries up to the first sector that was not written with this header, or is not full. */
function countEntries({ bytes }: JournalRing, at: number): number {
  const said = readJournalEntryCount(bytes, at)
  let taken = 0
  for (let sector = 1; sector <= JOURNAL_ENTRY_SECTORS && taken < said; sector++) {
    if (!isJournalSectorValid(bytes, at, sector)) break
    const count = Math.min(readJournalSectorEntryCount(bytes, at, sector), said - taken)
    taken += count
    if (count < JOURNAL_ENTRIES_PER_SECTOR) break
  }
  return taken
}

function findBadEntry(ring: JournalRing, at: number, count: number): number {
  for (let index = 0; index < count; index++) {
    if (!isEntryPossible(ring, journalEntryAt(at, index))) return index
  }
  return -1
}

function usageAfter({ bytes }: JournalRing, at: number, count: number): JournalUsage {
  let logicalBlocksUsed = readJournalLogicalBlocksUsed(bytes, at)
  let blockMapDataBlocks = readJournalBlockMapDataBlocks(bytes, at)
  for (let index = 0; index < count; index++) {
    const entry = journalEntryAt(at, index)
    if (readJournalOperation(bytes, entry) === JournalOperation.BlockMapRemapping) {
      blockMapDataBlocks++
      continue
    }
    if (readJournalMappingState(bytes, entry) !== MAPPING_STATE_UNMAPPED) logicalBlocksUsed++
    if (readJournalUnmappingState(bytes, entry) !== MAPPING_STATE_UNMAPPED) logicalBlocksUsed--
  }
  return { logicalBlocksUsed, blockMapDataBlocks }
}

function flaw(defect: JournalDefect, sentence: string): JournalVerdict {
  return { defect, sentence: `Cannot replay the recovery journal: ${sentence}` }
}
