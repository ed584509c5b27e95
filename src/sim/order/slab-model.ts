/**
 * What one slab promises: the changes of its counts that the durable entries of the recovery journal make, in
 * their order; which of them each block of the slab journal holds; how many of them each reference block shows on
 * stable storage.
 *
 * Changes are numbered from 1. Change n of the slab stands in the slab journal at a place that follows from how its
 * blocks fill, also while the block is not written yet.
 */
import { COUNTERS_PER_BLOCK, Kind, type SlabJournalBlock, TREE_PAGE } from './decode.js'
import type { Entry } from './journal-model.js'

export interface Change {
  readonly sbn: number
  readonly kind: Kind
  /** Its place in the recovery journal: block, and twice the index, plus 1 for a decrement. */
  readonly sequence: number
  readonly index: number
  /** When the entry that makes it became durable. */
  readonly durableAt: number
}

/** A block of the slab journal that was written. Its changes are those from `first` up to but not including `end`. */
export interface SlabJournalState {
  readonly sequence: number
  readonly first: number
  readonly end: number
  readonly head: number
  readonly isFull: boolean
}

/** Entries that a block takes, without and with increments of tree pages. */
export interface SlabJournalRoom {
  readonly plain: number
  readonly mixed: number
}

export class SlabModel {
  /** Change n is at n - 1. */
  readonly changes: Change[] = []
  /** The next block to be written, and the first change that it will hold. */
  nextSequence = 1
  nextChange = 1
  head = 1
  /** For each reference block: the number of the last change that it shows on stable storage, -1: never written. */
  readonly stableChanges: number[]
  /** The newest block that any summary counts which has been written. */
  countedWritten = 0
  private readonly blocks = new Map<number, SlabJournalState>()
  /** Counters as they are after change `countedTo`. */
  private readonly counters: Uint8Array
  private countedTo = 0
  /** Blocks up to this one were there before anyone listened: their places are before all changes, if not known. */
  adopted = 0

  constructor(
    readonly number: number,
    readonly start: number,
    dataBlocks: number,
    referenceBlocks: number,
    private readonly room: SlabJournalRoom,
  ) {
    this.counters = new Uint8Array(dataBlocks)
    this.stableChanges = Array.from({ length: referenceBlocks }, () => -1)
  }

  /** An entry of the recovery journal that maps a block of the slab is durable. */
  addIncrement({ to, isTree, sequence, index, durableAt }: Entry): void {
    const kind = isTree ? Kind.TreeIncrement : Kind.Increment
    this.changes.push({ sequence, durableAt, index: 2 * index, sbn: to.pbn - this.start, kind })
  }

  /** An entry that takes a block of the slab away is durable. */
  addDecrement({ from, sequence, index, durableAt }: Entry): void {
    const kind = Kind.Decrement
    this.changes.push({ sequence, durableAt, index: 2 * index + 1, sbn: from.pbn - this.start, kind })
  }

  /** Takes over the journal as it lies on the disk: the newest block that is counted, and those that a replay would read. */
  adopt(newest: number, blocks: readonly SlabJournalBlock[]): void {
    this.adopted = newest
    this.countedWritten = newest
    this.nextSequence = newest + 1
    this.head = newest + 1
    for (const block of blocks) {
      for (const { sbn, kind } of block.entries) {
        this.changes.push({ sbn, kind, sequence: 0, index: 0, durableAt: 0 })
      }
      this.write(block)
    }
    if (blocks.length > 0) this.head = blocks[0].sequence
    this.countedTo = this.changes.length
  }

  /** Takes over a counter as the map makes it. */
  adoptCount(sbn: number, count: number): void {
    this.counters[sbn] = count
  }

  change(number: number): Change {
    return this.changes[number - 1]
  }

  block(sequence: number): SlabJournalState | undefined {
    return this.blocks.get(sequence)
  }

  write({ sequence, head, entries, isMixed }: SlabJournalBlock): void {
    const first = this.nextChange
    const end = first + entries.length
    const isFull = entries.length >= (isMixed ? this.room.mixed : this.room.plain)
    this.blocks.set(sequence, { sequence, first, end, head, isFull })
    this.nextSequence = sequence + 1
    this.nextChange = end
    this.head = head
  }

  /** The number of the first change that block `sequence` and those before it do not hold. */
  after(sequence: number): number {
    return sequence === 0 ? 1 : (this.blocks.get(sequence)?.end ?? 1)
  }

  /**
   * The number of the change at a place of the slab journal, written or not; 0 for the place before all. Null if there
   * is no change at that place: the entry that makes it is not durable, or the blocks fill otherwise.
   */
  locate(sequence: number, index: number): number | null {
    if (sequence === 0 && index === 0) return 0
    const written = this.blocks.get(sequence)
    if (written !== undefined) return written.first + index < written.end ? written.first + index : null
    if (sequence <= this.adopted) return 0
    let first = this.nextChange
    for (let at = this.nextSequence; at < sequence && first <= this.changes.length; at++) {
      first = this.endOfBlock(first)
    }
    const isThere = sequence >= this.nextSequence && first + index < this.endOfBlock(first)
    return isThere && first + index <= this.changes.length ? first + index : null
  }

  /** The first change that does not fit a block which begins with change `first`, if it is not closed before. */
  private endOfBlock(first: number): number {
    const { plain, mixed } = this.room
    let isMixed = false
    let at = first
    for (; at <= this.changes.length; at++) {
      const held = at - first
      const isTree = this.change(at).kind === Kind.TreeIncrement
      if (held >= (isMixed ? mixed : plain) || (isTree && held >= mixed)) return at
      isMixed ||= isTree
    }
    return Math.max(at, first + 1)
  }

  /** The count of a block after change `number`. */
  countAfter(number: number, sbn: number): number {
    while (this.countedTo < number) this.step(this.changes[this.countedTo++], 1)
    while (this.countedTo > number) this.step(this.changes[--this.countedTo], -1)
    return this.counters[sbn]
  }

  /** Whether the stable reference blocks show a change. */
  isShown(number: number): boolean {
    return this.stableChanges[Math.floor(this.change(number).sbn / COUNTERS_PER_BLOCK)] >= number
  }

  /** The first change from `from` up to but not including `end` that the stable reference blocks do not show. */
  firstUnshown(from: number, end: number): number | null {
    for (let number = from; number < end; number++) if (!this.isShown(number)) return number
    return null
  }

  private step({ sbn, kind }: Change, direction: 1 | -1): void {
    if (kind === Kind.TreeIncrement) this.counters[sbn] = direction === 1 ? TREE_PAGE : 0
    else this.counters[sbn] += kind === Kind.Increment ? direction : -direction
  }
}
