/**
 * A hash zone's questions to the index. Each takes one of the zone's dedupe contexts; without a free one the
 * question is not asked. A question that stays open too long is given up: its context then belongs to the index
 * until that sends it back, and its vio goes on without an answer.
 *
 * One timer at most is set. As all questions may stay open equally long, the oldest is always the next to expire.
 */
import { assert } from '../../base/assert.js'
import { FreeList, NONE_FREE } from '../../base/free-list.js'
import { type Column, NO_VIO, type Pbn, type VioIndex } from '../../base/ids.js'
import { IntrusiveLists, NO_ENTRY } from '../../base/intrusive-list.js'
import { encodeAdvice } from '../../format/advice.js'
import { Counter } from '../../vio/counters.js'
import {
  CONTEXT_BYTES,
  ContextState,
  contextsPerZone,
  type IndexRequestKind,
} from '../../vio/dedupe-contexts.js'
import { IndexPlacement } from '../../vio/index-placement.js'
import { Mark } from '../../vio/marks.js'
import { HashOp, hop, IndexOp } from '../../vio/opcodes.js'
import type { ZoneContext } from '../../vio/zone-context.js'

/** The one list: open questions, oldest first. */
const OPEN = 0

/** A timer is not set nearer than this (VDO's 100 ms), unless questions expire sooner than that anyway. */
const MINIMUM_GAP_MS = 100

export class Queries {
  private readonly firstRow: number
  private readonly free: FreeList
  private readonly open: IntrusiveLists
  private readonly vios: Column<number, VioIndex>
  private readonly askedAt: Float64Array
  private readonly placement: IndexPlacement
  private timerIsSet = false

  constructor(private readonly context: ZoneContext) {
    const count = contextsPerZone(context.shape, context.counts)
    this.firstRow = context.zone * count
    this.free = new FreeList(count)
    this.open = new IntrusiveLists(count, 1)
    this.vios = new Int32Array(count) as unknown as Column<number, VioIndex>
    this.askedAt = new Float64Array(count)
    this.placement = new IndexPlacement(context.shape, context.counts)
  }

  /** Whether every context is home. */
  get areIdle(): boolean {
    return this.free.usedCount === 0
  }

  /** Asks on behalf of a vio. False if there is no context: the vio goes on without an answer. */
  ask(vio: VioIndex, kind: IndexRequestKind, offeredPbn: Pbn, offeredState: number): boolean {
    const { contexts, vios, counters, post } = this.context
    const entry = this.free.take()
    if (entry === NONE_FREE) {
      counters[Mark.QueriesSkipped]++
      counters[Counter.DedupeAdviceTimeouts]++
      return false
    }
    const row = this.firstRow + entry
    contexts.kinds[row] = kind
    for (let word = 0; word < 4; word++) contexts.nameWords[row * 4 + word] = vios.name[vio * 4 + word]
    encodeAdvice(contexts.offered, row * CONTEXT_BYTES, offeredPbn, offeredState)
    assert(contexts.swap(row, ContextState.Idle, ContextState.Pending), 'a free context is idle')
    this.vios[entry] = vio
    this.askedAt[entry] = post.nowMs
    this.open.append(OPEN, entry)
    counters[Counter.CurrentDedupeQueries]++
    this.setTimer()
    post.send(hop(IndexOp.Request, this.placement.zoneOf(contexts.names, row * CONTEXT_BYTES)), row)
    return true
  }

  /**
   * A context comes back. Gives the vio that waits for the answer, which stands in the row until the next question
   * is asked; or NO_VIO if the question was given up.
   */
  answered(row: number): VioIndex {
    const { contexts, counters } = this.context
    const entry = row - this.firstRow
    const inTime = contexts.swap(row, ContextState.Complete, ContextState.Idle)
    // A context is in use until it is back, in time or not.
    counters[Counter.CurrentDedupeQueries]--
    if (inTime) {
      this.open.remove(entry)
    } else {
      const late = contexts.swap(row, ContextState.TimedOutComplete, ContextState.Idle)
      assert(late, 'an answered context is complete')
    }
    this.free.give(entry)
    return inTime ? this.vios[entry] : NO_VIO
  }

  /** The timer went off: `takeExpired` until nobody is left, then `setTimer`. */
  timerFired(): void {
    this.timerIsSet = false
  }

  /** Gives up the oldest question that has been open too long, and gives its vio; NO_VIO if there is none. */
  takeExpired(): VioIndex {
    const { contexts, counters, post } = this.context
    for (let entry = this.open.first(OPEN); entry !== NO_ENTRY; entry = this.open.next(entry)) {
      if (this.expiry(entry) > post.nowMs) break
      // Lost to the index: the answer is on its way here.
      if (!contexts.swap(this.firstRow + entry, ContextState.Pending, ContextState.TimedOut)) {
        counters[Mark.AnswerBeatsDeadline]++
        continue
      }
      this.open.remove(entry)
      counters[Counter.DedupeAdviceTimeouts]++
      return this.vios[entry]
    }
    return NO_VIO
  }

  /** Sets the timer for the oldest question, if there is one and the timer is not set. */
  setTimer(): void {
    const { post, shape, zone } = this.context
    const oldest = this.open.first(OPEN)
    if (this.timerIsSet || oldest === NO_ENTRY) return
    this.timerIsSet = true
    const gap = Math.min(MINIMUM_GAP_MS, shape.queryTimeoutMs)
    post.sendAt(Math.max(this.expiry(oldest), post.nowMs + gap), hop(HashOp.QueryDeadline, zone), 0)
  }

  private expiry(entry: number): number {
    return this.askedAt[entry] + this.context.shape.queryTimeoutMs
  }
}
