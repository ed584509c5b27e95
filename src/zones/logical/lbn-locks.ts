/**
 * Locks on logical blocks: at most one vio works on an lbn, the others wait for it in order of arrival. A lock has
 * no object of its own: the map leads from an lbn to its holder, and a holder's row is its queue.
 *
 * Owned by one logical zone. Invariants: only a holder has waiters; a vio waits for one holder at most.
 */
import { assert } from '../../base/assert.js'
import { type Lbn, NO_VIO, type VioIndex } from '../../base/ids.js'
import { IntMap, NONE } from '../../base/int-map.js'
import { NO_WAITER, WaitQueues } from '../../base/wait-queue.js'

export class LbnLocks {
  private readonly holders: IntMap
  private readonly waiters: WaitQueues

  /** `waiterNext` is the link column of the vio table; no more than `dataVios` locks are ever held. */
  constructor(waiterNext: Int32Array, dataVios: number) {
    this.holders = new IntMap(dataVios)
    this.waiters = WaitQueues.create(waiterNext, dataVios)
  }

  get held(): number {
    return this.holders.size
  }

  /** The holder of an lbn, or NO_VIO. */
  holder(lbn: Lbn): VioIndex {
    const holder = this.holders.get(lbn)
    return holder === NONE ? NO_VIO : (holder as VioIndex)
  }

  /** Takes a lock that nobody holds. */
  take(lbn: Lbn, vio: VioIndex): void {
    const before = this.holders.put(lbn, vio)
    assert(before === NONE, 'a logical block has one holder at most')
  }

  wait(holder: VioIndex, vio: VioIndex): void {
    this.waiters.push(holder, vio)
  }

  hasWaiters(holder: VioIndex): boolean {
    return !this.waiters.isEmpty(holder)
  }

  /** Gives the lock to the oldest waiter, which takes the other waiters over, or drops it. The new holder or NO_VIO. */
  pass(lbn: Lbn, vio: VioIndex): VioIndex {
    assert(this.holders.get(lbn) === vio, 'only its holder passes a lock on')
    const heir = this.waiters.shift(vio)
    if (heir === NO_WAITER) {
      this.holders.remove(lbn)
      return NO_VIO
    }
    this.waiters.transferAll(vio, this.waiters, heir)
    this.holders.put(lbn, heir)
    return heir as VioIndex
  }
}
