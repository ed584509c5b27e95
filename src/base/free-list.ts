/**
 * A stack of free indices. The one given back last is taken first, while its memory is still warm; a fresh list
 * gives 0, 1, 2, … One thread owns it.
 */
import { assert } from './assert.js'

/** What `take` gives when nothing is free. */
export const NONE_FREE = -1

export class FreeList {
  private readonly stack: Int32Array
  private readonly isFree: Uint8Array
  private count: number

  /** All of 0 to `indexCount` - 1 start free. */
  constructor(indexCount: number) {
    this.stack = new Int32Array(indexCount)
    this.isFree = new Uint8Array(indexCount).fill(1)
    this.count = indexCount
    for (let index = 0; index < indexCount; index++) this.stack[index] = indexCount - 1 - index
  }

  get freeCount(): number {
    return this.count
  }

  get usedCount(): number {
    return this.stack.length - this.count
  }

  /** A free index, now in use, or `NONE_FREE`. */
  take(): number {
    if (this.count === 0) return NONE_FREE
    const index = this.stack[--this.count]!
    this.isFree[index] = 0
    return index
  }

  give(index: number): void {
    assert(this.isFree[index] === 0, 'only an index in use is given back')
    this.isFree[index] = 1
    this.stack[this.count++] = index
  }
}
