/**
 * The metadata vios of one logical zone: each is free, or reads or writes one page of the map. One more is set
 * aside for the flush of a batch, which must not wait for pages that wait for it.
 */
import { assert } from '../../base/assert.js'
import { FreeList, NONE_FREE } from '../../base/free-list.js'
import { NO_VIO, type VioIndex, vioIndex } from '../../base/ids.js'
import type { VioPool } from '../../vio/metadata-pools.js'

export class MapVios {
  /** The vio of the batch's flush. */
  readonly flusher: VioIndex
  private readonly free: FreeList
  private readonly first: number
  /** What a vio in use is for: a cache page, a row, the data vio that holds a page lock. */
  private readonly subjects: Int32Array

  constructor(pool: VioPool) {
    assert(pool.count >= 2, 'a logical zone has a vio for flushes and one for pages')
    this.flusher = pool.first
    this.first = pool.first + 1
    this.free = new FreeList(pool.count - 1)
    this.subjects = new Int32Array(pool.count - 1)
  }

  get isIdle(): boolean {
    return this.free.usedCount === 0
  }

  get hasFree(): boolean {
    return this.free.freeCount > 0
  }

  /** A vio for this subject, or NO_VIO. */
  take(subject: number): VioIndex {
    const index = this.free.take()
    if (index === NONE_FREE) return NO_VIO
    this.subjects[index] = subject
    return vioIndex(this.first + index)
  }

  subject(vio: VioIndex): number {
    return this.subjects[vio - this.first]
  }

  give(vio: VioIndex): void {
    this.free.give(vio - this.first)
  }
}
