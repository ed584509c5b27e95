/**
 * Which answered requests still have blocks to free. A discard, or a write of zeros, is answered early: its old block
 * is free some messages later. A write that comes after the answer may count on that space all the same, so one that
 * finds none waits for those that were answered before it began, and tries again.
 *
 * None of them waits for anything but the journal and the map, never for the packer or for a block: they all end.
 */

import type { VioIndex } from '../base/ids.js'
import { IntrusiveLists, NO_ENTRY } from '../base/intrusive-list.js'

const FREEING = 0

export class FreedSpace {
  private answered = 0
  /** Vios that are answered and under way, in the order of the answers. */
  private readonly freeing: IntrusiveLists
  /**
   * By vio. Of one that is answered: its number among those. Before that: how many were answered when it began, or 0
   * if none of them was under way.
   */
  private readonly order: Float64Array

  constructor(vioCount: number) {
    this.freeing = new IntrusiveLists(vioCount, 1)
    this.order = new Float64Array(vioCount)
  }

  began(vio: VioIndex): void {
    this.order[vio] = this.freeing.isEmpty(FREEING) ? 0 : this.answered
  }

  /** The vio, which needs no block, was answered before it is home. */
  add(vio: VioIndex): void {
    this.order[vio] = ++this.answered
    this.freeing.append(FREEING, vio)
  }

  /** The vio is home. True if others may wait for it. */
  remove(vio: VioIndex): boolean {
    const was = this.freeing.isLinked(vio)
    this.freeing.remove(vio)
    return was
  }

  /** Whether space was being freed when the vio began, so that it may not have seen all of it. */
  wasFreeing(vio: VioIndex): boolean {
    return this.order[vio] > 0
  }

  /** From now on the vio counts on nothing any more. */
  forget(vio: VioIndex): void {
    this.order[vio] = 0
  }

  /** Whether all is free that was being freed when the vio began. */
  isFreed(vio: VioIndex): boolean {
    const oldest = this.freeing.first(FREEING)
    return oldest === NO_ENTRY || this.order[oldest] > this.order[vio]
  }
}
