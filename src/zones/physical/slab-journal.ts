/**
 * The journal of one slab: every change of its reference counts in the order of the recovery journal, so that the
 * recovery journal can let go of its entries long before the counts are written. A ring of blocks on disk;
 * sequence number q lies at position q mod size, numbers start at 1.
 *
 * ```
 *   head        unreapable      lastSummarized    summarized      nextCommit       tail
 *    | counts may |  counts are    |  summary does   | summary is     | being        | being
 *    | be stale   |  stale         |  not know       | being written  | written      | filled
 * ```
 *
 * - The *tail* block is filled in memory, then written whole, once. If it is written before it is full, no entry
 *   may be made until the summary counts that block: a crash in between would make recovery number the entries
 *   differently from the commit points of the reference blocks.
 * - Each block has a *lock count*: one for each entry that no written reference block reflects, and one for the
 *   block itself until the summary counts it. With its first entry a block takes a lock on the recovery journal
 *   block of that entry, which it also holds until the summary counts it.
 * - Blocks at the head without locks are *reaped*: after a flush, which makes the reference blocks stable, their
 *   place may be written again.
 * - The longer the journal, the more reference blocks are written: some from the flushing threshold on, all from
 *   the deadline on; from the blocking threshold on entries wait until the head has moved.
 */
import { assert } from '../../base/assert.js'
import { pbn, type SequenceNumber, type VioIndex } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { BLOCK_SIZE, MAXIMUM_SEQUENCE } from '../../format/constants.js'
import {
  appendSlabJournalEntry,
  isSlabJournalBlock,
  openSlabJournalBlock,
  readSlabJournalHead,
  readSlabJournalRecoveryIndex,
  readSlabJournalRecoverySequence,
  readSlabJournalSequence,
  writeSlabJournalHead,
} from '../../format/slab-journal-block.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, hop, PhysicalOp } from '../../vio/opcodes.js'
import { IoKind } from '../../vio/vio-table.js'
import { NO_JOURNAL } from './dirty-journals.js'
import { VioUse } from './metadata-vios.js'
import { Change } from './reference-counts.js'
import type { Slab, SlabKeeper } from './slab.js'
import { SlabStatus } from './slab-status.js'
import { SAME_HINT, SummaryUser } from './slab-summary.js'

const NO_BYTES = new Uint8Array(0)
const NO_WORDS = new Int32Array(0)
const NO_NUMBERS = new Float64Array(0)

/** How far before the blocking threshold all reference blocks are written. */
const DEADLINE_MARGIN = 5

export class SlabJournal {
  head: SequenceNumber = 1
  tail: SequenceNumber = 1
  private unreapable: SequenceNumber = 1
  private nextCommit: SequenceNumber = 1
  private summarized: SequenceNumber = 1
  private lastSummarized: SequenceNumber = 1

  /** The tail block, its ring position, what it holds. Memory comes with the first use of the journal. */
  private block = NO_BYTES
  private position = 1
  private entryCount = 0
  private hasMapIncrements = false
  /** The recovery point of the newest entry: journal sequence, and twice the index plus 1 for a decrement. */
  private pointSequence: SequenceNumber = 0
  private pointIndex = 0

  /** By ring position: locks against reaping, the recovery journal block held (0: none), a write under way. */
  private locks: Int32Array = NO_WORDS
  private recoveryLocks: Float64Array = NO_NUMBERS
  private inFlight: Uint8Array = NO_BYTES
  /** By ring position: the head that the block there names. */
  private heads: Float64Array = NO_NUMBERS
  /**
   * The head that a replay starts from: by the summary that is stable; as it was written; as it was written when
   * the flush, and when the write of the summary, that are under way began.
   */
  private stableHead: SequenceNumber = 1
  private countedHead: SequenceNumber = 1
  private flushingHead: SequenceNumber = 1
  private updatingHead: SequenceNumber = 1
  private inFlightCount = 0

  private isWaitingToCommit = false
  private isPartialWriteOpen = false
  private isUpdatingSummary = false
  private isReaping = false
  private isAdding = false

  private readonly size: number

  constructor(
    private readonly keeper: SlabKeeper,
    private readonly slab: Slab,
  ) {
    this.size = keeper.context.volume.slabJournalBlocks
  }

  /** Nothing was ever journaled. */
  get isBlank(): boolean {
    return this.tail === 1 && this.entryCount === 0
  }

  get length(): number {
    return this.tail - this.head
  }

  /** No block that was written is needed any more. */
  get isEmpty(): boolean {
    return this.head === this.tail
  }

  /**
   * Too long to take entries before the slab is scrubbed. The format's threshold may come behind the one at which
   * entries wait; but those that wait are durable, and one recovery after the other would add them until the ring is
   * full.
   */
  get requiresScrubbing(): boolean {
    const { slabJournalBlocking, slabJournalScrubbing } = this.keeper.context.volume
    return this.length >= Math.min(slabJournalBlocking, slabJournalScrubbing)
  }

  /** Nothing is on its way, and the summary counts every block that was written. */
  get isQuiet(): boolean {
    if (this.isWaitingToCommit || this.inFlightCount > 0 || this.isUpdatingSummary || this.isReaping)
      return false
    return this.keeper.isReadOnly || this.lastSummarized === this.tail
  }

  /**
   * The tail offset as the summary has it, or will have when the update under way is done. A journal without a
   * block has 0, like that of a slab that was never used: there is no newest block to look for.
   */
  get summarizedTail(): number {
    return this.summarized === 1 ? 0 : this.summarized % this.size
  }

  /** Where a block of the journal is on disk. */
  blockPbn(sequence: SequenceNumber): number {
    const { slabDataBlocks, slabReferenceBlocks } = this.keeper.context.volume
    return this.slab.origin + slabDataBlocks + slabReferenceBlocks + (sequence % this.size)
  }

  // Entries

  /** Makes the entries that wait, oldest first, as far as there is room. */
  addEntries(): void {
    if (this.isAdding) return
    const { keeper, slab } = this
    keeper.roomMade()
    const { entries } = keeper
    const { volume, counters } = keeper.context
    const queue = slab.local
    this.isAdding = true
    while (!entries.isEmpty(queue)) {
      if (keeper.isReadOnly) {
        keeper.entryDone(entries.shift(queue), Status.ReadOnly)
        continue
      }
      if (this.isPartialWriteOpen || slab.status === SlabStatus.Rebuilding) break
      if (this.isWaitingToCommit) {
        counters[Counter.SlabJournalTailBusy]++
        break
      }
      const isTree = keeper.isTreeEntry(entries.first(queue))
      if (isTree && this.lacksRoomForBitmap) {
        counters[Mark.TreeEntryClosesBlock]++
        this.commitTail()
        continue
      }
      if (this.length >= volume.slabJournalBlocking) {
        counters[Counter.SlabJournalBlocked]++
        if (slab.isRebuilt) {
          slab.counts.writeAll()
        } else {
          counters[Mark.UnscrubbedSlabPromoted]++
          keeper.promote(slab)
        }
        break
      }
      if (this.entryCount === 0 && !this.startBlock()) break
      this.add(entries.shift(queue), isTree)
    }
    this.isAdding = false
  }

  /**
   * Makes an entry of the recovery journal that a crash kept from this one, unless it has it: at the very place that it
   * would have had, since reference blocks may know it by that. False if there is no room now: to be tried again when
   * room is made. The slab is not rebuilt, and the scrubber finds the entry in the journal.
   */
  replay(
    sbn: number,
    isIncrement: boolean,
    isTree: boolean,
    recoverySequence: SequenceNumber,
    recoveryIndex: number,
  ): boolean {
    const { keeper, slab } = this
    if (keeper.isReadOnly) return true
    if (!this.isNewer(recoverySequence, recoveryIndex)) {
      keeper.context.counters[Mark.EntryKnownToSlabJournal]++
      return true
    }
    if (slab.isRebuilt) slab.status = SlabStatus.RequiresScrubbing
    if (isTree && this.lacksRoomForBitmap) this.commitTail()
    if (this.isWaitingToCommit || this.isPartialWriteOpen) return false
    if (this.entryCount === 0 && !this.startReplayBlock()) return false
    const { position } = this
    this.append(sbn, isIncrement, isTree, recoverySequence, recoveryIndex)
    this.adjustLock(position, -1)
    return true
  }

  /** Has the tail block written, full or not. */
  commitTail(): void {
    const { keeper, slab } = this
    if (keeper.isReadOnly || this.isWaitingToCommit || this.entryCount === 0) return
    keeper.dirtyJournals.remove(slab.local)
    this.isWaitingToCommit = true
    keeper.vios.request(slab.local, VioUse.Commit)
  }

  /** A vio is there to write the tail block. */
  commitGranted(vio: VioIndex): void {
    const { keeper, slab, block } = this
    this.isWaitingToCommit = false
    if (keeper.isReadOnly) {
      keeper.vios.release(vio)
      keeper.settled(slab)
      return
    }
    const { vios, arena, shape, placement, post, zone, counters } = keeper.context
    const sequence = this.tail
    const unused = shape.slabJournalEntriesPerBlock - this.entryCount
    writeSlabJournalHead(block, 0, this.head)
    this.heads[this.position] = this.head
    const buffer = vios.bufferAt(vio)
    arena.set(block, buffer)
    this.isPartialWriteOpen = !this.isFull
    if (this.isPartialWriteOpen) counters[Mark.PartialSlabJournalBlock]++
    this.inFlight[this.position] = 1
    this.inFlightCount++
    if (unused > 0) this.adjustLock(this.position, -unused)
    keeper.vios.assign(vio, sequence)
    vios.status[vio] = Status.Success
    const back = hop(PhysicalOp.SlabJournalWritten, zone)
    vios.aim(vio, IoKind.Metadata, pbn(this.blockPbn(sequence)), buffer, 0, back)
    post.send(hop(BioOp.Write, placement.writer), vio)
    this.moveTail(sequence + 1)
    this.addEntries()
  }

  /** A block is on disk, though perhaps not stable. */
  written(vio: VioIndex): void {
    const { keeper } = this
    const { vios, counters } = keeper.context
    const status = vios.status[vio]
    const position = keeper.vios.blockOf(vio) % this.size
    assert(this.inFlight[position] === 1, 'a slab journal block that was written was being written')
    this.inFlight[position] = 0
    this.inFlightCount--
    keeper.vios.release(vio)
    if (status !== Status.Success) {
      keeper.fail(status)
      keeper.settled(this.slab)
      return
    }
    counters[Counter.SlabJournalBlocksWritten]++
    while (this.nextCommit < this.tail && this.inFlight[this.nextCommit % this.size] === 0) this.nextCommit++
    this.updateSummary()
  }

  /** The summary on disk counts all blocks before `summarized`, or could not be written. */
  summaryDone(ok: boolean): void {
    const { keeper } = this
    this.isUpdatingSummary = false
    if (!ok) {
      keeper.fail(Status.IoError)
      keeper.settled(this.slab)
      return
    }
    assert(this.lastSummarized < this.summarized, 'the summary moves forward')
    // The write was preceded by a flush.
    this.stableHead = Math.max(this.stableHead, this.updatingHead)
    this.countedHead = this.heads[(this.summarized - 1) % this.size]
    if (this.isPartialWriteOpen && this.summarized === this.tail) this.isPartialWriteOpen = false
    while (this.lastSummarized < this.summarized) {
      const position = this.lastSummarized % this.size
      const recoveryLock = this.recoveryLocks[position]
      this.recoveryLocks[position] = 0
      if (recoveryLock > 0) keeper.journalLocks.release(recoveryLock)
      this.lastSummarized++
      this.adjustLock(position, -1)
    }
    this.addEntries()
    this.updateSummary()
  }

  /** A block has more or fewer reasons to stay. */
  adjustLock(position: number, delta: number): void {
    this.locks[position] += delta
    assert(this.locks[position] >= 0, 'a slab journal block has no fewer than 0 locks')
    if (this.locks[position] === 0) this.reap()
  }

  // Reaping

  /** Starts to move the head over blocks that nothing needs. */
  reap(): void {
    const { keeper, slab } = this
    if (this.isReaping || !slab.isRebuilt || !keeper.isNormal || keeper.isReadOnly) return
    const before = this.unreapable
    while (this.unreapable < this.tail && this.locks[this.unreapable % this.size] === 0) this.unreapable++
    if (this.unreapable === before) return
    this.isReaping = true
    keeper.vios.request(slab.local, VioUse.Reap)
  }

  /** Has the summary that was written made stable, by the flush that reaping uses too. */
  private makeHeadStable(): void {
    if (this.isReaping) return
    this.keeper.context.counters[Mark.SlabJournalAwaitsFlush]++
    this.isReaping = true
    this.keeper.vios.request(this.slab.local, VioUse.Reap)
  }

  /** A vio is there for the flush that makes the reference blocks, and the summary, stable. */
  reapGranted(vio: VioIndex): void {
    const { keeper, slab } = this
    if (keeper.isReadOnly) {
      this.isReaping = false
      keeper.vios.release(vio)
      keeper.settled(slab)
      return
    }
    const { vios, placement, post, zone } = keeper.context
    this.flushingHead = this.countedHead
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Metadata, pbn(0), vios.bufferAt(vio), 0, hop(PhysicalOp.SlabJournalFlushed, zone))
    post.send(hop(BioOp.Flush, placement.writer), vio)
  }

  flushed(vio: VioIndex): void {
    const { keeper } = this
    const status = keeper.context.vios.status[vio]
    this.isReaping = false
    keeper.vios.release(vio)
    if (status === Status.Success) {
      assert(
        this.head <= this.unreapable && this.unreapable <= this.tail,
        'the head moves forward to the tail',
      )
      this.stableHead = Math.max(this.stableHead, this.flushingHead)
      if (this.head < this.unreapable) keeper.context.counters[Mark.SlabJournalReaps]++
      this.head = this.unreapable
    } else {
      keeper.fail(status)
    }
    this.addEntries()
    this.reap()
    keeper.settled(this.slab)
  }

  // Loading, saving

  /**
   * Takes the state of the journal from its newest block, which was read to `at`; without one the journal is blank.
   * False if the block cannot be.
   */
  load(arena: Uint8Array, at: number, isDirty: boolean): boolean {
    const { nonceLow, nonceHigh } = this.keeper.context.volume
    assert(this.isBlank, 'a slab journal is loaded once')
    if (!isSlabJournalBlock(arena, at, nonceLow, nonceHigh)) return true
    const sequence = readSlabJournalSequence(arena, at)
    const head = readSlabJournalHead(arena, at)
    if (sequence < 1 || head < 1 || head > sequence || sequence - head >= this.size) return false
    if (sequence >= MAXIMUM_SEQUENCE) return false
    this.pointSequence = readSlabJournalRecoverySequence(arena, at)
    this.pointIndex = readSlabJournalRecoveryIndex(arena, at)
    this.tail = sequence + 1
    this.head = isDirty ? head : this.tail
    this.position = this.tail % this.size
    this.settlePointers()
    // Only the newest block is read of a journal that is not replayed.
    this.stableHead = isDirty ? head : sequence
    this.countedHead = this.stableHead
    return true
  }

  /** All changes are in the reference blocks, all is stable: the journal starts again, empty. */
  reopen(): void {
    assert(this.entryCount === 0 && this.isQuiet, 'a slab journal that is reopened has nothing left to write')
    for (let position = 0; position < this.locks.length; position++) {
      assert(this.locks[position] === 0, 'an empty slab journal has no locks')
    }
    this.head = this.tail
    this.settlePointers()
    this.countedHead = Math.max(1, this.tail - 1)
    this.addEntries()
  }

  private settlePointers(): void {
    this.unreapable = this.head
    this.nextCommit = this.tail
    this.summarized = this.tail
    this.lastSummarized = this.tail
  }

  private get isFull(): boolean {
    const { slabJournalEntriesPerBlock, slabJournalMixedEntriesPerBlock } = this.keeper.context.shape
    const room = this.hasMapIncrements ? slabJournalMixedEntriesPerBlock : slabJournalEntriesPerBlock
    return this.entryCount >= room
  }

  /** Beside so many entries the tail block has no room for the bitmap that the first of a tree page needs. */
  private get lacksRoomForBitmap(): boolean {
    return this.entryCount >= this.keeper.context.shape.slabJournalMixedEntriesPerBlock
  }

  private createBlock(): void {
    if (this.block !== NO_BYTES) return
    this.block = new Uint8Array(BLOCK_SIZE)
    this.locks = new Int32Array(this.size)
    this.recoveryLocks = new Float64Array(this.size)
    this.inFlight = new Uint8Array(this.size)
    this.heads = new Float64Array(this.size)
  }

  /**
   * Prepares the tail block for entries of a crash. Where it goes, an older block was reaped before the crash: or else
   * the thresholds would have stopped the entry from being made. So the head follows if it must. False if the ring has
   * come round to a block of this recovery that the summary does not count yet.
   */
  private startReplayBlock(): boolean {
    const { position, tail, size } = this
    const { shape, volume } = this.keeper.context
    this.createBlock()
    if (this.locks[position] > 0) return false
    if (tail - this.head >= size) {
      this.head = tail - size + 1
      this.unreapable = this.head
    }
    this.stableHead = Math.max(this.stableHead, this.head)
    this.countedHead = Math.max(this.countedHead, this.head)
    openSlabJournalBlock(this.block, 0, tail, volume.nonceLow, volume.nonceHigh)
    this.locks[position] = shape.slabJournalEntriesPerBlock + 1
    this.recoveryLocks[position] = 0
    return true
  }

  /** Prepares the tail block for its first entry. False if its place on disk is still needed. */
  private startBlock(): boolean {
    const { keeper, slab, position, tail } = this
    const { shape, volume, counters } = keeper.context
    this.createBlock()
    // The head may have moved since the newest block that the summary counts was written; after a crash a replay
    // still starts from the head which that block names.
    if (tail - this.stableHead >= this.size) {
      if (tail - this.countedHead < this.size) {
        this.makeHeadStable()
      } else {
        assert(this.lastSummarized < tail, 'the summary will count newer blocks')
        counters[Mark.SlabJournalAwaitsSummary]++
      }
      return false
    }
    // The blocking threshold lies so far before the end of the ring.
    assert(this.locks[position] === 0, 'nobody needs what is where the next block goes')
    openSlabJournalBlock(this.block, 0, tail, volume.nonceLow, volume.nonceHigh)
    this.locks[position] = shape.slabJournalEntriesPerBlock + 1
    if (tail === 1 && slab.isRebuilt) this.locks[position] += slab.counts.lockAll(position)
    return true
  }

  private add(row: number, isTree: boolean): void {
    const { keeper, slab, position } = this
    const { vios } = keeper.context
    const vio = (row >> 1) as VioIndex
    const isDecrement = (row & 1) === 1
    const recoverySequence = vios.journalSequence[vio]
    const recoveryIndex = vios.journalEntry[vio] * 2 + (row & 1)
    if (!this.isNewer(recoverySequence, recoveryIndex)) {
      keeper.fail(Status.JournalOrder)
      keeper.entryDone(row, Status.JournalOrder)
      return
    }
    if (this.entryCount === 0) {
      this.recoveryLocks[position] = recoverySequence
      keeper.journalLocks.acquire(recoverySequence)
      keeper.dirtyJournals.insert(slab.local, recoverySequence)
      this.reclaim()
    }
    const sbn = (isDecrement ? vios.mappedPbn[vio] : vios.newPbn[vio]) - slab.origin
    const sequence = this.tail
    const index = this.entryCount
    this.append(sbn, !isDecrement, isTree, recoverySequence, recoveryIndex)
    if (!slab.isRebuilt) {
      // The scrubber will find the entry in the journal.
      keeper.context.counters[Mark.EntryOfUnscrubbedSlab]++
      this.adjustLock(position, -1)
      keeper.entryDone(row, Status.Success)
      return
    }
    const change = isTree ? Change.MapIncrement : isDecrement ? Change.Decrement : Change.Increment
    const status = slab.counts.change(change, sbn, sequence, index, position)
    if (status !== Status.Success) keeper.fail(status)
    keeper.entryDone(row, status)
  }

  /** Puts an entry into the tail block, which is written if that fills it: a vio may be there at once. */
  private append(
    sbn: number,
    isIncrement: boolean,
    isTree: boolean,
    recoverySequence: SequenceNumber,
    recoveryIndex: number,
  ): void {
    this.entryCount++
    appendSlabJournalEntry(this.block, 0, sbn, isIncrement, isTree, recoverySequence, recoveryIndex)
    this.pointSequence = recoverySequence
    this.pointIndex = recoveryIndex
    if (isTree) this.hasMapIncrements = true
    if (this.isFull) this.commitTail()
  }

  /** Whether a recovery point lies behind that of the newest entry. */
  private isNewer(sequence: SequenceNumber, index: number): boolean {
    return sequence > this.pointSequence || (sequence === this.pointSequence && index > this.pointIndex)
  }

  /** A new block begins: writes reference blocks if the journal is getting long. */
  private reclaim(): void {
    const { volume, counters } = this.keeper.context
    const { counts } = this.slab
    const { length } = this
    if (length < volume.slabJournalFlushing || counts.dirtyBlocks === 0) return
    counters[Counter.SlabJournalFlush]++
    const gap = volume.slabJournalBlocking - volume.slabJournalFlushing
    const deadline =
      gap > DEADLINE_MARGIN ? volume.slabJournalBlocking - DEADLINE_MARGIN : volume.slabJournalFlushing
    if (length >= deadline) counts.writeAll()
    else counts.write(Math.max(1, Math.floor(counts.dirtyBlocks / (deadline - length + 1))))
  }

  /** Tells the summary of blocks that were written, unless it is being told already. */
  private updateSummary(): void {
    const { keeper, slab } = this
    if (!this.isUpdatingSummary && !keeper.isReadOnly && this.lastSummarized < this.nextCommit) {
      this.summarized = this.nextCommit
      this.isUpdatingSummary = true
      this.updatingHead = this.countedHead
      // Past the first block the head moves only when every reference block was written. A journal that fills its ring
      // had moved it, though a replay may start from an older one that still names the first block.
      const hasCounts = this.head > 1 || this.summarized >= this.size
      const free = slab.isRebuilt ? slab.counts.free : SAME_HINT
      keeper.summary.update(slab, SummaryUser.Journal, this.summarizedTail, hasCounts, false, free)
    }
    keeper.settled(slab)
  }

  private moveTail(tail: SequenceNumber): void {
    this.tail = tail
    this.position = tail % this.size
    this.entryCount = 0
    this.hasMapIncrements = false
    if (tail > MAXIMUM_SEQUENCE) this.keeper.fail(Status.SequenceExhausted)
  }
}

/** Commits every tail block that holds `recoveryLock` or an older block of the recovery journal. */
export function commitTailsUpTo(
  keeper: SlabKeeper,
  slabs: readonly Slab[],
  recoveryLock: SequenceNumber,
): void {
  // A commit may be what makes the volume read-only: then no journal leaves the list any more.
  while (!keeper.isReadOnly) {
    const local = keeper.dirtyJournals.firstUpTo(recoveryLock)
    if (local === NO_JOURNAL) return
    slabs[local].journal.commitTail()
  }
}
