/**
 * The zone's metadata vios for slab I/O, and who waits for one. A slab asks for a vio for a use; it is granted at
 * once or, in the order of the asking, when another comes back: work that finds no vio is deferred, never lost.
 * A slab asks at most once for each use; it asks again when its turn has come and there is more to do.
 */
import { assert } from '../../base/assert.js'
import { FreeList } from '../../base/free-list.js'
import type { VioIndex } from '../../base/ids.js'
import { WaitQueues } from '../../base/wait-queue.js'
import type { VioPool } from '../../vio/metadata-pools.js'

export enum VioUse {
  /** Write the tail of the slab journal. */
  Commit = 0,
  /** Flush before the slab journal is reaped. */
  Reap = 1,
  /** Write a reference block. */
  Reference = 2,
  /** Read what the scrubber needs. */
  Scrub = 3,
  /** Make a block of a slab journal blank. */
  Erase = 4,
}
const USES = 5

/** Called with a vio that is now the slab's, which must send it off or release it. */
export type Grant = (slab: number, use: VioUse, vio: VioIndex) => void

export class MetadataVios {
  /** For the vio that is with bio: its slab (local number), and the block of it. By `vio - first`. */
  private readonly slabs: Int32Array
  private readonly blocks: Float64Array
  private readonly free: FreeList
  private readonly waiting: WaitQueues
  private pumping = false

  constructor(
    private readonly pool: VioPool,
    slabCount: number,
    private readonly grant: Grant,
  ) {
    this.slabs = new Int32Array(pool.count)
    this.blocks = new Float64Array(pool.count)
    this.free = new FreeList(pool.count)
    this.waiting = WaitQueues.create(new Int32Array(slabCount * USES), 1)
  }

  get count(): number {
    return this.pool.count
  }

  get isIdle(): boolean {
    return this.free.usedCount === 0 && this.waiting.isEmpty(0)
  }

  /** Asks for a vio; nothing happens if the slab waits for this use already. */
  request(slab: number, use: VioUse): void {
    const row = slab * USES + use
    if (this.waiting.isWaiting(row)) return
    this.waiting.push(0, row)
    this.pump()
  }

  release(vio: VioIndex): void {
    this.free.give(vio - this.pool.first)
    this.pump()
  }

  /** Notes what a vio is sent for. */
  assign(vio: VioIndex, block: number): void {
    this.blocks[vio - this.pool.first] = block
  }

  slabOf(vio: VioIndex): number {
    return this.slabs[vio - this.pool.first]
  }

  blockOf(vio: VioIndex): number {
    return this.blocks[vio - this.pool.first]
  }

  private pump(): void {
    // A grant may give its vio back or ask again: one loop serves them all, so that nothing recurses.
    if (this.pumping) return
    this.pumping = true
    while (this.free.freeCount > 0 && !this.waiting.isEmpty(0)) {
      const row = this.waiting.shift(0)
      const index = this.free.take()
      assert(index >= 0, 'a vio is free')
      const slab = Math.floor(row / USES)
      this.slabs[index] = slab
      this.grant(slab, row % USES, (this.pool.first + index) as VioIndex)
    }
    this.pumping = false
  }
}
