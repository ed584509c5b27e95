/**
 * What the recovery journal promises, told from its blocks as they are written: its entries in order, how far they
 * are durable, what each slot of the map should show, how often each block is referenced.
 *
 * An entry is *durable* when its block, as written with it, is stable, and every entry before it is durable: a
 * recovery stops at the first hole.
 */
import type { JournalBlock, Location } from './decode.js'

export interface Entry {
  /** Its place among all entries, from 1. */
  readonly number: number
  readonly sequence: number
  /** In its block. */
  readonly index: number
  readonly isTree: boolean
  readonly page: number
  readonly slot: number
  readonly to: Location
  readonly from: Location
  /** When it became durable; 0: not yet. */
  durableAt: number
}

/** A block as it was last written. */
interface BlockState {
  /** The numbers of its entries: from `first` up to but not including `end`. */
  readonly first: number
  end: number
  durableEnd: number
}

interface SlotState {
  /** After all entries that were written, durable or not. */
  now: Location
  /** Entries that no stable page shows, oldest first. */
  pending: Entry[]
  /** The newest entry that the page as last written shows. */
  shown: number
}

export interface References {
  /** By the durable entries. */
  durable: number
  /** By all entries that were written. */
  written: number
  /** Entries that were written, are not durable, and map the block. */
  coming: number
}

/** A slot of the map in one number. */
const SLOTS = 1024
const UNMAPPED: Location = { pbn: 0, state: 0 }

export class JournalModel {
  /** Entry n is at n - 1. */
  readonly entries: Entry[] = []
  /** How many of them are durable. */
  durable = 0
  /** The sequence number of the next block to begin; 0: any. */
  next = 0
  /** The super block was written since the last block began: the next one need not follow a full one. */
  isReopened = true
  mapHead = 0
  slabJournalHead = 0
  /** Slots that are mapped and tree pages, after all entries that were written. */
  used = 0
  mapBlocks = 0
  readonly treePages = new Set<number>()
  private readonly blocks = new Map<number, BlockState>()
  private readonly slots = new Map<number, SlotState>()
  /** Slots of each page with entries that no stable page shows. */
  private readonly pendingSlots = new Map<number, Set<number>>()
  /** By sequence number, how many entries no stable page shows. */
  private readonly unshown = new Map<number, number>()
  private readonly counts = new Map<number, References>()

  /** The entries that a block had when it was last written; none if it is new. */
  entriesOf(sequence: number): readonly Entry[] {
    const block = this.blocks.get(sequence)
    return block === undefined ? [] : this.entries.slice(block.first - 1, block.end - 1)
  }

  isBegun(sequence: number): boolean {
    return this.blocks.has(sequence)
  }

  /** Where a slot of the map points, after all entries that were written. */
  mappingOf(page: number, slot: number): Location {
    return this.slots.get(page * SLOTS + slot)?.now ?? UNMAPPED
  }

  referencesOf(pbn: number): References {
    let counts = this.counts.get(pbn)
    if (counts === undefined) {
      counts = { durable: 0, written: 0, coming: 0 }
      this.counts.set(pbn, counts)
    }
    return counts
  }

  /** A block is being written. The entries that it has not had before follow all others. */
  write(block: JournalBlock): void {
    const { sequence } = block
    let state = this.blocks.get(sequence)
    if (state === undefined) {
      const first = this.entries.length + 1
      state = { first, end: first, durableEnd: first }
      this.blocks.set(sequence, state)
      this.next = sequence + 1
      this.isReopened = false
    }
    this.mapHead = block.mapHead
    this.slabJournalHead = block.slabJournalHead
    for (let index = state.end - state.first; index < block.entries.length; index++) {
      this.add({ number: state.end++, sequence, index, durableAt: 0, ...block.entries[index] })
    }
  }

  /** The super block says where the journal goes on. */
  reopen(start: number): void {
    this.next = Math.max(this.next, start)
    this.isReopened = true
  }

  /** A block is stable with so many entries. Gives the entries that are durable now and were not before. */
  stabilize(sequence: number, count: number, now: number): readonly Entry[] {
    const block = this.blocks.get(sequence)
    if (block === undefined) return []
    block.durableEnd = Math.max(block.durableEnd, block.first + count)
    const from = this.durable
    for (; this.durable < this.entries.length; this.durable++) {
      const entry = this.entries[this.durable]
      if (entry.number >= this.blocks.get(entry.sequence)!.durableEnd) break
      entry.durableAt = now
      this.count(entry)
    }
    return this.entries.slice(from, this.durable)
  }

  /** A slot of the map that was found on the disk: one reference, or a tree page. */
  adopt(page: number, slot: number, to: Location, isTree: boolean): void {
    this.slots.set(page * SLOTS + slot, { now: to, pending: [], shown: 0 })
    if (isTree) this.treePages.add(to.pbn)
    if (to.pbn === 0) return
    const counts = this.referencesOf(to.pbn)
    counts.durable++
    counts.written++
  }

  // The map

  /** The slots of a page that have entries which no stable page shows. */
  pendingSlotsOf(page: number): Iterable<number> {
    return this.pendingSlots.get(page) ?? []
  }

  /** Durable entries of a slot that give it a value and are newer than what its page showed so far, oldest first. */
  entriesShowing(page: number, slot: number, { pbn, state }: Location): Entry[] {
    const found = this.slots.get(page * SLOTS + slot)
    if (found === undefined) return []
    return found.pending.filter(
      ({ number, durableAt, to }) =>
        durableAt > 0 && number > found.shown && to.pbn === pbn && to.state === state,
    )
  }

  /** A page is being written. Gives, for each of its pending slots, the newest entry that it shows. */
  show(page: number, newest: ReadonlyMap<number, number>): Map<number, number> {
    const shown = new Map<number, number>()
    for (const slot of this.pendingSlotsOf(page)) {
      const state = this.slots.get(page * SLOTS + slot)!
      state.shown = Math.max(state.shown, newest.get(slot) ?? 0)
      if (state.shown > 0) shown.set(slot, state.shown)
    }
    return shown
  }

  /** A page is stable, and valid, with these entries. */
  stabilizePage(page: number, shown: ReadonlyMap<number, number>): void {
    const slots = this.pendingSlots.get(page)
    for (const [slot, number] of shown) {
      const state = this.slots.get(page * SLOTS + slot)!
      for (const entry of state.pending) {
        if (entry.number > number) break
        this.unshown.set(entry.sequence, this.unshown.get(entry.sequence)! - 1)
      }
      state.pending = state.pending.filter((entry) => entry.number > number)
      if (state.pending.length === 0) slots?.delete(slot)
    }
  }

  /** The oldest block with an entry that no stable page shows; infinite if there is none. */
  get oldestUnshown(): number {
    for (const [sequence, count] of this.unshown) {
      if (count > 0) return sequence
      this.unshown.delete(sequence)
    }
    return Number.POSITIVE_INFINITY
  }

  private add(entry: Entry): void {
    const { page, slot, to, from, isTree, sequence } = entry
    this.entries.push(entry)
    const key = page * SLOTS + slot
    let state = this.slots.get(key)
    if (state === undefined) {
      state = { now: UNMAPPED, pending: [], shown: 0 }
      this.slots.set(key, state)
    }
    state.now = to
    state.pending.push(entry)
    let slots = this.pendingSlots.get(page)
    if (slots === undefined) {
      slots = new Set()
      this.pendingSlots.set(page, slots)
    }
    slots.add(slot)
    this.unshown.set(sequence, (this.unshown.get(sequence) ?? 0) + 1)
    if (isTree) {
      this.mapBlocks++
      this.treePages.add(to.pbn)
    } else {
      this.used += (to.state === 0 ? 0 : 1) - (from.state === 0 ? 0 : 1)
    }
    if (to.pbn !== 0) {
      const counts = this.referencesOf(to.pbn)
      counts.coming++
      counts.written++
    }
    if (from.pbn !== 0) this.referencesOf(from.pbn).written--
  }

  private count({ to, from }: Entry): void {
    if (to.pbn !== 0) {
      const counts = this.referencesOf(to.pbn)
      counts.coming--
      counts.durable++
    }
    if (from.pbn !== 0) this.referencesOf(from.pbn).durable--
  }
}
