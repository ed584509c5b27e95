/**
 * A queue of rows by priority, 0 to 63: the highest priority first, and among equals the one that came first. A
 * bitmap of the priorities in use finds the highest in constant time. One zone owns it.
 */
import { assert } from './assert.js'
import { IntrusiveLists, NO_ENTRY } from './intrusive-list.js'

export const PRIORITY_COUNT = 64

/** What `dequeue` gives when nothing is queued. */
export const NO_ROW = NO_ENTRY

export class PriorityTable {
  private readonly lists: IntrusiveLists
  private readonly priorities: Uint8Array
  /** Bit p of `low` is set when priority p has entries, bit p of `high` when priority 32 + p has. */
  private low = 0
  private high = 0

  /** Rows from 0 to `rowCount` - 1 may be queued, each once. */
  constructor(rowCount: number) {
    this.lists = new IntrusiveLists(rowCount, PRIORITY_COUNT)
    this.priorities = new Uint8Array(rowCount)
  }

  get isEmpty(): boolean {
    return (this.low | this.high) === 0
  }

  has(row: number): boolean {
    return this.lists.isLinked(row)
  }

  /** Queues a row that is not queued, behind its equals. */
  enqueue(row: number, priority: number): void {
    assert(priority >= 0 && priority < PRIORITY_COUNT, 'a priority is from 0 to 63')
    this.lists.append(priority, row)
    this.priorities[row] = priority
    if (priority < 32) this.low |= 1 << priority
    else this.high |= 1 << (priority - 32)
  }

  /** The highest priority in use; -1 when nothing is queued. */
  get highest(): number {
    if (this.high !== 0) return 63 - Math.clz32(this.high)
    return 31 - Math.clz32(this.low)
  }

  /** Takes the oldest row of the highest priority, or gives `NO_ROW`. */
  dequeue(): number {
    const priority = this.highest
    if (priority < 0) return NO_ROW
    const row = this.lists.shift(priority)
    this.clearIfEmpty(priority)
    return row
  }

  /** Takes a row out; nothing happens if it is not queued. */
  remove(row: number): void {
    if (!this.lists.isLinked(row)) return
    this.lists.remove(row)
    this.clearIfEmpty(this.priorities[row]!)
  }

  private clearIfEmpty(priority: number): void {
    if (!this.lists.isEmpty(priority)) return
    if (priority < 32) this.low &= ~(1 << priority)
    else this.high &= ~(1 << (priority - 32))
  }
}
