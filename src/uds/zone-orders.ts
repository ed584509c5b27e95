/** Orders of zone 0 to all zones of an index: one at a time, given to all at once, and done when all have done it. */
import { assert } from '../base/assert.js'
import { hop, IndexOp } from '../vio/opcodes.js'
import type { ZoneContext } from '../vio/zone-context.js'
import type { IndexArena, IndexOrder } from './index-arena.js'
import { WAIT } from './region-work.js'
import type { Steps } from './storage-steps.js'

export class ZoneOrders {
  /** Zones that have not done what was ordered. */
  private left = 0

  constructor(
    private readonly context: ZoneContext,
    private readonly shared: IndexArena,
  ) {}

  /** Has all zones do something, and waits for it. Throws if one of them cannot. */
  *give(order: IndexOrder): Steps<void> {
    const { shared, context } = this
    const { counts, post } = context
    assert(this.left === 0, 'one order at a time')
    shared.clearFailure()
    this.left = counts.index
    for (let zone = 0; zone < counts.index; zone++) post.send(hop(IndexOp.Order, zone), order)
    while (this.left > 0) yield WAIT
    const { failure } = shared
    if (failure !== undefined) throw failure
  }

  /** A zone has done what was ordered, or cannot. Whoever waits for the order is woken by whoever hears of this. */
  done(): void {
    assert(this.left > 0, 'an order that is done was given')
    this.left--
  }
}
