/**
 * Something that repair does with many vios at a time. A work begins with each vio that is free until nothing is
 * left to begin, and hears of each that comes back well; it is done when all are home.
 */
import { assert } from '../base/assert.js'
import { FreeList, NONE_FREE } from '../base/free-list.js'
import { type VioIndex, vioIndex } from '../base/ids.js'
import { Status } from '../base/status.js'
import type { ZoneContext } from '../vio/zone-context.js'

export interface RepairWork {
  /** Sends a vio on its way. False if nothing is left to begin now; then the vio stays free. */
  begin(vio: VioIndex): boolean
  /** A vio came back and is well. True if it was sent on. */
  end(vio: VioIndex): boolean
  /** Whether the work goes on though a vio came back with an error: then it is well all the same. */
  survives?(vio: VioIndex, status: Status): boolean
}

/** The vios of the repair zone, and the work that they do. */
export class RepairCrew {
  private readonly free: FreeList
  private readonly first: number
  private work: RepairWork | null = null
  private done: ((status: Status) => void) | null = null
  private status = Status.Success
  private isPumping = false

  constructor(private readonly context: ZoneContext) {
    const { first, count } = context.pools.repair
    this.first = first
    this.free = new FreeList(count)
  }

  /** Does a work; `done` hears of its end, and of the first error. After an error nothing more is begun. */
  start(work: RepairWork, done: (status: Status) => void): void {
    this.work = work
    this.done = done
    this.status = Status.Success
    this.pump()
  }

  /** A vio came back. */
  returned(vio: VioIndex): void {
    const status = this.context.vios.status[vio]
    const { work } = this
    assert(work !== null, 'a vio comes back to a work')
    const isWell = status === Status.Success || work.survives?.(vio, status) === true
    if (isWell && work.end(vio)) return
    if (!isWell && this.status === Status.Success) this.status = status
    this.free.give(vio - this.first)
    this.pump()
  }

  private pump(): void {
    const { work } = this
    if (this.isPumping || work === null) return
    this.isPumping = true
    while (this.status === Status.Success) {
      const index = this.free.take()
      if (index === NONE_FREE) break
      const vio = vioIndex(this.first + index)
      this.context.vios.status[vio] = Status.Success
      if (work.begin(vio)) continue
      this.free.give(index)
      break
    }
    this.isPumping = false
    if (this.free.usedCount > 0) return
    const { done } = this
    assert(done !== null, 'somebody waits for the end of a work')
    // What both hold is large, and needed no more.
    this.work = null
    this.done = null
    done(this.status)
  }
}
