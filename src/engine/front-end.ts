/**
 * The front end: vio pool, limits, splitting and acknowledgements in one. It alone allocates vios, so the pool needs
 * no lock. One thread owns it: the thread of the servers, or the simulator's.
 *
 * A request of any offset and length becomes vios of one 4 KiB block each; a discard becomes vios that walk runs of
 * whole blocks, and zeroes its partial edges. A write that covers a part of a block is merged by the engine. Large
 * requests stream through the pool: at most `VIOS_PER_REQUEST` of one request and half the pool of one client are in
 * flight. Clients take turns, block by block, and so do the requests of a client.
 *
 * An early acknowledgement is a one-way message while the vio travels on; a vio is free when both `Acknowledge` (if
 * one was sent) and `Release` have arrived, in whichever order.
 */
import { assert, unreachable } from '../base/assert.js'
import { type Lbn, type VioIndex, vioIndex } from '../base/ids.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { Zone } from '../reactor/zone.js'
import { Counter } from '../vio/counters.js'
import { Mark } from '../vio/marks.js'
import {
  type AdminCommand,
  AdminOp,
  FlushOp,
  FrontOp,
  hop,
  type IndexControl,
  IndexOp,
  LogicalOp,
  PackerOp,
} from '../vio/opcodes.js'
import { VioFlag } from '../vio/vio-table.js'
import { isWholeDiscard, needsBlock } from '../vio/write-path.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { Client, type RequestTaker } from './client.js'
import type { Completion, ExportTarget } from './export-target.js'
import { FreedSpace } from './freed-space.js'
import { IGNORE, NO_BYTES, Request, RequestKind, VIOS_PER_REQUEST } from './request.js'
import { VioLoader } from './vio-loader.js'

/** Bits of `arrived`: which of a vio's two last messages have come. */
const ACKNOWLEDGED = 1
const RELEASED = 2

export class FrontEnd implements Zone, ExportTarget, RequestTaker {
  readonly sizeBytes: number
  /** Called when a request was taken while nothing else would make the thread look: the host schedules a pass. */
  onWork: () => void = IGNORE as () => void

  /** Called when the index comes to rest in a state, and when it has taken a control. */
  onIndexSettled: () => void = IGNORE as () => void
  private indexControls = 0

  private readonly free: Int32Array
  private freeCount: number
  private readonly requests: (Request | null)[]
  private readonly arrived: Uint8Array
  private discardsInFlight = 0
  private readonly freedSpace: FreedSpace
  /** Vios that found no space and wait for some that is being freed. */
  private readonly shortOfSpace: VioIndex[] = []
  private readonly loader: VioLoader
  /** Clients with requests that wait, in turn; and the one that is whoever asked for no client of its own. */
  private readonly turns: Client[] = []
  private readonly anyone = new Client(this)
  private readonly viosPerClient: number
  private readonly spare: Request[] = []
  private readonly freeFlushes: VioIndex[] = []
  private readonly flushWaiters = new Map<VioIndex, Completion[]>()
  private waitingFlushes: Completion[] = []
  private adminDone: Completion | null = null
  private drained: (() => void) | null = null
  /** What comes in waits; what is in flight ends. */
  private held = false
  private halted = false

  constructor(private readonly context: ZoneContext) {
    const { shape, volume, pools } = context
    this.sizeBytes = volume.logicalBlocks * BLOCK_SIZE
    this.free = Int32Array.from({ length: shape.dataVios }, (_, i) => shape.dataVios - 1 - i)
    this.freeCount = shape.dataVios
    this.viosPerClient = Math.max(1, Math.floor(shape.dataVios / 2))
    this.requests = Array.from({ length: shape.dataVios }, () => null)
    this.arrived = new Uint8Array(shape.dataVios)
    this.freedSpace = new FreedSpace(shape.dataVios)
    this.loader = new VioLoader(context)
    for (let i = 0; i < pools.flush.count; i++) this.freeFlushes.push(vioIndex(pools.flush.first + i))
  }

  // The library's side.

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.anyone.read(offset, into, done)
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.anyone.write(offset, bytes, fua, done)
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.anyone.trim(offset, length, fua, done)
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.anyone.zero(offset, length, fua, done)
  }

  forClient(): ExportTarget {
    return new Client(this)
  }

  flush(done: Completion): void {
    this.waitingFlushes.push(done)
    this.onWork()
  }

  /** Requests in flight, by vio. */
  get busyVios(): number {
    return this.context.shape.dataVios - this.freeCount
  }

  /** Calls back when every request that was taken has been answered and every vio is home. */
  drain(done: () => void): void {
    assert(this.drained === null, 'one drain at a time')
    this.drained = done
    this.context.post.send(hop(PackerOp.LetGo, 0), 0)
    this.onWork()
  }

  /**
   * Launches nothing more until `letGo`: requests wait, a large one in its middle if need be. Calls back when every
   * vio is home.
   */
  hold(done: () => void): void {
    this.held = true
    this.drain(done)
  }

  /** Ends `hold`. */
  letGo(): void {
    this.held = false
    this.onWork()
  }

  /** Whether new blocks are compressed; what waits in the packer's bins is let go when it ends. */
  setCompression(on: boolean): void {
    this.context.post.send(hop(PackerOp.SetCompression, 0), on ? 1 : 0)
    this.onWork()
  }

  /** Opens, makes, closes, uses or does not use the index; gives the number by which the board counts it. */
  controlIndex(control: IndexControl): number {
    this.context.post.send(hop(IndexOp.Control, 0), control)
    this.onWork()
    return ++this.indexControls
  }

  /** Hands a command to the admin zone. */
  administer(command: AdminCommand, done: Completion): void {
    assert(this.adminDone === null, 'one administrative command at a time')
    this.adminDone = done
    this.context.post.send(hop(AdminOp.Command, 0), command)
    this.onWork()
  }

  /** The engine stopped: everything outstanding is answered, nothing more is taken. */
  halt(): void {
    if (this.halted) return
    this.halted = true
    for (const request of this.requests) {
      if (request !== null && !request.client.holds(request)) this.enqueue(request)
    }
    this.requests.fill(null)
    for (const list of this.flushWaiters.values()) this.waitingFlushes.push(...list)
    this.flushWaiters.clear()
    this.refuseAll()
  }

  // The zones' side.

  receive(op: FrontOp, operand: number): void {
    if (this.halted) return
    switch (op) {
      case FrontOp.Acknowledge:
        return this.acknowledge(vioIndex(operand))
      case FrontOp.Release:
        return this.release(vioIndex(operand))
      case FrontOp.FlushDone:
        return this.flushDone(vioIndex(operand))
      case FrontOp.AdminAnswer:
        return this.adminAnswer()
      case FrontOp.IndexSettled:
        return this.onIndexSettled()
      default:
        unreachable('the front end knows the message', op)
    }
  }

  /** Launches what the pool has room for. */
  poll(): boolean {
    if (this.halted) {
      this.refuseAll()
      return false
    }
    const moved = !this.held && this.launchAll()
    if (this.drained !== null && this.isIdle) {
      assert(this.discardsInFlight === 0, 'a pool that is whole has all its discards')
      const { drained } = this
      this.drained = null
      drained()
    }
    return moved
  }

  private launchAll(): boolean {
    let moved = false
    if (this.waitingFlushes.length > 0 && this.freeFlushes.length > 0) {
      this.launchFlush()
      moved = true
    }
    while (this.freeCount > 0 && this.launchNext()) moved = true
    return moved
  }

  /** Whoever waits for anything is told that the engine has stopped. */
  private refuseAll(): void {
    for (const client of this.turns.splice(0)) {
      client.hasTurn = false
      for (const request of client.queue.splice(0)) request.done(Status.EngineHalted)
    }
    for (const done of this.waitingFlushes.splice(0)) done(Status.EngineHalted)
    const { adminDone, drained } = this
    this.adminDone = null
    this.drained = null
    adminDone?.(Status.EngineHalted)
    drained?.()
  }

  /** Nothing is in flight, and nothing waits that could be. */
  private get isIdle(): boolean {
    const isHome = this.freeCount === this.context.shape.dataVios && this.flushWaiters.size === 0
    return isHome && (this.held || (this.turns.length === 0 && this.waitingFlushes.length === 0))
  }

  isInside(offset: number, length: number): boolean {
    return (
      Number.isInteger(offset) &&
      Number.isInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.sizeBytes
    )
  }

  submit(
    client: Client,
    kind: RequestKind,
    offset: number,
    length: number,
    bytes: Uint8Array,
    fua: boolean,
    done: Completion,
  ): void {
    const request = this.spare.pop() ?? new Request(client)
    request.client = client
    request.kind = kind
    request.start = offset
    request.next = offset
    request.end = offset + length
    request.fua = fua
    request.bytes = bytes
    request.done = done
    request.inFlight = 0
    request.awaitsVio = false
    request.status = Status.Success
    if (!this.isInside(offset, length)) request.status = Status.OutOfRange
    if (request.status !== Status.Success) request.next = request.end
    this.enqueue(request)
    this.onWork()
  }

  private enqueue(request: Request): void {
    const { client } = request
    client.queue.push(request)
    if (client.hasTurn) return
    client.hasTurn = true
    this.turns.push(client)
  }

  /** One block of the client whose turn it is; false if none can go on now. */
  private launchNext(): boolean {
    for (let left = this.turns.length; left > 0; left--) {
      const client = this.turns.shift()!
      const launched = this.launchOf(client)
      client.hasTurn = client.queue.length > 0
      if (client.hasTurn) this.turns.push(client)
      if (launched) return true
    }
    return false
  }

  /** One block of the client's request whose turn it is. */
  private launchOf(client: Client): boolean {
    const { queue } = client
    if (client.inFlight >= this.viosPerClient) return false
    for (let left = queue.length; left > 0; left--) {
      const request = queue.shift()!
      if (request.next >= request.end) {
        if (request.inFlight === 0) this.finish(request)
        continue
      }
      if (this.mustWait(request)) {
        queue.push(request)
        continue
      }
      this.launch(request)
      if (request.next < request.end) queue.push(request)
      return true
    }
    return false
  }

  /** Whether a request has to let others go first. It is looked at often while it does, and counted once. */
  private mustWait(request: Request): boolean {
    if (request.inFlight >= VIOS_PER_REQUEST) return true
    const { shape, counters } = this.context
    if (request.kind !== RequestKind.Discard || this.discardsInFlight < shape.discardVios) return false
    if (!request.awaitsVio) counters[Mark.DiscardAwaitsVios]++
    request.awaitsVio = true
    return true
  }

  private launch(request: Request): void {
    const { counters } = this.context
    const vio = vioIndex(this.free[--this.freeCount])
    this.requests[vio] = request
    if (request.kind === RequestKind.Discard) this.discardsInFlight++
    request.awaitsVio = false
    request.inFlight++
    request.client.inFlight++
    this.freedSpace.began(vio)
    request.next += this.loader.load(vio, request, request.next)
    this.countTaken(vio)
    const busy = this.busyVios
    counters[Counter.VdoRequestsInProgress] = busy
    if (busy > counters[Counter.VdoRequestsMaximum]) counters[Counter.VdoRequestsMaximum] = busy
    this.send(vio)
  }

  private send(vio: VioIndex): void {
    const { vios, post, placement } = this.context
    this.arrived[vio] = 0
    post.send(hop(LogicalOp.Launch, placement.logicalZone(vios.lbn[vio] as Lbn)), vio)
  }

  private acknowledge(vio: VioIndex): void {
    assert((this.arrived[vio] & ACKNOWLEDGED) === 0, 'a vio is acknowledged once')
    this.arrived[vio] |= ACKNOWLEDGED
    const isHome = (this.arrived[vio] & RELEASED) !== 0
    if (!isHome && !needsBlock(this.context.vios, vio)) this.freedSpace.add(vio)
    this.blockDone(vio, Status.Success)
    if (isHome) this.giveBack(vio)
  }

  private release(vio: VioIndex): void {
    assert((this.arrived[vio] & RELEASED) === 0, 'a vio comes home once')
    const { vios, counters } = this.context
    this.arrived[vio] |= RELEASED
    if (vios.acknowledged[vio] !== 0) {
      if ((this.arrived[vio] & ACKNOWLEDGED) !== 0) this.giveBack(vio)
      return
    }
    const status = vios.status[vio]
    if (status === Status.NoSpace) {
      if (this.mayTryAgain(vio)) return this.tryAgainWhenFreed(vio)
      counters[Counter.NoSpaceErrors]++
    }
    if (status === Status.Success && vios.isRead(vio)) this.loader.giveRead(vio, this.requestOf(vio))
    this.blockDone(vio, status)
    this.giveBack(vio)
  }

  /** Whether space that a client was told to be free may have come too late for the write. */
  private mayTryAgain(vio: VioIndex): boolean {
    return this.freedSpace.wasFreeing(vio) && !isWholeDiscard(this.context.vios, vio)
  }

  private tryAgainWhenFreed(vio: VioIndex): void {
    if (this.freedSpace.isFreed(vio)) return this.tryAgain(vio)
    this.context.counters[Mark.WriteAwaitsFreedSpace]++
    this.shortOfSpace.push(vio)
  }

  private tryAgain(vio: VioIndex): void {
    const { vios } = this.context
    const request = this.requestOf(vio)
    // What is freed from now on is for others.
    this.freedSpace.forget(vio)
    this.loader.load(vio, request, vios.lbn[vio] * BLOCK_SIZE + vios.partialOffset[vio])
    this.send(vio)
  }

  private requestOf(vio: VioIndex): Request {
    const request = this.requests[vio]
    assert(request !== null, 'a vio in flight has a request')
    return request
  }

  private blockDone(vio: VioIndex, status: Status): void {
    const request = this.requestOf(vio)
    this.requests[vio] = null
    this.countAcknowledged(vio)
    if (status !== Status.Success) {
      if (request.status === Status.Success) request.status = status
      // What was not launched yet would only fail again.
      request.next = request.end
    }
    request.inFlight--
    request.client.inFlight--
    if (request.inFlight === 0 && request.next >= request.end && !this.isQueued(request)) this.finish(request)
  }

  /** A request that was cut short by an error may still wait for its turn; it is finished there. */
  private isQueued(request: Request): boolean {
    return request.status !== Status.Success && request.client.holds(request)
  }

  private finish(request: Request): void {
    const { done, status } = request
    request.done = IGNORE
    request.bytes = NO_BYTES
    this.spare.push(request)
    done(status)
  }

  private giveBack(vio: VioIndex): void {
    const { counters, vios } = this.context
    this.free[this.freeCount++] = vio
    if (this.freedSpace.remove(vio) && this.shortOfSpace.length > 0) {
      for (const waiter of this.shortOfSpace.splice(0)) this.tryAgainWhenFreed(waiter)
    }
    if (vios.has(vio, VioFlag.Discard)) this.discardsInFlight--
    counters[Counter.VdoRequestsInProgress] = this.busyVios
  }

  private countTaken(vio: VioIndex): void {
    this.count(
      vio,
      Counter.BiosInRead,
      Counter.BiosInPartialRead,
      Counter.BiosInFua,
      Counter.BiosInPartialFua,
    )
  }

  private countAcknowledged(vio: VioIndex): void {
    this.count(
      vio,
      Counter.BiosAcknowledgedRead,
      Counter.BiosAcknowledgedPartialRead,
      Counter.BiosAcknowledgedFua,
      Counter.BiosAcknowledgedPartialFua,
    )
  }

  /** Counts a vio by its kind: reads, writes and discards have counters in this order. */
  private count(vio: VioIndex, whole: Counter, partial: Counter, fua: Counter, partialFua: Counter): void {
    const { counters, vios } = this.context
    const isPartial = vios.partialLength[vio] < BLOCK_SIZE
    const kind = vios.isRead(vio) ? 0 : vios.has(vio, VioFlag.Discard) ? 2 : 1
    counters[whole + kind]++
    if (isPartial) counters[partial + kind]++
    if (!vios.has(vio, VioFlag.Fua)) return
    counters[fua]++
    if (isPartial) counters[partialFua]++
  }

  /** All flushes that wait travel as one. */
  private launchFlush(): void {
    const vio = this.freeFlushes.pop()
    assert(vio !== undefined, 'a flush vio is free')
    const { counters } = this.context
    counters[Counter.BiosInFlush] += this.waitingFlushes.length
    if (this.waitingFlushes.length > 1) counters[Mark.FlushesShared]++
    this.flushWaiters.set(vio, this.waitingFlushes)
    this.waitingFlushes = []
    this.context.vios.status[vio] = Status.Success
    this.context.post.send(hop(FlushOp.Submit, 0), vio)
  }

  private flushDone(vio: VioIndex): void {
    const waiters = this.flushWaiters.get(vio)
    assert(waiters !== undefined, 'a flush that is done was launched')
    this.flushWaiters.delete(vio)
    this.freeFlushes.push(vio)
    const status = this.context.vios.status[vio]
    for (const done of waiters) {
      this.context.counters[Counter.BiosAcknowledgedFlush]++
      done(status)
    }
  }

  private adminAnswer(): void {
    const { adminDone } = this
    assert(adminDone !== null, 'an answer has a command')
    this.adminDone = null
    adminDone(this.context.boards.adminStatus)
  }
}
