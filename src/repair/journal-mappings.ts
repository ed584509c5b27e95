/**
 * What the recovery journal says of map pages: slot of a page → location, in journal order. A recovery takes the
 * entries of the usable extent; a rebuild takes whatever can be read, from both formats, across holes.
 */

import { isValidLocation } from '../format/block-map-entry.js'
import {
  BLOCK_SIZE,
  ENTRIES_PER_PAGE,
  JOURNAL_ENTRIES_PER_SECTOR,
  JOURNAL_ENTRY_SECTORS,
  MAPPING_STATE_UNCOMPRESSED,
  MetadataType,
  ZERO_PBN,
} from '../format/constants.js'
import {
  isJournalSectorValid,
  journalEntryAt,
  LegacyJournalOperation,
  legacyEntriesInSector,
  legacyJournalEntryAt,
  readJournalEntryCount,
  readJournalMappingPbn,
  readJournalMappingState,
  readJournalOperation,
  readJournalPagePbn,
  readJournalSectorEntryCount,
  readJournalSlot,
  readJournalType,
} from '../format/recovery-journal-block.js'
import {
  blockAt,
  entriesOf,
  isEntryPossible,
  type JournalExtent,
  type JournalReach,
  type JournalRing,
} from './journal-ring.js'

/** A list of mappings as columns; row i is the i-th in journal order. */
export class JournalMappings {
  length = 0
  pages: Float64Array
  slots: Uint16Array
  pbns: Float64Array
  states: Uint8Array

  constructor(capacity: number) {
    this.pages = new Float64Array(capacity)
    this.slots = new Uint16Array(capacity)
    this.pbns = new Float64Array(capacity)
    this.states = new Uint8Array(capacity)
  }

  /** Adds the mapping of the entry at `entry`; its place and its new location are where they always were. */
  add(bytes: Uint8Array, entry: number): void {
    const row = this.length++
    this.pages[row] = readJournalPagePbn(bytes, entry)
    this.slots[row] = readJournalSlot(bytes, entry)
    this.pbns[row] = readJournalMappingPbn(bytes, entry)
    this.states[row] = readJournalMappingState(bytes, entry)
  }

  /** Rows sorted by page, those of a page in journal order. */
  rowsByPage(): Float64Array {
    const { length, pages } = this
    const numbers = new Map<number, number>()
    // A page's number above the row: one sort of plain numbers keeps both orders.
    const rows = 2 ** Math.ceil(Math.log2(length + 1))
    const keys = new Float64Array(length)
    for (let row = 0; row < length; row++) {
      let number = numbers.get(pages[row])
      if (number === undefined) {
        number = numbers.size
        numbers.set(pages[row], number)
      }
      keys[row] = number * rows + row
    }
    keys.sort()
    for (let i = 0; i < length; i++) keys[i] %= rows
    return keys
  }
}

/** The mappings that a recovery replays: those from the block map head on. */
export function replayableMappings(ring: JournalRing, extent: JournalExtent): JournalMappings {
  const { blockMapHead, tail } = extent
  const mappings = new JournalMappings(Math.max(0, tail - blockMapHead + 1) * ring.entriesPerBlock)
  for (let sequence = blockMapHead; sequence <= tail; sequence++) {
    const at = blockAt(ring, sequence)
    const count = entriesOf(ring, extent, sequence)
    for (let index = 0; index < count; index++) mappings.add(ring.bytes, journalEntryAt(at, index))
  }
  return mappings
}

/** The mappings that a rebuild salvages: every good entry of every good sector of the newest block's format. */
export function salvageableMappings(ring: JournalRing, reach: JournalReach): JournalMappings {
  const newest = reach.isFound ? blockAt(ring, reach.highest) : -1
  if (newest < 0) return new JournalMappings(0)
  const type = readJournalType(ring.bytes, newest)
  const first = Math.max(reach.blockMapHead, reach.highest - ring.blocks + 1, 0)
  // A damaged head may lie behind everything.
  const mappings = new JournalMappings(Math.max(0, reach.highest - first + 1) * MOST_ENTRIES)
  for (let sequence = first; sequence <= reach.highest; sequence++) {
    const at = blockAt(ring, sequence)
    if (at < 0 || readJournalType(ring.bytes, at) !== type) continue
    if (type === MetadataType.RecoveryJournal) salvageBlock(ring, at, mappings)
    else salvageLegacyBlock(ring, at, mappings)
  }
  return mappings
}

/** More than a block of either format has. */
const MOST_ENTRIES = Math.floor(BLOCK_SIZE / 11)

function salvageBlock(ring: JournalRing, at: number, mappings: JournalMappings): void {
  let left = readJournalEntryCount(ring.bytes, at)
  for (let sector = 1; sector <= JOURNAL_ENTRY_SECTORS && left > 0; sector++) {
    if (isJournalSectorValid(ring.bytes, at, sector)) {
      const count = Math.min(readJournalSectorEntryCount(ring.bytes, at, sector), left)
      for (let i = 0; i < count; i++) {
        const entry = journalEntryAt(at, (sector - 1) * JOURNAL_ENTRIES_PER_SECTOR + i)
        if (isEntryPossible(ring, entry)) mappings.add(ring.bytes, entry)
      }
    }
    left -= JOURNAL_ENTRIES_PER_SECTOR
  }
}

/** An old entry is half of one of today: only its increment says where something is now. */
function salvageLegacyBlock(ring: JournalRing, at: number, mappings: JournalMappings): void {
  let left = readJournalEntryCount(ring.bytes, at)
  for (let sector = 1; sector <= JOURNAL_ENTRY_SECTORS && left > 0; sector++) {
    const capacity = legacyEntriesInSector(sector)
    if (isJournalSectorValid(ring.bytes, at, sector)) {
      const count = Math.min(readJournalSectorEntryCount(ring.bytes, at, sector), left)
      for (let i = 0; i < count; i++) {
        const entry = legacyJournalEntryAt(at, sector, i)
        if (isLegacyIncrementPossible(ring, entry)) mappings.add(ring.bytes, entry)
      }
    }
    left -= capacity
  }
}

function isLegacyIncrementPossible(ring: JournalRing, entry: number): boolean {
  const { bytes, isDataBlock, isMapPage } = ring
  if (!isMapPage(readJournalPagePbn(bytes, entry))) return false
  if (readJournalSlot(bytes, entry) >= ENTRIES_PER_PAGE) return false
  const pbn = readJournalMappingPbn(bytes, entry)
  const state = readJournalMappingState(bytes, entry)
  if (!isValidLocation(pbn, state)) return false
  const operation: LegacyJournalOperation = readJournalOperation(bytes, entry)
  if (operation === LegacyJournalOperation.DataIncrement) return pbn === ZERO_PBN || isDataBlock(pbn)
  const isTree = operation === LegacyJournalOperation.BlockMapIncrement
  return isTree && isDataBlock(pbn) && state === MAPPING_STATE_UNCOMPRESSED
}
