/**
 * Pages of the volume of chapters that a zone has in memory, the least recently used of which makes way. A page has
 * a slot from when its read begins; requests that want it meanwhile wait at the slot. Owned by its zone.
 *
 * ```
 *            claim            ready              claim (of another page), drop
 *   Free ──────────► Reading ──────► Ready ─────────────────────────────────────► Reading, Free
 *                       │ drop                release
 *                       └─────► Dropped ─────────────► Free
 * ```
 *
 * A page of a chapter that ends is dropped. If it is being read, its slot stays taken until the read is over, and
 * what was read is forgotten.
 */
import { assert } from '../base/assert.js'
import { IntMap, NONE } from '../base/int-map.js'
import { IntrusiveLists, NO_ENTRY } from '../base/intrusive-list.js'
import { WaitQueues } from '../base/wait-queue.js'

export enum SlotState {
  Free = 0,
  Reading = 1,
  Ready = 2,
  Dropped = 3,
}

/** There is no slot: the page is not here, or none can be had. */
export const NO_SLOT = -1

const FREE = 0
/** Slots that are ready, the least recently used at the head. */
const BY_USE = 1

export class PageCache {
  /** Requests that wait at each slot. */
  readonly waiters: WaitQueues
  private readonly slotOf: IntMap
  private readonly pages: Float64Array
  private readonly chapters: Float64Array
  private readonly states: Uint8Array
  private readonly lists: IntrusiveLists

  /** `next` links requests that wait. */
  constructor(
    readonly slots: number,
    next: Int32Array,
  ) {
    this.waiters = WaitQueues.create(next, slots)
    this.slotOf = new IntMap(slots + 1)
    this.pages = new Float64Array(slots)
    this.chapters = new Float64Array(slots)
    this.states = new Uint8Array(slots)
    this.lists = new IntrusiveLists(slots, 2)
    for (let slot = 0; slot < slots; slot++) this.lists.append(FREE, slot)
  }

  /** The slot of a page that is here or on its way, or `NO_SLOT`. */
  find(page: number): number {
    const slot = this.slotOf.get(page)
    return slot === NONE ? NO_SLOT : slot
  }

  state(slot: number): SlotState {
    return this.states[slot]
  }

  pageOf(slot: number): number {
    return this.pages[slot]
  }

  chapterOf(slot: number): number {
    return this.chapters[slot]
  }

  /** Makes a page the most recently used. */
  touch(slot: number): void {
    this.lists.moveToTail(BY_USE, slot)
  }

  /** Whether `claim` would give a slot. */
  get hasRoom(): boolean {
    return !this.lists.isEmpty(FREE) || !this.lists.isEmpty(BY_USE)
  }

  /** A slot for a page that is to be read, or `NO_SLOT` if each has a read going on. */
  claim(page: number, chapter: number): number {
    let slot = this.lists.shift(FREE)
    if (slot === NO_ENTRY) {
      slot = this.lists.shift(BY_USE)
      if (slot === NO_ENTRY) return NO_SLOT
      this.slotOf.remove(this.pages[slot])
    }
    assert(this.slotOf.put(page, slot) === NONE, 'a page is in one slot')
    this.pages[slot] = page
    this.chapters[slot] = chapter
    this.states[slot] = SlotState.Reading
    return slot
  }

  /** The page has been read. */
  ready(slot: number): void {
    assert(this.states[slot] === SlotState.Reading, 'a page is ready when it was read')
    this.states[slot] = SlotState.Ready
    this.lists.append(BY_USE, slot)
  }

  /** The read is over and nobody wants what was read. */
  release(slot: number): void {
    if (this.states[slot] === SlotState.Reading) this.slotOf.remove(this.pages[slot])
    else assert(this.states[slot] === SlotState.Dropped, 'a slot is released when a read ends')
    this.states[slot] = SlotState.Free
    this.lists.append(FREE, slot)
  }

  /** Forgets the pages of a chapter that has ended. */
  dropChapter(chapter: number): void {
    for (let slot = 0; slot < this.slots; slot++) if (this.chapters[slot] === chapter) this.drop(slot)
  }

  private drop(slot: number): void {
    const state: SlotState = this.states[slot]
    if (state !== SlotState.Reading && state !== SlotState.Ready) return
    this.slotOf.remove(this.pages[slot])
    if (state === SlotState.Reading) {
      this.states[slot] = SlotState.Dropped
      return
    }
    this.lists.remove(slot)
    this.states[slot] = SlotState.Free
    this.lists.append(FREE, slot)
  }
}
