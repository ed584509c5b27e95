/**
 * The reference counts of one slab: a byte for each data block, private to the zone, in memory from the time that
 * the slab is first opened or loaded.
 *
 * 4,032 counters make a reference block. A change makes its block *dirty*; dirty blocks wait in the order in which
 * they became dirty and are written when the slab journal needs room, or at a save. A block is clean from the
 * moment that its counters are copied for writing, and waits again if it is changed while it is written.
 *
 * Each change holds a lock on the slab journal block that has its entry. A clean block that is changed keeps that
 * lock until it was written; a block that holds one already lets the new one go, since the older block is the one
 * that must stay. A written block carries, in each sector, the journal position of the last change made to any
 * counter of the slab.
 *
 * | change                  | from 0 | from 1        | from 2…253 | from 254      | from 255 |
 * |-------------------------|--------|---------------|------------|---------------|----------|
 * | allocate, lock          | 255    |               |            |               |          |
 * | increment               | error  | 2             | +1         | error         | 1        |
 * | decrement, not locked   | error  | 0             | −1         | −1            | 0        |
 * | decrement, locked       | error  | 255           | −1         | −1            | 255      |
 * | increment of a tree page| error  | error         | error      | error         | 254      |
 * | release of a provisional|        |               |            |               | 0        |
 *
 * 254 stands for the shape's limit; a tree page has 254 whatever the limit, so that nothing ever shares it.
 */
import { assert } from '../../base/assert.js'
import { type Pbn, pbn, type SequenceNumber, type VioIndex } from '../../base/ids.js'
import { IntrusiveLists } from '../../base/intrusive-list.js'
import { Status } from '../../base/status.js'
import {
  REFERENCE_FREE,
  REFERENCE_MAXIMUM,
  REFERENCE_PROVISIONAL,
  REFERENCES_PER_BLOCK,
  SECTORS_PER_BLOCK,
} from '../../format/constants.js'
import {
  packReferenceBlock,
  readCommitIndex,
  readCommitSequence,
  referenceBlockOf,
  unpackReferenceBlock,
} from '../../format/reference-block.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, hop, PhysicalOp } from '../../vio/opcodes.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'
import { VioUse } from './metadata-vios.js'
import { NO_LOCK } from './pbn-locks.js'
import type { Slab, SlabKeeper } from './slab.js'
import { SummaryUser } from './slab-summary.js'

export enum Change {
  Increment = 0,
  Decrement = 1,
  /** The increment of a tree page. */
  MapIncrement = 2,
}

/** No block is free. */
export const NOTHING_FREE = -1

/** A reference block holds no lock on the slab journal. */
const NO_JOURNAL_LOCK = -1

const NO_BYTES = new Uint8Array(0)
const NO_SHORTS = new Int16Array(0)
const NO_WORDS = new Int32Array(0)
const NO_LISTS = new IntrusiveLists(0, 1)

export class ReferenceCounts {
  /** The counters, and the same memory as words, padded to a whole one. */
  private counters: Uint8Array = NO_BYTES
  private words: Int32Array = NO_WORDS
  /** For each reference block: counters that are 0, state, and ring positions of journal locks. */
  private blockFree: Int16Array = NO_SHORTS
  private dirty: Uint8Array = NO_BYTES
  private writing: Uint8Array = NO_BYTES
  private journalLock: Int16Array = NO_SHORTS
  private lockToRelease: Int16Array = NO_SHORTS
  /** Dirty blocks that are not being written, oldest first. */
  private dirtyList = NO_LISTS
  private dirtyCount = 0
  /** How many of them are to be written as vios come. */
  private wanted = 0
  /** Reference blocks and summary updates under way. */
  private active = 0
  private cursor = 0
  private pointSequence: SequenceNumber = 0
  private pointIndex = 0
  private readonly blockCount: number
  private readonly countedBlocks: number
  /** Data blocks whose counter is 0. */
  free: number

  constructor(
    private readonly keeper: SlabKeeper,
    private readonly slab: Slab,
  ) {
    const { volume } = keeper.context
    this.blockCount = volume.slabReferenceBlocks
    this.countedBlocks = volume.slabDataBlocks
    this.free = volume.slabDataBlocks
    assert(
      this.blockCount * REFERENCES_PER_BLOCK >= this.countedBlocks,
      'reference blocks count every data block',
    )
  }

  get isInMemory(): boolean {
    return this.counters !== NO_BYTES
  }

  get isQuiet(): boolean {
    return this.active === 0 && this.wanted === 0
  }

  get dirtyBlocks(): number {
    return this.dirtyCount
  }

  get blocks(): number {
    return this.blockCount
  }

  /** The count of a block: 0 (free), 1 to 254, or 255 while it is provisional. */
  count(sbn: number): number {
    return this.isInMemory ? this.counters[sbn] : REFERENCE_FREE
  }

  /** Brings counters into being, all 0. */
  create(): void {
    if (this.isInMemory) return
    const memory = new ArrayBuffer(Math.ceil(this.countedBlocks / 4) * 4)
    this.words = new Int32Array(memory)
    this.keeper.context.counters[Counter.PrivateBytes] += memory.byteLength
    this.counters = new Uint8Array(memory, 0, this.countedBlocks)
    const blocks = this.blockCount
    this.blockFree = new Int16Array(blocks)
    this.dirty = new Uint8Array(blocks)
    this.writing = new Uint8Array(blocks)
    this.journalLock = new Int16Array(blocks).fill(NO_JOURNAL_LOCK)
    this.lockToRelease = new Int16Array(blocks).fill(NO_JOURNAL_LOCK)
    this.dirtyList = new IntrusiveLists(blocks, 1)
    for (let block = 0; block < blocks; block++) {
      const rest = this.countedBlocks - block * REFERENCES_PER_BLOCK
      this.blockFree[block] = Math.max(0, Math.min(REFERENCES_PER_BLOCK, rest))
    }
  }

  // Allocation

  resetCursor(): void {
    this.cursor = 0
  }

  /** Takes a free block at or after the cursor, which moves behind it; there is no wrap. */
  allocate(): number {
    const sbn = this.findFree(this.cursor)
    if (sbn === NOTHING_FREE) {
      this.cursor = this.countedBlocks
      return NOTHING_FREE
    }
    this.cursor = sbn + 1
    this.makeProvisional(sbn)
    return sbn
  }

  /** A free block becomes 255: kept from being handed out, by a lock that the caller has. */
  makeProvisional(sbn: number): void {
    assert(this.counters[sbn] === REFERENCE_FREE, 'only a free block gets a provisional reference')
    this.counters[sbn] = REFERENCE_PROVISIONAL
    this.addFree(sbn, -1)
  }

  /** The lock ended and nothing took the block. */
  releaseProvisional(sbn: number): void {
    assert(this.counters[sbn] === REFERENCE_PROVISIONAL, 'what is released was provisional')
    this.counters[sbn] = REFERENCE_FREE
    this.addFree(sbn, 1)
  }

  /** How many more references the block can take. None if it is a tree page. */
  available(sbn: number): number {
    const { maximumReferences } = this.keeper.context.shape
    const count = this.counters[sbn]
    if (count === REFERENCE_PROVISIONAL) return maximumReferences - 1
    return Math.max(0, maximumReferences - count)
  }

  // Changes

  /**
   * Makes the change that the slab journal has at (`sequence`, `index`); `position` is where that block lies in the
   * ring, and the entry's lock on it passes to the reference block or ends.
   */
  change(change: Change, sbn: number, sequence: SequenceNumber, index: number, position: number): Status {
    this.create()
    if (!this.apply(change, sbn)) return Status.ReferenceCountInvalid
    this.pointSequence = sequence
    this.pointIndex = index
    const block = referenceBlockOf(sbn)
    if (this.dirty[block] === 1 && this.journalLock[block] !== NO_JOURNAL_LOCK) {
      this.slab.journal.adjustLock(position, -1)
    } else {
      this.journalLock[block] = position
      this.markDirty(block)
    }
    return Status.Success
  }

  /** Makes a change that the slab journal had on disk. No lock exists; nothing is provisional. */
  replay(change: Change, sbn: number): boolean {
    const { maximumReferences } = this.keeper.context.shape
    const count = this.counters[sbn]
    switch (change) {
      case Change.Increment:
        if (count >= maximumReferences) return false
        this.counters[sbn] = count + 1
        if (count === REFERENCE_FREE) this.addFree(sbn, -1)
        break
      case Change.Decrement:
        if (count === REFERENCE_FREE) return false
        this.counters[sbn] = count - 1
        if (count === 1) this.addFree(sbn, 1)
        break
      case Change.MapIncrement:
        if (count !== REFERENCE_FREE) return false
        this.counters[sbn] = REFERENCE_MAXIMUM
        this.addFree(sbn, -1)
        break
    }
    this.markDirty(referenceBlockOf(sbn))
    return true
  }

  /** The replay has come to the end of the journal, which is this entry. */
  setPoint(sequence: SequenceNumber, index: number): void {
    this.pointSequence = sequence
    this.pointIndex = index
  }

  /** Whether the counters as loaded know of changes that come after the given position. */
  isNewerThan(sequence: SequenceNumber, index: number): boolean {
    return this.pointSequence > sequence || (this.pointSequence === sequence && this.pointIndex > index)
  }

  /** Every block is to be written: none ever was. */
  dirtyAll(): void {
    this.create()
    for (let block = 0; block < this.blockCount; block++) this.markDirty(block)
  }

  /**
   * The first entry ever goes into the slab journal, at `position`: it must not be reaped before every reference
   * block is on disk, so each becomes dirty and takes a lock. Gives the number of locks.
   */
  lockAll(position: number): number {
    this.dirtyAll()
    this.journalLock.fill(position)
    return this.blockCount
  }

  // Writing

  /** Has the oldest `count` dirty blocks written, besides those already wanted. */
  write(count: number): void {
    this.wanted = Math.min(this.dirtyCount, this.wanted + count)
    if (this.wanted > 0) this.keeper.vios.request(this.slab.local, VioUse.Reference)
  }

  writeAll(): void {
    this.write(this.dirtyCount)
  }

  /** A vio is there for the oldest dirty block. */
  granted(vio: VioIndex): void {
    const { keeper, slab } = this
    if (keeper.isReadOnly || this.wanted === 0) {
      this.wanted = 0
      keeper.vios.release(vio)
      keeper.settled(slab)
      return
    }
    const { vios, arena, volume, placement, post, zone, counters } = keeper.context
    const block = this.dirtyList.shift(0)
    assert(block >= 0 && this.writing[block] === 0, 'a block that waits to be written is not being written')
    this.dirtyCount--
    this.wanted--
    this.dirty[block] = 0
    this.lockToRelease[block] = this.journalLock[block]
    this.journalLock[block] = NO_JOURNAL_LOCK
    this.writing[block] = 1
    this.active++
    counters[Counter.ReferenceBlocksWritten]++
    const buffer = vios.bufferAt(vio)
    const first = block * REFERENCES_PER_BLOCK
    packReferenceBlock(arena, buffer, this.counters, first, this.pointSequence, this.pointIndex)
    keeper.vios.assign(vio, block)
    vios.status[vio] = Status.Success
    const back = hop(PhysicalOp.ReferencesWritten, zone)
    const target = pbn(slab.origin + volume.slabDataBlocks + block)
    vios.aim(vio, IoKind.Metadata, target, buffer, IoFlag.Preflush, back)
    post.send(hop(BioOp.Write, placement.writer), vio)
    if (this.wanted > 0) keeper.vios.request(slab.local, VioUse.Reference)
  }

  written(vio: VioIndex): void {
    const { keeper, slab } = this
    const block = keeper.vios.blockOf(vio)
    const status = keeper.context.vios.status[vio]
    assert(this.writing[block] === 1, 'a reference block that was written was being written')
    this.active--
    this.writing[block] = 0
    const lock = this.lockToRelease[block]
    this.lockToRelease[block] = NO_JOURNAL_LOCK
    if (this.dirty[block] === 1) {
      keeper.context.counters[Mark.CountsChangedWhileWritten]++
      this.dirtyList.append(0, block)
      this.dirtyCount++
    }
    if (status === Status.Success) {
      if (lock !== NO_JOURNAL_LOCK) slab.journal.adjustLock(lock, -1)
    } else {
      keeper.fail(status)
    }
    keeper.vios.release(vio)
    if (!keeper.isReadOnly && this.active === 0 && this.dirtyCount === 0) this.summarizeClean()
    keeper.settled(slab)
  }

  /** The counters on disk lack nothing: the summary may say so. */
  summarizeClean(): void {
    this.active++
    const tail = this.slab.journal.summarizedTail
    this.keeper.summary.update(this.slab, SummaryUser.References, tail, true, true, this.free)
  }

  summaryDone(ok: boolean): void {
    this.active--
    if (!ok) this.keeper.fail(Status.IoError)
    this.keeper.settled(this.slab)
  }

  // Loading

  /** Takes over a reference block that was read. Its sectors' commit points go to `points` (see the scrubber). */
  load(block: number, buffer: number, sequences: Float64Array, indices: Uint16Array): void {
    const { arena } = this.keeper.context
    const before = this.blockFree[block]
    const free = unpackReferenceBlock(arena, buffer, this.counters, block * REFERENCES_PER_BLOCK)
    this.blockFree[block] = free
    this.free += free - before
    for (let sector = 0; sector < SECTORS_PER_BLOCK; sector++) {
      const sequence = readCommitSequence(arena, buffer, sector)
      const index = readCommitIndex(arena, buffer, sector)
      sequences[block * SECTORS_PER_BLOCK + sector] = sequence
      indices[block * SECTORS_PER_BLOCK + sector] = index
      if (sequence > this.pointSequence || (sequence === this.pointSequence && index > this.pointIndex)) {
        this.pointSequence = sequence
        this.pointIndex = index
      }
    }
  }

  private apply(change: Change, sbn: number): boolean {
    const { locks, context } = this.keeper
    const count = this.counters[sbn]
    const block = (this.slab.origin + sbn) as Pbn
    switch (change) {
      case Change.Increment:
        if (count === REFERENCE_PROVISIONAL) {
          locks.clearProvisional(block)
          this.counters[sbn] = 1
          return true
        }
        if (count === REFERENCE_FREE || count >= context.shape.maximumReferences) return false
        this.counters[sbn] = count + 1
        return true
      case Change.Decrement: {
        if (count === REFERENCE_FREE) return false
        if (count > 1 && count !== REFERENCE_PROVISIONAL) {
          this.counters[sbn] = count - 1
          return true
        }
        const lock = locks.find(block)
        if (lock !== NO_LOCK) {
          if (count === 1) {
            context.counters[Mark.LockedBlockUnreferenced]++
            locks.assignProvisional(lock)
          }
          this.counters[sbn] = REFERENCE_PROVISIONAL
          return true
        }
        this.counters[sbn] = REFERENCE_FREE
        this.addFree(sbn, 1)
        return true
      }
      case Change.MapIncrement:
        if (count !== REFERENCE_PROVISIONAL) return false
        locks.clearProvisional(block)
        this.counters[sbn] = REFERENCE_MAXIMUM
        return true
    }
  }

  private markDirty(block: number): void {
    if (this.dirty[block] === 1) return
    this.dirty[block] = 1
    if (this.writing[block] === 1) return
    this.dirtyList.append(0, block)
    this.dirtyCount++
  }

  private addFree(sbn: number, delta: number): void {
    this.blockFree[referenceBlockOf(sbn)] += delta
    this.free += delta
    this.keeper.freeChanged(this.slab, delta)
  }

  /** The first counter of 0 from `start` on. */
  private findFree(start: number): number {
    if (start >= this.countedBlocks) return NOTHING_FREE
    // Blocks are mostly handed out one after another: the next is very often free.
    if (this.counters[start] === REFERENCE_FREE) return start
    let from = start
    for (let block = referenceBlockOf(start); block < this.blockCount; block++) {
      const end = Math.min((block + 1) * REFERENCES_PER_BLOCK, this.countedBlocks)
      if (this.blockFree[block] > 0) {
        const found = this.findZero(from, end)
        if (found < end) return found
      }
      from = end
    }
    return NOTHING_FREE
  }

  /** The first counter of 0 in [`from`, `end`), or something from `end` on. Looks at four counters at a time. */
  private findZero(from: number, end: number): number {
    const { counters, words } = this
    let at = from
    while (at < end && (at & 3) !== 0) {
      if (counters[at] === REFERENCE_FREE) return at
      at++
    }
    while (at < end) {
      const word = words[at >> 2]
      if (((word - 0x01010101) & ~word & 0x80808080) !== 0) break
      at += 4
    }
    while (at < end && counters[at] !== REFERENCE_FREE) at++
    return at
  }
}
