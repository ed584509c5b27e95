/**
 * The slab journals of a zone whose tail blocks hold entries, ordered by the recovery journal block that each one
 * holds on to, oldest first. When the recovery journal is short of space it asks for the oldest to be committed.
 *
 * Entries come in the order of the recovery journal, so that a journal nearly always goes to the end; one whose
 * entries had to wait may belong further forward.
 */
import { assert } from '../../base/assert.js'
import type { SequenceNumber } from '../../base/ids.js'

export const NO_JOURNAL = -1

export class DirtyJournals {
  private readonly next: Int32Array
  private readonly previous: Int32Array
  private readonly locks: Float64Array
  private readonly end: number

  constructor(slabCount: number) {
    // The row after the last slab is the ring's sentinel; a row on no list points to itself.
    this.end = slabCount
    this.next = new Int32Array(slabCount + 1)
    this.previous = new Int32Array(slabCount + 1)
    this.locks = new Float64Array(slabCount + 1)
    for (let row = 0; row <= slabCount; row++) {
      this.next[row] = row
      this.previous[row] = row
    }
  }

  insert(slab: number, recoveryLock: SequenceNumber): void {
    assert(this.next[slab] === slab, 'a slab journal is dirty once')
    let after = this.previous[this.end]
    while (after !== this.end && this.locks[after] > recoveryLock) after = this.previous[after]
    const before = this.next[after]
    this.locks[slab] = recoveryLock
    this.next[after] = slab
    this.previous[slab] = after
    this.next[slab] = before
    this.previous[before] = slab
  }

  remove(slab: number): void {
    this.next[this.previous[slab]] = this.next[slab]
    this.previous[this.next[slab]] = this.previous[slab]
    this.next[slab] = slab
    this.previous[slab] = slab
  }

  /** The slab whose journal holds the oldest block, if that is `recoveryLock` or older. */
  firstUpTo(recoveryLock: SequenceNumber): number {
    const first = this.next[this.end]
    return first !== this.end && this.locks[first] <= recoveryLock ? first : NO_JOURNAL
  }
}
