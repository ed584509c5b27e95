/**
 * The flusher: makes a user flush cover every write that was acknowledged before it. One zone.
 *
 * Writes belong to generations. A flush closes the current one, zone by zone, and is done when every logical zone
 * has nothing left of it and the store has been flushed after that:
 *
 * ```
 *   waiting ──► closing ──► pending ──► flushing ──► home
 *          one round at     until no zone has   one storage flush
 *          a time           a write that old    for all that are ready
 * ```
 *
 * Flushes that wait when a round begins share its generation. They go home in order. In read-only mode a flush is
 * as good as the store's, unless a write was lost that its client had been told of: from then on no flush can
 * promise that what was acknowledged is there.
 */
import { assert, unreachable } from '../../base/assert.js'
import { type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { WaitQueues } from '../../base/wait-queue.js'
import type { Zone } from '../../reactor/zone.js'
import { Mark } from '../../vio/marks.js'
import { AdminCommand, BioOp, FlushOp, FrontOp, hop, LogicalOp, PackerOp } from '../../vio/opcodes.js'
import { IoKind } from '../../vio/vio-table.js'
import { phaseDone, type ZoneContext } from '../../vio/zone-context.js'

enum FlusherState {
  Quiescent = 0,
  Running,
  Draining,
}

/** Where a flush stands. */
const WAITING = 0
const CLOSING = 1
const PENDING = 2
const FLUSHING = 3
const QUEUES = 4

export class FlushZone implements Zone {
  private readonly queues: WaitQueues
  private readonly flushVio: VioIndex
  private state = FlusherState.Quiescent
  /** The newest generation that a flush was done for. */
  private flushedGeneration = -1
  /** The generation that writes join now, or, during a round, the one being closed. */
  private generation = 0

  constructor(private readonly context: ZoneContext) {
    this.queues = WaitQueues.create(context.vios.waiterNext, QUEUES)
    this.flushVio = context.pools.flusher.first
  }

  receive(op: FlushOp, operand: number): void {
    switch (op) {
      case FlushOp.Submit:
        return this.submit(operand as VioIndex)
      case FlushOp.GenerationClosed:
        return this.generationClosed(operand)
      case FlushOp.OldestAdvanced:
        return this.completePending()
      case FlushOp.Flushed:
        return this.flushed()
      case FlushOp.Administer:
        return this.administer(operand)
      case FlushOp.EnterReadOnly:
        return
      default:
        return unreachable('the flusher knows its messages', op)
    }
  }

  private submit(vio: VioIndex): void {
    assert(this.state === FlusherState.Running, 'no flush comes before the load or after the drain')
    this.queues.push(WAITING, vio)
    if (this.queues.isEmpty(CLOSING)) this.beginRound()
    else this.context.counters[Mark.FlushAwaitsRound]++
  }

  private beginRound(): void {
    const { boards, vios } = this.context
    for (;;) {
      const vio = this.queues.shift(WAITING) as VioIndex
      if (vio < 0) break
      vios.flushGeneration[vio] = this.generation
      this.queues.push(CLOSING, vio)
    }
    boards.closingGeneration = this.generation
    this.context.post.send(hop(LogicalOp.AdvanceGeneration, 0), 0)
  }

  private generationClosed(zone: number): void {
    const { counts, post } = this.context
    assert(!this.queues.isEmpty(CLOSING), 'a generation that is closed has a flush')
    if (zone + 1 < counts.logical) return post.send(hop(LogicalOp.AdvanceGeneration, zone + 1), 0)
    // A write that waits in a bin for company would keep its generation open.
    post.send(hop(PackerOp.CloseGeneration, 0), 0)
    this.generation++
    this.queues.transferAll(CLOSING, this.queues, PENDING)
    if (!this.queues.isEmpty(WAITING)) this.beginRound()
    this.completePending()
  }

  /** Flushes the store for every flush whose writes are all done. */
  private completePending(): void {
    const { placement, post, vios, counters } = this.context
    if (this.queues.isEmpty(PENDING)) return
    if (!this.queues.isEmpty(FLUSHING)) {
      counters[Mark.FlushAwaitsFlush]++
      return
    }
    const oldest = this.oldestGeneration()
    for (;;) {
      const vio = this.queues.first(PENDING) as VioIndex
      if (vio < 0 || vios.flushGeneration[vio] >= oldest) break
      this.queues.shift(PENDING)
      this.queues.push(FLUSHING, vio)
    }
    if (this.queues.isEmpty(FLUSHING)) return
    const vio = this.flushVio
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Data, ZERO_BLOCK, vios.bufferAt(vio), 0, hop(FlushOp.Flushed, 0))
    post.send(hop(BioOp.Flush, placement.writer), vio)
  }

  /** The oldest generation with a write in it, of all zones. */
  private oldestGeneration(): number {
    const { boards, counts } = this.context
    let oldest = boards.oldestGeneration(0)
    for (let zone = 1; zone < counts.logical; zone++) {
      oldest = Math.min(oldest, boards.oldestGeneration(zone))
    }
    return oldest
  }

  private flushed(): void {
    const { boards, post, vios, counters } = this.context
    if (boards.hasLostWrite) {
      counters[Mark.FlushAfterLoss]++
      vios.fail(this.flushVio, Status.ReadOnly)
    }
    for (;;) {
      const vio = this.queues.shift(FLUSHING) as VioIndex
      if (vio < 0) break
      assert(vios.flushGeneration[vio] >= this.flushedGeneration, 'flushes are done in their order')
      this.flushedGeneration = vios.flushGeneration[vio]
      vios.status[vio] = vios.status[this.flushVio]
      post.send(hop(FrontOp.FlushDone, 0), vio)
    }
    this.completePending()
    this.checkDrained()
  }

  // Administration

  private administer(command: AdminCommand): void {
    switch (command) {
      case AdminCommand.Load:
      case AdminCommand.Resume:
        assert(this.state === FlusherState.Quiescent, 'only a quiescent flusher starts')
        this.state = FlusherState.Running
        return phaseDone(this.context, Status.Success)
      case AdminCommand.Suspend:
      case AdminCommand.Save:
        assert(this.state === FlusherState.Running, 'only a running flusher drains')
        this.state = FlusherState.Draining
        return this.checkDrained()
      default:
        return unreachable('the flusher knows the commands', command)
    }
  }

  private checkDrained(): void {
    if (this.state !== FlusherState.Draining) return
    for (let queue = 0; queue < QUEUES; queue++) if (!this.queues.isEmpty(queue)) return
    this.state = FlusherState.Quiescent
    phaseDone(this.context, Status.Success)
  }
}
