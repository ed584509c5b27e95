/**
 * The journal's newest blocks, in memory: a row for each metadata vio of the journal, used in turn. A block is
 * opened, given entries, written (again and again while it fills, each time with all entries it has by then), and
 * leaves when it is full and durable. Blocks leave in the order in which they were opened.
 *
 * An entry is a vio: it waits in its block first to be packed into the buffer, which happens when a write starts,
 * because a buffer that is being written must not change; then for the write. Owned by the journal's thread.
 */
import { assert } from '../../base/assert.js'
import type { SequenceNumber, VioIndex } from '../../base/ids.js'
import { WaitQueues } from '../../base/wait-queue.js'
import { JOURNAL_ENTRIES_PER_BLOCK, JournalOperation } from '../../format/constants.js'
import {
  journalCheckByte,
  openJournalBlock,
  writeJournalEntry,
  writeJournalHeader,
} from '../../format/recovery-journal-block.js'
import type { ZoneContext } from '../../vio/zone-context.js'

/** A tail block: its row. */
export type Slot = number

/** No block. */
export const NO_SLOT: Slot = -1

/** The queue of entries without a block; a pair of queues for each block follows. */
const UNASSIGNED = 0

export class TailBlocks {
  /** Entries that a block may have. */
  readonly capacity: number
  private readonly slots: number
  private readonly queues: WaitQueues
  private readonly isTree: Uint8Array
  private readonly sequences: Float64Array
  /** Entries that the block has been given; those of them that lie in the buffer; those that are durable. */
  private readonly entryCounts: Int32Array
  private readonly packedCounts: Int32Array
  private readonly durableCounts: Int32Array
  private readonly writing: Uint8Array
  private oldest: Slot = 0
  private inUse = 0

  constructor(private readonly context: ZoneContext) {
    const { shape, pools, vios } = context
    this.capacity = shape.journalEntriesPerBlock
    this.slots = pools.journal.count - 1
    assert(this.capacity >= 1 && this.capacity <= JOURNAL_ENTRIES_PER_BLOCK, 'entries fit a journal block')
    assert(this.slots === shape.journalTailBlocks && this.slots >= 2, 'each tail block has a vio')
    this.queues = WaitQueues.create(vios.waiterNext, 1 + 2 * this.slots)
    this.isTree = new Uint8Array(shape.dataVios + pools.otherVios)
    this.sequences = new Float64Array(this.slots)
    this.entryCounts = new Int32Array(this.slots)
    this.packedCounts = new Int32Array(this.slots)
    this.durableCounts = new Int32Array(this.slots)
    this.writing = new Uint8Array(this.slots)
  }

  // Entries without a block

  queue(vio: VioIndex, isTree: boolean): void {
    this.isTree[vio] = isTree ? 1 : 0
    this.queues.push(UNASSIGNED, vio)
  }

  get hasUnassigned(): boolean {
    return !this.queues.isEmpty(UNASSIGNED)
  }

  /** The oldest entry without a block, off the queue; NO_VIO if there is none. */
  takeUnassigned(): VioIndex {
    return this.queues.shift(UNASSIGNED) as VioIndex
  }

  isTreeEntry(vio: VioIndex): boolean {
    return this.isTree[vio] !== 0
  }

  // Blocks

  get hasFree(): boolean {
    return this.inUse < this.slots
  }

  get count(): number {
    return this.inUse
  }

  /** The `i`-th block in use, from the oldest. */
  slot(i: number): Slot {
    return (this.oldest + i) % this.slots
  }

  /** The block that takes entries: the newest, unless it is full. */
  get active(): Slot {
    if (this.inUse === 0) return NO_SLOT
    const slot = this.slot(this.inUse - 1)
    return this.isFull(slot) ? NO_SLOT : slot
  }

  vio(slot: Slot): VioIndex {
    return (this.context.pools.journal.first + slot) as VioIndex
  }

  slotOf(vio: VioIndex): Slot {
    return vio - this.context.pools.journal.first
  }

  sequence(slot: Slot): SequenceNumber {
    return this.sequences[slot]
  }

  entryCount(slot: Slot): number {
    return this.entryCounts[slot]
  }

  isFull(slot: Slot): boolean {
    return this.entryCounts[slot] === this.capacity
  }

  isWriting(slot: Slot): boolean {
    return this.writing[slot] !== 0
  }

  /** Whether it has entries that no write has taken. */
  hasUnwritten(slot: Slot): boolean {
    return this.packedCounts[slot] < this.entryCounts[slot]
  }

  /** Whether all entries that it was given are durable. */
  isDurable(slot: Slot): boolean {
    return this.durableCounts[slot] === this.entryCounts[slot]
  }

  /** Opens a block; its header says what is used before its entries. */
  open(sequence: SequenceNumber): void {
    assert(this.hasFree && this.active === NO_SLOT, 'one block takes entries')
    const { arena, vios, volume, boards } = this.context
    const slot = this.slot(this.inUse++)
    this.sequences[slot] = sequence
    this.entryCounts[slot] = 0
    this.packedCounts[slot] = 0
    this.durableCounts[slot] = 0
    openJournalBlock(
      arena,
      vios.bufferAt(this.vio(slot)),
      sequence,
      volume.nonceLow,
      volume.nonceHigh,
      boards.logicalBlocksUsed,
      boards.blockMapDataBlocks,
      journalCheckByte(sequence, volume.journalBlocks),
      boards.completeRecoveries % 256,
    )
  }

  /** Gives the entry of `vio` its place in the block. */
  assign(slot: Slot, vio: VioIndex): void {
    assert(!this.isFull(slot), 'a full block takes no entries')
    const { vios } = this.context
    vios.journalSequence[vio] = this.sequences[slot]
    vios.journalEntry[vio] = this.entryCounts[slot]++
    this.queues.push(unpacked(slot), vio)
  }

  /** Makes the buffer what is to be written: all entries so far, and the present heads. Gives the new entries. */
  startWrite(slot: Slot, blockMapHead: SequenceNumber, slabJournalHead: SequenceNumber): number {
    assert(!this.isWriting(slot) && this.hasUnwritten(slot), 'a write has something to make durable')
    const { arena, vios } = this.context
    const buffer = vios.bufferAt(this.vio(slot))
    for (;;) {
      const vio = this.queues.shift(unpacked(slot)) as VioIndex
      if (vio < 0) break
      this.pack(buffer, vio)
      this.queues.push(packed(slot), vio)
    }
    const added = this.entryCounts[slot] - this.packedCounts[slot]
    this.packedCounts[slot] = this.entryCounts[slot]
    writeJournalHeader(arena, buffer, blockMapHead, slabJournalHead, this.entryCounts[slot])
    this.writing[slot] = 1
    return added
  }

  /** The write came back. Gives the entries that it carried. */
  endWrite(slot: Slot): number {
    assert(this.isWriting(slot), 'a write that ends was started')
    this.writing[slot] = 0
    const carried = this.packedCounts[slot] - this.durableCounts[slot]
    this.durableCounts[slot] = this.packedCounts[slot]
    return carried
  }

  /** The next entry of the block whose write has ended, in journal order; NO_VIO if there is none. */
  takeWritten(slot: Slot): VioIndex {
    return this.queues.shift(packed(slot)) as VioIndex
  }

  /** The next entry that no write has taken: only when nothing will be written any more. */
  takeUnwritten(slot: Slot): VioIndex {
    return this.queues.shift(unpacked(slot)) as VioIndex
  }

  /** The oldest block leaves. */
  retire(): void {
    const slot = this.oldest
    assert(this.inUse > 0 && !this.isWriting(slot), 'a block leaves when nobody writes it')
    assert(
      this.queues.isEmpty(unpacked(slot)) && this.queues.isEmpty(packed(slot)),
      'a block leaves when none of its entries waits',
    )
    this.oldest = this.slot(1)
    this.inUse--
  }

  /** Whether any entry waits, in a block or without one. */
  get hasWaiters(): boolean {
    if (this.hasUnassigned) return true
    for (let i = 0; i < this.inUse; i++) {
      const slot = this.slot(i)
      if (!this.queues.isEmpty(unpacked(slot)) || !this.queues.isEmpty(packed(slot))) return true
    }
    return false
  }

  private pack(buffer: number, vio: VioIndex): void {
    const { arena, vios } = this.context
    const isTree = this.isTreeEntry(vio)
    writeJournalEntry(
      arena,
      buffer,
      vios.journalEntry[vio],
      isTree ? JournalOperation.BlockMapRemapping : JournalOperation.DataRemapping,
      vios.pagePbn[vio],
      vios.pageSlot[vio],
      vios.newPbn[vio],
      vios.newState[vio],
      isTree ? 0 : vios.mappedPbn[vio],
      isTree ? 0 : vios.mappedState[vio],
    )
  }
}

const unpacked = (slot: Slot): number => 1 + 2 * slot
const packed = (slot: Slot): number => 2 + 2 * slot
