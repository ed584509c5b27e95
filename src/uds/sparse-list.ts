/**
 * Which sparse chapters have their whole index in memory, and in which order they are searched. A zone has a list of
 * its own, so that it can be put in another order without asking; which chapters are on it changes for all zones at
 * once, when none of them looks (see `index-keeper`). Zone 0 counts for all how often a chapter was searched for
 * nothing; one that was so too often is no longer searched for names that could be anywhere.
 *
 * The order holds entries (places in memory): first those with a chapter, the most recent first, then the dead.
 */
import { assert } from '../base/assert.js'
import { Bump } from '../base/bump.js'

/** The chapter of an entry that has none. */
export const NO_CHAPTER = -1

/** Searches for nothing, in all zones, until a chapter is passed over. */
const SKIP_THRESHOLD = 20_000

export class SparseList {
  /** Entries in the order in which they are searched. */
  readonly order: Int32Array
  /** By entry: the chapter, how often in a row it was searched for nothing, and whether it is passed over. */
  readonly chapters: Float64Array
  private readonly misses: Int32Array
  private readonly skipped: Uint8Array
  /** How many of the order are not dead, and the oldest chapter when the list was shown to others. */
  private readonly header: Float64Array

  constructor(
    readonly capacity: number,
    bump: Bump,
  ) {
    this.order = bump.int32(capacity)
    this.chapters = bump.float64(capacity)
    this.misses = bump.int32(capacity)
    this.skipped = bump.uint8(capacity)
    this.header = bump.float64(2)
  }

  /** A list of a zone's own. */
  static create(capacity: number): SparseList {
    const list = new SparseList(capacity, new Bump(new ArrayBuffer(capacity * 32 + 512), 0))
    list.clear()
    return list
  }

  get live(): number {
    return this.header[0]
  }

  get oldest(): number {
    return this.header[1]
  }

  set oldest(chapter: number) {
    this.header[1] = chapter
  }

  clear(): void {
    for (let i = 0; i < this.capacity; i++) this.order[i] = i
    this.chapters.fill(NO_CHAPTER)
    this.misses.fill(0)
    this.skipped.fill(0)
    this.header.fill(0)
  }

  copyFrom(other: SparseList): void {
    this.order.set(other.order)
    this.chapters.set(other.chapters)
    this.misses.set(other.misses)
    this.skipped.set(other.skipped)
    this.header.set(other.header)
  }

  isSkipped(entry: number): boolean {
    return this.skipped[entry] !== 0
  }

  /** Whether a chapter is there; it then is the most recent. */
  contains(chapter: number, scores: boolean): boolean {
    const live = this.live
    for (let i = 0; i < live; i++) {
      const entry = this.order[i]
      if (this.chapters[entry] !== chapter) continue
      if (scores) this.scoreHit(entry)
      this.toFront(i)
      return true
    }
    return false
  }

  /** Moves the entry at a place of the order to the front. */
  toFront(place: number): void {
    const { order } = this
    const entry = order[place]
    for (let i = place; i > 0; i--) order[i] = order[i - 1]
    order[0] = entry
    if (this.header[0] <= place) this.header[0]++
  }

  scoreHit(entry: number): void {
    this.misses[entry] = 0
    this.skipped[entry] = 0
  }

  scoreMiss(entry: number, zones: number): void {
    if (++this.misses[entry] > SKIP_THRESHOLD / zones) this.skipped[entry] = 1
  }

  /** Puts chapters that have ended last, and before them those that are passed over, each in the order they had. */
  purge(oldest: number): void {
    const { order, chapters, skipped } = this
    const live = [...order.subarray(0, this.live)]
    const dead = live.filter((entry) => chapters[entry] < oldest || chapters[entry] === NO_CHAPTER)
    const rest = live.filter((entry) => !dead.includes(entry))
    const passed = rest.filter((entry) => skipped[entry] !== 0)
    const searched = rest.filter((entry) => skipped[entry] === 0)
    order.set([...searched, ...passed, ...dead])
    this.header[0] = rest.length
  }

  /** Takes the last entry for another chapter, which is the most recent then. It has no chapter until `install`. */
  reclaim(): number {
    this.toFront(this.capacity - 1)
    const entry = this.order[0]
    this.chapters[entry] = NO_CHAPTER
    this.scoreHit(entry)
    return entry
  }

  install(entry: number, chapter: number): void {
    assert(this.chapters[entry] === NO_CHAPTER, 'an entry was given up before it gets another chapter')
    this.chapters[entry] = chapter
  }
}
