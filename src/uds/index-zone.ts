/**
 * One zone of the deduplication index, on a thread: takes the questions of the hash zones about its names, reads
 * pages for them, and does its part when the index is opened, saved or closed. Zone 0 also has the keeping of the
 * whole index (index-keeping.ts), and tells the others by orders what to do.
 *
 * A question is a row of the dedupe contexts, whose columns are what the index takes for requests: nothing is
 * copied. Every row goes back to its hash zone, also one that was given up meanwhile. A row that comes while the
 * index is not open goes back unanswered, which is as if the name were not known.
 */
import { assert, unreachable } from '../base/assert.js'
import type { VdoError } from '../base/errors.js'
import type { Pbn, VioIndex } from '../base/ids.js'
import { Status } from '../base/status.js'
import type { Zone } from '../reactor/zone.js'
import { Counter } from '../vio/counters.js'
import { contextsPerZone, IndexRequestKind } from '../vio/dedupe-contexts.js'
import { Mark } from '../vio/marks.js'
import { AdminCommand, BioOp, hop, IndexOp } from '../vio/opcodes.js'
import { IoKind } from '../vio/vio-table.js'
import { phaseDone, type ZoneContext } from '../vio/zone-context.js'
import { BLOCKS_PER_PAGE, PAGE_BYTES } from './geometry.js'
import { type IndexArena, IndexOrder, WORKS, Work } from './index-arena.js'
import { IndexKeeping, toldBy } from './index-keeping.js'
import type { IndexPlace } from './index-layout.js'
import type { IndexOutside } from './index-outside.js'
import { ToKeeper, type ZonePort } from './index-ports.js'
import { IndexLocation } from './index-requests.js'
import { type RegionPlace, RegionWork } from './region-work.js'
import { sendAnswer } from './send-answer.js'
import type { Steps } from './storage-steps.js'
import { type OpeningOrder, ZonePart } from './zone-part.js'

export class IndexZone implements Zone, ZonePort {
  /** The zone's own work; of zone 0 also the index's and the keeper's. By place among the zone's vios. */
  private readonly works: readonly RegionWork[]
  private readonly keeping: IndexKeeping | null
  private readonly place: IndexPlace
  private readonly perHashZone: number
  private readonly firstVio: VioIndex
  /** Vios that read pages: those that are free, and the slot that each of the others reads into. */
  private readonly freeReaders: VioIndex[] = []
  private readonly slotOf: Int32Array
  /** Whether each of them reads, and did so when a chapter was closed; what the keeper is told when none does. */
  private readonly isReading: Uint8Array
  private readonly isLate: Uint8Array
  private late = 0
  private readonly untold: ToKeeper[] = []
  private part: ZonePart | null = null
  private accepting = false
  /** The order that waits for questions to be answered. */
  private draining: IndexOrder | null = null
  private resting = false

  constructor(
    private readonly context: ZoneContext,
    private readonly shared: IndexArena,
    region: RegionPlace,
    outside: IndexOutside,
  ) {
    const { zone, pools, shape, counts } = context
    const { first, count } = pools.index[zone]
    this.firstVio = first
    this.perHashZone = contextsPerZone(shape, counts)
    this.works = Array.from({ length: WORKS }, (_, work) => {
      const back = hop(IndexOp.Worked, zone)
      return new RegionWork(context, region, (first + work) as VioIndex, shared.bufferAt(zone, work), back)
    })
    for (let reader = WORKS; reader < count; reader++) this.freeReaders.push((first + reader) as VioIndex)
    this.slotOf = new Int32Array(count)
    this.isReading = new Uint8Array(count)
    this.isLate = new Uint8Array(count)
    this.place = indexPlaceOf(context, region)
    this.keeping = zone === 0 ? new IndexKeeping(context, shared, this.place, this.works, outside) : null
  }

  receive(op: IndexOp, operand: number): void {
    switch (op) {
      case IndexOp.Request:
        return this.ask(operand)
      case IndexOp.PageRead:
        return this.pageRead(operand as VioIndex)
      case IndexOp.Worked:
        return this.worked(operand as VioIndex)
      case IndexOp.FromKeeper:
        return this.zonePart.index.receive(operand)
      case IndexOp.ToKeeper:
        return this.theKeeping.hear(operand)
      case IndexOp.Order:
        return this.obey(operand)
      case IndexOp.OrderDone:
        return this.theKeeping.orderDone()
      case IndexOp.Control:
        return this.theKeeping.control(operand)
      case IndexOp.Administer:
        return this.administer(operand)
      default:
        return unreachable('an index zone knows its messages', op)
    }
  }

  endPass(): void {
    this.finishRest()
    const { counters } = this.context
    counters[Counter.PrivateBytes] = this.part === null ? 0 : this.part.memoryBytes
    if (this.part !== null) counters[Counter.IndexEntriesDiscarded] = this.part.discarded
    counters[Counter.IndexEntries] = this.part === null ? 0 : this.part.entries
  }

  // Questions

  private ask(row: number): void {
    const { part } = this
    if (part === null || !this.accepting) {
      const { contexts, counters } = this.context
      counters[Mark.QuestionWhileClosed]++
      contexts.locations[row] = IndexLocation.None
      return sendAnswer(this.context, this.perHashZone, row)
    }
    this.shared.isTouched = true
    part.index.submit(row)
  }

  /** The index has answered. */
  answer(row: number): void {
    const { contexts, counters } = this.context
    const location: IndexLocation = contexts.locations[row]
    if (location === IndexLocation.Failed) contexts.locations[row] = IndexLocation.None
    else counters[counterOf(contexts.kinds[row], location !== IndexLocation.None)]++
    sendAnswer(this.context, this.perHashZone, row)
    this.finishDrain()
  }

  readPage(slot: number, page: number): void {
    const { vios, post, volume, placement, zone, counters } = this.context
    counters[Counter.IndexPageReads]++
    const vio = this.freeReaders.pop()
    assert(vio !== undefined, 'a zone reads no more pages at once than it was told it may')
    const { layout } = this.zonePart
    this.isReading[vio - this.firstVio] = 1
    this.slotOf[vio - this.firstVio] = slot
    vios.status[vio] = Status.Success
    const block = layout.volumeStart + page * BLOCKS_PER_PAGE + volume.bioOffset
    const at = this.shared.memory.cachePages[zone].byteOffset + slot * PAGE_BYTES
    vios.aimRun(vio, IoKind.Index, block as Pbn, BLOCKS_PER_PAGE, at, 0, hop(IndexOp.PageRead, zone))
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
  }

  /**
   * A chapter that is written takes the place of one that has ended, and a page of that may still be on its way. So
   * the news waits for what is being read, and what comes after it waits too.
   */
  toKeeper(message: ToKeeper): void {
    if (message === ToKeeper.ChapterClosed) {
      this.isLate.set(this.isReading)
      this.late = this.slotOf.length - WORKS - this.freeReaders.length
    }
    if (this.late === 0) return this.tellKeeper(message)
    this.context.counters[Mark.ChapterAwaitsReads]++
    this.untold.push(message)
  }

  private tellKeeper(message: ToKeeper): void {
    const { post, zone } = this.context
    post.send(hop(IndexOp.ToKeeper, 0), toldBy(zone, message))
  }

  private readerIsHome(vio: VioIndex): void {
    const reader = vio - this.firstVio
    this.freeReaders.push(vio)
    this.isReading[reader] = 0
    if (this.isLate[reader] === 0) return
    this.isLate[reader] = 0
    this.late--
    if (this.late > 0) return
    for (const message of this.untold) this.tellKeeper(message)
    this.untold.length = 0
  }

  private pageRead(vio: VioIndex): void {
    this.readerIsHome(vio)
    const slot = this.slotOf[vio - this.firstVio]
    this.zonePart.index.pageRead(slot, this.context.vios.status[vio] === Status.Success)
    this.finishDrain()
  }

  // Orders

  private obey(order: IndexOrder): void {
    switch (order) {
      case IndexOrder.Begin:
      case IndexOrder.Load:
      case IndexOrder.Rebuild:
        this.part ??= new ZonePart(this.context, this.shared, this.place, this)
        return this.work(this.opening(order))
      case IndexOrder.Save:
        return this.work(this.zonePart.save(this.shared.areaOf(this.context.zone)))
      case IndexOrder.Drain:
      case IndexOrder.Close:
        this.accepting = false
        this.draining = order
        return this.finishDrain()
      case IndexOrder.Settle:
        return this.orderDone(null)
      default:
        return unreachable('an index zone knows its orders', order)
    }
  }

  private *opening(order: OpeningOrder): Steps<void> {
    yield* this.zonePart.open(order)
    this.accepting = true
  }

  private work(steps: Steps<void>): void {
    this.works[Work.Own].start(steps, (error) => this.orderDone(error))
  }

  private orderDone(error: VdoError | null): void {
    if (error !== null) this.shared.fail(error)
    this.context.post.send(hop(IndexOp.OrderDone, 0), 0)
  }

  private finishDrain(): void {
    if (this.draining === null || this.part?.isIdle === false) return
    if (this.draining === IndexOrder.Close) this.part = null
    this.draining = null
    this.orderDone(null)
  }

  private worked(vio: VioIndex): void {
    this.works[vio - this.firstVio].returned()
  }

  // Administration: the index is opened behind the volume that serves, and rests with it.

  private administer(command: AdminCommand): void {
    switch (command) {
      case AdminCommand.Load:
        this.keeping?.begin()
        return phaseDone(this.context, Status.Success)
      case AdminCommand.Resume:
        this.works[Work.Own].release()
        this.keeping?.goOn()
        return phaseDone(this.context, Status.Success)
      case AdminCommand.Suspend:
      case AdminCommand.Save:
        this.resting = true
        if (this.keeping === null) this.works[Work.Own].hold()
        else this.keeping.rest(command === AdminCommand.Save)
        return
      default:
        return unreachable('an index zone knows the commands', command)
    }
  }

  private finishRest(): void {
    if (!this.resting) return
    const isBusy = this.keeping === null ? this.works[Work.Own].isWithBio : !this.keeping.rests
    if (isBusy) return
    this.resting = false
    phaseDone(this.context, Status.Success)
  }

  // Helpers

  private get zonePart(): ZonePart {
    assert(this.part !== null, 'only an index that is being opened, or is open, has parts')
    return this.part
  }

  private get theKeeping(): IndexKeeping {
    assert(this.keeping !== null, 'zone 0 keeps the index')
    return this.keeping
  }
}

function counterOf(kind: IndexRequestKind, found: boolean): Counter {
  switch (kind) {
    case IndexRequestKind.Post:
      return found ? Counter.IndexPostsFound : Counter.IndexPostsNotFound
    case IndexRequestKind.Update:
      return found ? Counter.IndexUpdatesFound : Counter.IndexUpdatesNotFound
    case IndexRequestKind.Query:
      return found ? Counter.IndexQueriesFound : Counter.IndexQueriesNotFound
    default:
      return unreachable('hash zones ask what they can ask', kind)
  }
}

function indexPlaceOf({ shape, volume }: ZoneContext, region: RegionPlace): IndexPlace {
  assert(shape.index !== null, 'an index on disk has a shape')
  const nonce = (BigInt(volume.nonceHigh) << 32n) | BigInt(volume.nonceLow)
  return { shape: shape.index, start: region.block, blocks: region.blocks, nonce }
}
