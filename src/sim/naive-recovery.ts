/**
 * What a recovery would make of a disk that lost power: a twin of the engine's recovery that is as plain as can be.
 * It works on a copy of the disk, in memory, and leaves a volume as after a rebuild: pages and counters written, slab
 * journals blank. Whatever it cannot accept is an error: an engine that keeps the rules of writing never leads here.
 *
 * The steps: find the recovery journal's extent; replay it into the map; load every slab as its summary says; give
 * it the journal's entries that its own journal lacks, numbered as an engine would number them.
 */
import { assert } from '../base/assert.js'
import {
  formatPage,
  judgePage,
  PageVerdict,
  setPageInitialized,
  writeEntry,
} from '../format/block-map-page.js'
import {
  BLOCK_SIZE,
  JOURNAL_ENTRIES_PER_SECTOR,
  JournalOperation,
  MAPPING_STATE_UNMAPPED,
  REFERENCE_FREE,
  REFERENCE_MAXIMUM,
  REFERENCES_PER_BLOCK,
  SECTORS_PER_BLOCK,
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
  readJournalSectorEntryCount,
  readJournalSequence,
  readJournalSlabJournalHead,
  readJournalSlot,
  readJournalUnmappingPbn,
  readJournalUnmappingState,
} from '../format/recovery-journal-block.js'
import {
  isCommittedBefore,
  packReferenceBlock,
  readCommitIndex,
  readCommitSequence,
  referenceBlockOf,
  referenceSectorOf,
  unpackReferenceBlock,
} from '../format/reference-block.js'
import {
  isSlabJournalBlock,
  isSlabJournalIncrement,
  isSlabJournalMapIncrement,
  readSlabJournalEntryCount,
  readSlabJournalEntrySbn,
  readSlabJournalHead,
  readSlabJournalRecoveryIndex,
  readSlabJournalRecoverySequence,
  readSlabJournalSequence,
} from '../format/slab-journal-block.js'
import {
  fullnessHint,
  packSummaryEntry,
  readSummaryEntry,
  summaryBlockOf,
  summaryDirty,
  summaryIndexOf,
  summaryLoad,
  summaryTail,
  summaryZoneOf,
  writeSummaryEntry,
} from '../format/slab-summary.js'
import type { Volume } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import type { SimStore } from './sim-store.js'

/** An entry of the recovery journal. */
interface Entry {
  readonly sequence: number
  readonly index: number
  readonly isTree: boolean
  readonly page: number
  readonly slot: number
  readonly pbn: number
  readonly state: number
  readonly oldPbn: number
  readonly oldState: number
}

/** The recovery journal as far as it can be used. */
interface Extent {
  readonly entries: readonly Entry[]
  readonly blockMapHead: number
  readonly slabJournalHead: number
  /** The highest sequence number that is on disk. */
  readonly highest: number
  readonly logicalBlocksUsed: number
  readonly blockMapDataBlocks: number
}

/** A position in a slab journal. */
interface Position {
  sequence: number
  index: number
}

enum Change {
  Increment = 0,
  Decrement,
  TreeIncrement,
}

/** Recovers `disk`, which changes, and gives the volume as a super block would then describe it. */
export function recoverNaively(disk: SimStore, volume: Volume, shape: VolumeShape): Volume {
  const extent = readJournal(disk, volume, shape)
  replayMap(disk, volume, extent)
  for (let slab = 0; slab < volume.slabCount; slab++) {
    new SlabRecovery(disk, volume, shape, slab).run(extent)
  }
  return {
    ...volume,
    logicalBlocksUsed: extent.logicalBlocksUsed,
    blockMapDataBlocks: extent.blockMapDataBlocks,
    journalStart: extent.highest + 1,
  }
}

// The recovery journal

function readJournal(disk: SimStore, volume: Volume, shape: VolumeShape): Extent {
  const { journalOrigin, journalBlocks, journalStart } = volume
  let highest = journalStart
  let found = false
  let blockMapHead = 0
  let slabJournalHead = 0
  for (let position = 0; position < journalBlocks; position++) {
    const block = disk.blockAt(journalOrigin + position)
    if (!isCandidate(volume, block, position)) continue
    const sequence = readJournalSequence(block, 0)
    if (sequence >= highest) {
      found = true
      highest = sequence
    }
    if (!found) continue
    blockMapHead = Math.max(blockMapHead, readJournalBlockMapHead(block, 0))
    slabJournalHead = Math.max(slabJournalHead, readJournalSlabJournalHead(block, 0))
  }
  const { logicalBlocksUsed, blockMapDataBlocks } = volume
  if (!found) {
    return { entries: [], blockMapHead, slabJournalHead, highest, logicalBlocksUsed, blockMapDataBlocks }
  }
  const entries: Entry[] = []
  let used = logicalBlocksUsed
  let pages = blockMapDataBlocks
  // Where the journal ends. A journal whose first block is torn has no entries, and is in order.
  let tail = Math.min(blockMapHead, slabJournalHead)
  for (let sequence = tail; sequence <= highest; sequence++) {
    const block = disk.blockAt(journalOrigin + (sequence % journalBlocks))
    if (!isCandidate(volume, block, sequence % journalBlocks) || readJournalSequence(block, 0) !== sequence)
      break
    const taken = readJournalBlock(volume, block, sequence)
    if (taken.length > 0) {
      tail = sequence
      used = readJournalLogicalBlocksUsed(block, 0)
      pages = readJournalBlockMapDataBlocks(block, 0)
      for (const entry of taken) {
        if (entry.isTree) pages++
        else
          used +=
            (entry.state === MAPPING_STATE_UNMAPPED ? 0 : 1) -
            (entry.oldState === MAPPING_STATE_UNMAPPED ? 0 : 1)
      }
    }
    entries.push(...taken)
    const isWhole = taken.length === readJournalEntryCount(block, 0)
    if (!isWhole || taken.length !== shape.journalEntriesPerBlock) break
  }
  if (Math.max(blockMapHead, slabJournalHead) > tail) {
    throw new Error(`the journal's heads ${blockMapHead} and ${slabJournalHead} lie behind its tail ${tail}`)
  }
  return {
    entries,
    blockMapHead,
    slabJournalHead,
    highest,
    logicalBlocksUsed: used,
    blockMapDataBlocks: pages,
  }
}

function isCandidate(volume: Volume, block: Uint8Array, position: number): boolean {
  const { journalBlocks, nonceLow, nonceHigh, recoveryCount } = volume
  return isJournalCandidate(block, 0, position, journalBlocks, nonceLow, nonceHigh, recoveryCount)
}

/** The entries of a block, up to the first sector that is not of its last write. */
function readJournalBlock(volume: Volume, block: Uint8Array, sequence: number): Entry[] {
  const entries: Entry[] = []
  let left = readJournalEntryCount(block, 0)
  for (let sector = 1; sector < SECTORS_PER_BLOCK && left > 0; sector++) {
    if (!isJournalSectorValid(block, 0, sector)) break
    const count = Math.min(readJournalSectorEntryCount(block, 0, sector), left)
    left -= count
    for (let i = 0; i < count; i++) entries.push(readEntry(volume, block, sequence, entries.length))
    if (count < JOURNAL_ENTRIES_PER_SECTOR) break
  }
  return entries
}

function readEntry(volume: Volume, block: Uint8Array, sequence: number, index: number): Entry {
  const at = journalEntryAt(0, index)
  if (!isJournalEntryWellFormed(block, at, volume.physicalBlocks)) {
    throw new Error(`entry ${index} of journal block ${sequence} is not well formed`)
  }
  return {
    sequence,
    index,
    isTree: readJournalOperation(block, at) === JournalOperation.BlockMapRemapping,
    page: readJournalPagePbn(block, at),
    slot: readJournalSlot(block, at),
    pbn: readJournalMappingPbn(block, at),
    state: readJournalMappingState(block, at),
    oldPbn: readJournalUnmappingPbn(block, at),
    oldState: readJournalUnmappingState(block, at),
  }
}

// The block map

function replayMap(disk: SimStore, volume: Volume, { entries, blockMapHead }: Extent): void {
  const { nonceLow, nonceHigh } = volume
  for (const { sequence, page, slot, pbn, state } of entries) {
    if (sequence < blockMapHead) continue
    const bytes = disk.blockAt(page).slice()
    const verdict = judgePage(bytes, 0, nonceLow, nonceHigh, page)
    if (verdict === PageVerdict.Bad) throw new Error(`the map page at PBN ${page} is that of another place`)
    if (verdict === PageVerdict.Invalid) formatPage(bytes, 0, nonceLow, nonceHigh, page, true)
    setPageInitialized(bytes, 0, true)
    writeEntry(bytes, 0, slot, pbn, state)
    disk.write(page, bytes)
  }
}

// Slabs

class SlabRecovery {
  private readonly start: number
  private readonly counters: Uint8Array
  private readonly references: Uint8Array
  private readonly referenceBlocks: number
  private loaded = false
  /** The recovery point of the slab journal's last entry. */
  private readonly point: Position = { sequence: 0, index: 0 }
  /** Where the next entry of the slab journal goes. */
  private readonly next: Position = { sequence: 1, index: 0 }
  private hasTreeEntries = false

  constructor(
    private readonly disk: SimStore,
    private readonly volume: Volume,
    private readonly shape: VolumeShape,
    private readonly slab: number,
  ) {
    this.start = volume.depotOrigin + slab * volume.slabBlocks
    this.counters = new Uint8Array(volume.slabDataBlocks)
    this.referenceBlocks = Math.ceil(volume.slabDataBlocks / REFERENCES_PER_BLOCK)
    this.references = new Uint8Array(this.referenceBlocks * BLOCK_SIZE)
  }

  run({ entries, slabJournalHead }: Extent): void {
    const { slab, volume } = this
    const zone = summaryZoneOf(slab, volume.savedPhysicalZones)
    const summary = this.disk.blockAt(volume.summaryOrigin + summaryBlockOf(slab, zone))
    const entry = readSummaryEntry(summary, 0, summaryIndexOf(slab))
    this.load(summaryTail(entry), summaryLoad(entry), summaryDirty(entry))
    for (const each of entries) {
      if (each.sequence >= slabJournalHead) this.replay(each)
    }
    this.judgeCommitPoints()
    this.rewrite(zone)
  }

  private load(tail: number, load: boolean, isDirty: boolean): void {
    const { volume, slab, start, disk, references, counters } = this
    const { slabJournalBlocks, slabDataBlocks, nonceLow, nonceHigh } = volume
    this.loaded = load
    if (load) {
      disk.read(start + slabDataBlocks, this.referenceBlocks, references)
      for (let block = 0; block < this.referenceBlocks; block++) {
        unpackReferenceBlock(references, block * BLOCK_SIZE, counters, block * REFERENCES_PER_BLOCK)
      }
    }
    if (tail === 0 && !load) return
    const newest = this.journalBlock((tail + slabJournalBlocks - 1) % slabJournalBlocks)
    if (!isSlabJournalBlock(newest, 0, nonceLow, nonceHigh)) {
      if (tail !== 0) throw new Error(`the summary counts journal blocks of slab ${slab} that are not there`)
      return
    }
    const last = readSlabJournalSequence(newest, 0)
    if ((last + 1) % slabJournalBlocks !== tail) {
      throw new Error(
        `the newest journal block of slab ${slab} has sequence ${last}, the summary's tail is ${tail}`,
      )
    }
    this.next.sequence = last + 1
    this.point.sequence = readSlabJournalRecoverySequence(newest, 0)
    this.point.index = readSlabJournalRecoveryIndex(newest, 0)
    if (!isDirty) return
    for (let sequence = readSlabJournalHead(newest, 0); sequence <= last; sequence++) {
      const block = this.journalBlock(sequence % slabJournalBlocks)
      if (
        !isSlabJournalBlock(block, 0, nonceLow, nonceHigh) ||
        readSlabJournalSequence(block, 0) !== sequence
      ) {
        throw new Error(`journal block ${sequence} of slab ${slab} is overwritten or not written`)
      }
      const count = readSlabJournalEntryCount(block, 0)
      for (let index = 0; index < count; index++) {
        const change = isSlabJournalMapIncrement(block, 0, index)
          ? Change.TreeIncrement
          : isSlabJournalIncrement(block, 0, index)
            ? Change.Increment
            : Change.Decrement
        this.apply(change, readSlabJournalEntrySbn(block, 0, index), { sequence, index })
      }
    }
  }

  private replay({ sequence, index, isTree, pbn, oldPbn }: Entry): void {
    if (this.has(pbn)) this.append(sequence, 2 * index, isTree ? Change.TreeIncrement : Change.Increment, pbn)
    if (this.has(oldPbn)) this.append(sequence, 2 * index + 1, Change.Decrement, oldPbn)
  }

  private has(pbn: number): boolean {
    return pbn !== ZERO_PBN && pbn >= this.start && pbn < this.start + this.volume.slabDataBlocks
  }

  /** Adds an entry to the slab journal unless it is there already. */
  private append(sequence: number, index: number, change: Change, pbn: number): void {
    const { point, next, shape } = this
    if (sequence < point.sequence || (sequence === point.sequence && index <= point.index)) return
    const mixed = shape.slabJournalMixedEntriesPerBlock
    // A block with so many entries has no room for the bitmap.
    if (change === Change.TreeIncrement && next.index >= mixed && !this.hasTreeEntries) this.nextBlock()
    if (change === Change.TreeIncrement) this.hasTreeEntries = true
    this.apply(change, pbn - this.start, { ...next })
    point.sequence = sequence
    point.index = index
    next.index++
    if (next.index >= (this.hasTreeEntries ? mixed : shape.slabJournalEntriesPerBlock)) this.nextBlock()
  }

  private nextBlock(): void {
    this.next.sequence++
    this.next.index = 0
    this.hasTreeEntries = false
  }

  private apply(change: Change, sbn: number, { sequence, index }: Position): void {
    const { counters, references, slab } = this
    assert(sbn < counters.length, 'an entry names a data block')
    if (this.loaded) {
      const block = referenceBlockOf(sbn) * BLOCK_SIZE
      if (!isCommittedBefore(references, block, referenceSectorOf(sbn), sequence, index)) return
    }
    const count = counters[sbn]
    const where = `block ${sbn} of slab ${slab} by entry ${index} of journal block ${sequence}`
    switch (change) {
      case Change.Increment:
        if (count >= REFERENCE_MAXIMUM) throw new Error(`${count} references are added to: ${where}`)
        counters[sbn]++
        break
      case Change.Decrement:
        if (count === REFERENCE_FREE) throw new Error(`no references are taken from: ${where}`)
        counters[sbn]--
        break
      case Change.TreeIncrement:
        if (count !== REFERENCE_FREE) throw new Error(`${count} references become a tree page's: ${where}`)
        counters[sbn] = REFERENCE_MAXIMUM
        break
    }
  }

  /** No counters may know more than the journals together. */
  private judgeCommitPoints(): void {
    if (!this.loaded) return
    for (let block = 0; block < this.referenceBlocks; block++) {
      for (let sector = 0; sector < SECTORS_PER_BLOCK; sector++) {
        const sequence = readCommitSequence(this.references, block * BLOCK_SIZE, sector)
        const index = readCommitIndex(this.references, block * BLOCK_SIZE, sector)
        const { next } = this
        if (sequence < next.sequence || (sequence === next.sequence && index < next.index)) continue
        throw new Error(
          `counters of slab ${this.slab} were written at (${sequence}, ${index}), ` +
            `its journal goes on at (${next.sequence}, ${next.index})`,
        )
      }
    }
  }

  /** Leaves the slab as a rebuild does: exact counters, a blank journal. */
  private rewrite(zone: number): void {
    const { disk, volume, start, slab, counters } = this
    const { slabDataBlocks, slabJournalBlocks, summaryOrigin, slabBlocks } = volume
    const bytes = new Uint8Array(BLOCK_SIZE)
    for (let block = 0; block < this.referenceBlocks; block++) {
      packReferenceBlock(bytes, 0, counters, block * REFERENCES_PER_BLOCK, 0, 0)
      disk.write(start + slabDataBlocks + block, bytes)
    }
    bytes.fill(0)
    for (let position = 0; position < slabJournalBlocks; position++) {
      disk.write(this.journalPbn(position), bytes)
    }
    const free = counters.reduce((sum, count) => sum + (count === REFERENCE_FREE ? 1 : 0), 0)
    const at = summaryOrigin + summaryBlockOf(slab, zone)
    const summary = disk.blockAt(at).slice()
    const hint = fullnessHint(free, Math.log2(slabBlocks))
    writeSummaryEntry(summary, 0, summaryIndexOf(slab), packSummaryEntry(0, hint, true, false))
    disk.write(at, summary)
  }

  private journalBlock(position: number): Uint8Array {
    return this.disk.blockAt(this.journalPbn(position))
  }

  private journalPbn(position: number): number {
    const { slabDataBlocks, slabReferenceBlocks } = this.volume
    return this.start + slabDataBlocks + slabReferenceBlocks + position
  }
}
