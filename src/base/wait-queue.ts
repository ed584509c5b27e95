/**
 * First-in, first-out queues of rows that wait, linked through a column of the rows' own table: no allocation, and
 * a row waits on one queue at a time.
 *
 * A set of queues has two arrays, the first and the last waiter of each queue, and shares the `next` column with
 * every other set whose queues hold rows of the same table. The column and the arrays may lie in the arena. Zero
 * means "none" in all three (a waiter is stored as its row + 1), so memory that was never written is a set of empty
 * queues and idle rows. The zone that owns a queue owns the link of every row on it.
 */
import { assert } from './assert.js'

/** What `shift` and `first` give for an empty queue. */
export const NO_WAITER = -1

/** The link of the last waiter of a queue; 0 is the link of a row that does not wait. */
const END = -1

export class WaitQueues {
  /** `firsts` and `lasts` have one element a queue. */
  constructor(
    private readonly next: Int32Array,
    private readonly firsts: Int32Array,
    private readonly lasts: Int32Array,
  ) {
    assert(firsts.length === lasts.length, 'each queue has a first and a last')
  }

  /** Queues in memory of their own. */
  static create(next: Int32Array, queueCount: number): WaitQueues {
    return new WaitQueues(next, new Int32Array(queueCount), new Int32Array(queueCount))
  }

  isEmpty(queue: number): boolean {
    return this.firsts[queue] === 0
  }

  /** The oldest waiter, or `NO_WAITER`. */
  first(queue: number): number {
    return this.firsts[queue]! - 1
  }

  /** Whether a row waits on some queue of its table. */
  isWaiting(row: number): boolean {
    return this.next[row] !== 0
  }

  /** The waiter behind `row` on the queue that both are on, or `NO_WAITER`. */
  after(row: number): number {
    const link = this.next[row]!
    assert(link !== 0, 'only a waiter has a place in a queue')
    return link === END ? NO_WAITER : link - 1
  }

  /** Appends a row that waits nowhere. */
  push(queue: number, row: number): void {
    assert(this.next[row] === 0, 'a row waits on one queue at a time')
    this.next[row] = END
    const last = this.lasts[queue]!
    if (last === 0) this.firsts[queue] = row + 1
    else this.next[last - 1] = row + 1
    this.lasts[queue] = row + 1
  }

  /** Takes the oldest waiter off the queue, or gives `NO_WAITER`. */
  shift(queue: number): number {
    const row = this.firsts[queue]! - 1
    if (row < 0) return NO_WAITER
    const link = this.next[row]!
    this.next[row] = 0
    if (link === END) {
      this.firsts[queue] = 0
      this.lasts[queue] = 0
    } else {
      this.firsts[queue] = link
    }
    return row
  }

  /** Moves all waiters, in order, behind those of queue `to` of `target`, which links the same column. */
  transferAll(queue: number, target: WaitQueues, to: number): void {
    assert(target.next === this.next, 'both queues link rows of one table')
    assert(target !== this || to !== queue, 'a queue is not moved onto itself')
    const first = this.firsts[queue]!
    if (first === 0) return
    const last = target.lasts[to]!
    if (last === 0) target.firsts[to] = first
    else this.next[last - 1] = first
    target.lasts[to] = this.lasts[queue]!
    this.firsts[queue] = 0
    this.lasts[queue] = 0
  }

  /**
   * Wakes every row that waits now. The chain is taken off first, so that a row which goes back to waiting from
   * within `wake` waits for the next time. `wake` is a function made once, never per call.
   */
  notifyAll(queue: number, wake: (row: number) => void): void {
    let link = this.firsts[queue]!
    this.firsts[queue] = 0
    this.lasts[queue] = 0
    while (link > 0) {
      const row = link - 1
      link = this.next[row]!
      this.next[row] = 0
      wake(row)
    }
  }
}
