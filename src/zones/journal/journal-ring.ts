/**
 * The journal's ring on disk, as the journal zone sees it: where the tail is, which blocks are still needed, and
 * how much room is left. Private to the journal's thread, but for the table of locks.
 *
 * ```
 *        block map head    slab journal head                     tail (next to open)
 *              │                  │                                │
 *   ──reaped───┴──────────────────┴────────── needed ──────────────┴── free, and a reserve
 * ```
 *
 * A block is needed for the block map (or for the slab journals) until every entry in it was taken over and no
 * page (or slab journal block) holds it. The count that the journal keeps of a block starts at one for each entry
 * and one for the block itself; it meets the count of entries taken when the block is complete, durable and taken.
 *
 * The two heads are each followed by a reap head, which is where they go once a storage flush has made stable what
 * let the blocks go. Neither ever passes the newest block that is on disk.
 */
import { assert } from '../../base/assert.js'
import type { SequenceNumber } from '../../base/ids.js'
import { type JournalLockTable, LockKind } from '../../vio/journal-locks.js'

export class JournalRing {
  /** The next sequence number to use. */
  tail: SequenceNumber
  blockMapHead: SequenceNumber
  slabJournalHead: SequenceNumber
  private blockMapReapHead: SequenceNumber
  private slabJournalReapHead: SequenceNumber
  /** The newest block that was written, be it only in part. */
  private newestWritten: SequenceNumber = 0
  /** Entries that may be accepted before something is reaped. */
  availableEntries = 0
  private readonly counts: Uint16Array
  private readonly usableBlocks: number
  private readonly commitThreshold: number

  constructor(
    private readonly locks: JournalLockTable,
    /** Blocks of the ring. */
    private readonly size: number,
    private readonly entriesPerBlock: number,
    tailBlocks: number,
    start: SequenceNumber,
  ) {
    assert(size >= 4, 'a journal has blocks to spare')
    this.counts = new Uint16Array(size)
    this.usableBlocks = size - Math.min(Math.floor(size / 4), tailBlocks)
    this.commitThreshold = Math.floor((size * 2) / 3)
    this.tail = start
    this.blockMapHead = start
    this.slabJournalHead = start
    this.blockMapReapHead = start
    this.slabJournalReapHead = start
    this.reset()
  }

  /** Goes on with another number than it was made with; nothing older is needed. */
  restart(start: SequenceNumber): void {
    this.tail = start
    this.reset()
  }

  /** Nothing in the journal is needed any more: all of it is room. */
  reset(): void {
    this.blockMapHead = this.tail
    this.slabJournalHead = this.tail
    this.blockMapReapHead = this.tail
    this.slabJournalReapHead = this.tail
    this.newestWritten = 0
    this.availableEntries = this.usableBlocks * this.entriesPerBlock
  }

  /** The oldest block that anyone needs. */
  get head(): SequenceNumber {
    return Math.min(this.blockMapHead, this.slabJournalHead)
  }

  /** Whether another block may be opened without overwriting one that is needed. */
  get hasBlock(): boolean {
    return this.tail + 1 - this.head <= this.size
  }

  /** Whether slab journals keep so much of the ring that their tails must be committed. */
  get isSlabJournalHeadLagging(): boolean {
    return this.tail - this.slabJournalHead > this.commitThreshold
  }

  position(sequence: SequenceNumber): number {
    return this.locks.position(sequence)
  }

  /** Opens the block at the tail; gives its sequence. */
  open(): SequenceNumber {
    assert(this.hasBlock, 'a block that is needed is not overwritten')
    const sequence = this.tail++
    this.locks.open(sequence)
    this.counts[this.position(sequence)] = this.entriesPerBlock + 1
    return sequence
  }

  /** A block leaves memory: durable with `entries` entries, and never to have more. */
  close(sequence: SequenceNumber, entries: number): void {
    const at = this.position(sequence)
    const given = this.entriesPerBlock - entries + 1
    assert(this.counts[at] >= given, 'a journal block is closed once')
    this.counts[at] -= given
  }

  written(sequence: SequenceNumber): void {
    if (sequence > this.newestWritten) this.newestWritten = sequence
  }

  /** Moves the reap heads over all that is not needed. False if nothing moved: no flush is due. */
  advanceReapHeads(): boolean {
    while (
      this.blockMapReapHead < this.newestWritten &&
      !this.isLocked(this.blockMapReapHead, LockKind.Logical)
    )
      this.blockMapReapHead++
    while (
      this.slabJournalReapHead < this.newestWritten &&
      !this.isLocked(this.slabJournalReapHead, LockKind.Physical)
    )
      this.slabJournalReapHead++
    return this.blockMapReapHead > this.blockMapHead || this.slabJournalReapHead > this.slabJournalHead
  }

  /** The flush is done: the heads follow, and what both have left behind is room. */
  moveHeads(): void {
    const before = this.head
    this.blockMapHead = this.blockMapReapHead
    this.slabJournalHead = this.slabJournalReapHead
    this.availableEntries += (this.head - before) * this.entriesPerBlock
  }

  private isLocked(sequence: SequenceNumber, kind: LockKind): boolean {
    return (
      this.counts[this.position(sequence)] !== this.locks.entriesTaken(sequence) ||
      this.locks.isHeld(sequence, kind)
    )
  }
}
