/**
 * Keeps the index as a whole: opens, saves and closes it, and hosts the keeper, which closes and writes chapters.
 * Lives in index zone 0; what the zones have to do it orders, all of them at once, and goes on when all are done.
 *
 * What takes long is told as steps (`opening`, `closing`, …), one at a time: they wait for the disk and for orders,
 * and the volume serves meanwhile. Whatever happens to an index, the volume does not fail for it: an index that is
 * not there, or is damaged, makes way for a new one; one that was not saved is rebuilt from its chapters; any other
 * failure closes it, with a sentence that says why.
 */
import { assert, unreachable } from '../base/assert.js'
import { Status } from '../base/status.js'
import { IndexStage } from '../vio/boards.js'
import { Counter } from '../vio/counters.js'
import { Mark } from '../vio/marks.js'
import { hop, type IndexControl, IndexOp } from '../vio/opcodes.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { type IndexArena, IndexOrder, Work } from './index-arena.js'
import type { IndexError } from './index-error.js'
import { IndexKeeper } from './index-keeper.js'
import { createLayout, type IndexBirth, type IndexLayout, type IndexPlace } from './index-layout.js'
import { IndexLifecycle, type Openable } from './index-lifecycle.js'
import type { IndexOutside } from './index-outside.js'
import { IndexPageMap } from './index-page-map.js'
import { type KeeperPort, KeeperWork, type ToKeeper, type ToZone } from './index-ports.js'
import { type ChapterRange, type LoadableSave, loadMap, saveIndex } from './index-save.js'
import { canBeReplaced, type IndexParts, type OpenedIndex, openIndex } from './open-index.js'
import { type RegionWork, WAIT } from './region-work.js'
import type { Steps } from './storage-steps.js'
import type { Area } from './volume-index-save.js'
import { ZoneOrders } from './zone-orders.js'

/** What a zone tells, in the operand of a message: the zone above these bits. */
const TOLD_BITS = 4

export const toldBy = (zone: number, message: ToKeeper): number => (zone << TOLD_BITS) | message

export class IndexKeeping implements Openable, IndexParts, KeeperPort {
  private readonly lifecycle: IndexLifecycle
  private readonly orders: ZoneOrders
  private readonly whole: RegionWork
  private layout: IndexLayout | null = null
  private keeper: IndexKeeper | null = null
  private pageMap: IndexPageMap | null = null
  /** Why the open index cannot go on. */
  private broken: string | null = null
  private held = false
  /** The way to rest, until it is gone. */
  private toRest: (() => Steps<void>) | null = null
  /** A new index is being made, which is soon done and is not left half way. */
  private making = false

  constructor(
    private readonly context: ZoneContext,
    private readonly shared: IndexArena,
    private readonly place: IndexPlace,
    private readonly works: readonly RegionWork[],
    private readonly outside: IndexOutside,
  ) {
    this.lifecycle = new IndexLifecycle(context, this)
    this.orders = new ZoneOrders(context, shared)
    this.whole = works[Work.Whole]
  }

  // What it is told.

  /** The volume is loaded. */
  begin(): void {
    this.lifecycle.begin()
  }

  control(control: IndexControl): void {
    this.lifecycle.control(control)
  }

  /** A zone tells the keeper. */
  hear(told: number): void {
    this.keeper?.receive(told >> TOLD_BITS, told & (2 ** TOLD_BITS - 1))
    if (this.keeper?.hasFailed === true) this.broken ??= 'a page of its chapters is damaged or cannot be read'
    this.look()
  }

  /** A zone has found out that the index cannot go on. */
  fail(sentence: string): void {
    if (this.broken !== null || this.keeper === null) return
    this.broken = sentence
    this.keeper.fail()
    this.look()
  }

  orderDone(): void {
    this.orders.done()
    this.look()
  }

  // The keeper's side.

  toZone(zone: number, message: ToZone): void {
    this.context.post.send(hop(IndexOp.FromKeeper, zone), message)
  }

  start(work: KeeperWork, steps: Steps<void>): void {
    this.works[workOf(work)].start(steps, (error) => {
      if (error !== null) this.fail(error.message)
      else if (work === KeeperWork.WriteChapter) this.count(Counter.IndexChaptersWritten)
      this.keeper?.workDone(work, error === null)
      this.look()
    })
  }

  /** Something has changed that steps may wait for. */
  private look(): void {
    this.whole.wake()
    if (this.whole.isBusy) return
    if (this.held) this.goToRest()
    else if (this.broken !== null) this.giveUp()
  }

  // Opening.

  open(create: boolean): void {
    this.broken = null
    this.whole.start(this.opening(create), (error) => {
      if (error === null) this.lifecycle.opened()
      else this.failed('the index cannot be opened', error.message)
      this.look()
    })
  }

  private *opening(create: boolean): Steps<void> {
    try {
      const { layout, newest, oldest } = yield* create ? this.make() : this.openOrMake()
      const parts = {
        geometry: layout.geometry,
        memory: this.shared.memory,
        pageMap: this.thePageMap,
        nonce: layout.nonce,
        volumeBlock: layout.volumeStart,
        beforeChapter: () => layout.discardOpenChapter(),
      }
      this.keeper = new IndexKeeper(parts, this)
      this.keeper.begin(oldest, newest)
    } catch (error) {
      yield* this.forget()
      throw error
    } finally {
      this.making = false
    }
  }

  private *openOrMake(): Steps<OpenedIndex> {
    try {
      return yield* openIndex(this.place, this)
    } catch (error) {
      if (!canBeReplaced(error)) throw error
      this.tell(`there is no index that can be used, and a new one is made: ${error.message}`)
      yield* this.forget()
      return yield* this.make()
    }
  }

  private *make(): Steps<OpenedIndex> {
    this.making = true
    this.count(Counter.IndexesMade)
    const layout = yield* createLayout(this.place, this.birth())
    this.use(layout)
    yield* this.orders.give(IndexOrder.Begin)
    this.shared.isTouched = true
    return { layout, newest: 0, oldest: 0, rebuiltFor: undefined }
  }

  *load(layout: IndexLayout, save: LoadableSave): Steps<void> {
    const pageMap = this.use(layout)
    yield* this.orders.give(IndexOrder.Load)
    yield* loadMap(layout, save, pageMap)
    this.shared.isTouched = false
    this.count(Counter.IndexLoads)
  }

  *rebuild(layout: IndexLayout, why: IndexError): Steps<ChapterRange> {
    this.tell(`the index is rebuilt from its chapters: ${why.message}`)
    this.use(layout)
    yield* this.orders.give(IndexOrder.Rebuild)
    this.count(Counter.IndexRebuilds)
    this.shared.isTouched = true
    return this.shared.range
  }

  /** Takes the layout of the index that is opened, with a page map that is empty. */
  private use(layout: IndexLayout): IndexPageMap {
    const { pageMapEntries } = this.shared.memory
    pageMapEntries.fill(0)
    this.layout = layout
    this.pageMap = new IndexPageMap(layout.geometry, pageMapEntries)
    return this.pageMap
  }

  private birth(): IndexBirth {
    const { outside } = this
    return { nanoseconds: BigInt(outside.wallMs()) * 1_000_000n, chance: outside.chance() }
  }

  // Saving and closing.

  close(): void {
    this.whole.start(this.closing(), (error) => {
      const why = this.broken ?? error?.message
      if (why === undefined) this.lifecycle.closed()
      else this.failed('the index was closed and is not saved', why)
    })
  }

  private *closing(): Steps<void> {
    let problem: unknown = null
    try {
      yield* this.orders.give(IndexOrder.Drain)
      yield* this.save()
    } catch (error) {
      problem = error
    }
    yield* this.forget()
    if (problem !== null) throw problem
  }

  /** Saves the index, which takes no questions, unless the last save still says all. */
  private *save(): Steps<void> {
    const { layout, keeper, shared } = this
    assert(layout !== null && keeper !== null, 'only an open index is saved')
    yield* this.quiet()
    const isReadOnly = this.context.boards.readOnlyReason !== Status.Success
    if (this.broken !== null || isReadOnly || !shared.isTouched) return
    const saved = {
      shares: shared.memory.openChapters.map((pair) => pair[keeper.newest & 1]!),
      pageMap: this.thePageMap,
      saveZones: (_: IndexLayout, areas: readonly Area[]) => this.saveZones(areas),
    }
    yield* saveIndex(layout, saved, keeper, this.outside.wallMs())
    shared.isTouched = false
    this.count(Counter.IndexSaves)
  }

  private *saveZones(areas: readonly Area[]): Steps<void> {
    for (const [zone, area] of areas.entries()) this.shared.setAreaOf(zone, area)
    yield* this.orders.give(IndexOrder.Save)
  }

  /**
   * Waits until no chapter is being closed or written. A zone may just have said that its chapter is full, or close
   * the next one when it hears that the last is written; so that the keeper is idle counts when all zones have
   * settled after it.
   */
  private *quiet(): Steps<void> {
    do {
      if (this.isKeeperBusy) this.count(Mark.SaveAwaitsKeeper)
      while (this.isKeeperBusy) yield WAIT
      yield* this.orders.give(IndexOrder.Settle)
    } while (this.isKeeperBusy)
  }

  /** Whether the keeper is at work, of an index that is not broken. */
  private get isKeeperBusy(): boolean {
    return this.broken === null && this.keeper?.isIdle === false
  }

  /** Has all zones forget the index. Waits for the keeper's work too, which is in vain if the index is broken. */
  private *forget(): Steps<void> {
    while (this.works[Work.WriteChapter].isBusy || this.works[Work.LoadSparse].isBusy) yield WAIT
    yield* this.orders.give(IndexOrder.Close)
    this.layout = null
    this.keeper = null
    this.pageMap = null
  }

  private giveUp(): void {
    this.count(Counter.IndexFailures)
    this.lifecycle.failing()
    this.whole.start(this.givingUp(), () => {
      this.failed('the index is not used any more', this.broken ?? '')
    })
  }

  /** What was saved may be what the index failed for: it is not to be loaded again. */
  private *givingUp(): Steps<void> {
    const { layout } = this
    yield* this.forget()
    if (layout !== null) yield* layout.discardOpenChapter()
  }

  private failed(what: string, why: string): void {
    this.tell(`${what}: ${why}`)
    this.broken = null
    this.lifecycle.failed(why)
  }

  // Rest: with the volume.

  /** Begins nothing more. What is open comes to rest, and is saved if that is wanted; what is loaded waits. */
  rest(save: boolean): void {
    this.lifecycle.rest()
    this.held = true
    this.toRest = save ? () => this.save() : () => this.quiet()
    if (this.lifecycle.stage === IndexStage.Opening && !this.making) {
      this.count(Mark.OpeningHeld)
      this.whole.hold()
      this.works[Work.Own].hold()
    }
    this.look()
  }

  private goToRest(): void {
    const { toRest } = this
    if (toRest === null || this.lifecycle.stage !== IndexStage.Open) return
    this.toRest = null
    this.whole.start(toRest(), (error) => {
      if (error !== null) this.broken ??= `it cannot be saved: ${error.message}`
    })
  }

  /** Whether nothing is with the disk, nor will be before `goOn`. */
  get rests(): boolean {
    const { stage } = this.lifecycle
    if (stage === IndexStage.Opening) return !this.making && this.works.every((work) => !work.isWithBio)
    if (stage === IndexStage.Open && this.toRest !== null) return false
    return this.works.every((work) => !work.isBusy)
  }

  goOn(): void {
    this.held = false
    this.toRest = null
    this.whole.release()
    this.lifecycle.goOn()
    this.look()
  }

  private get thePageMap(): IndexPageMap {
    assert(this.pageMap !== null, 'an index with a layout has a page map')
    return this.pageMap
  }

  private count(counter: Counter | Mark): void {
    this.context.counters[counter]++
  }

  private tell(what: string): void {
    this.outside.report(`Deduplication: ${what}`)
  }
}

function workOf(work: KeeperWork): Work {
  switch (work) {
    case KeeperWork.WriteChapter:
      return Work.WriteChapter
    case KeeperWork.LoadSparse:
      return Work.LoadSparse
    default:
      return unreachable('the keeper has two kinds of work', work)
  }
}
