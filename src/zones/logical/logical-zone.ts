/**
 * A logical zone: the locks on its lbns, its part of the flush generations, its trees of the block map. Every
 * request of an lbn begins here, comes back for its map entry, and ends here.
 *
 * What a vio does between its messages is told in vio/write-path.ts and vio/read-path.ts. Within the zone a vio may
 * wait for the lbn lock (lbn-locks.ts), for an interior page (block-map.ts) or for a leaf (page-cache.ts); all wait
 * queues share the vio's one link. The zone keeps nothing of a vio that has gone to another room but its lock, its
 * flush generation and how many answers are still to come.
 */
import { assert, unreachable } from '../../base/assert.js'
import { type Lbn, NO_VIO, type Pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { NO_ENTRY } from '../../base/intrusive-list.js'
import { Status } from '../../base/status.js'
import { isValidLocation } from '../../format/block-map-entry.js'
import { readEntryPbn, readEntryState, writeEntry } from '../../format/block-map-page.js'
import { BLOCK_SIZE, ENTRIES_PER_PAGE } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { toCleanup } from '../../vio/cleanup-path.js'
import { cancelCompression, resetCompression } from '../../vio/compression.js'
import { Counter } from '../../vio/counters.js'
import { LockKind, ZoneJournalLocks } from '../../vio/journal-locks.js'
import { Mark } from '../../vio/marks.js'
import {
  AdminCommand,
  BioOp,
  FlushOp,
  FrontOp,
  type Hop,
  hop,
  JournalOp,
  LogicalOp,
  PhysicalOp,
  RepairOp,
  RepairStep,
} from '../../vio/opcodes.js'
import { readPatchLength, readPatchPbn, readPatchSlot, readPatchState } from '../../vio/page-patch.js'
import { afterData, toMappedRead } from '../../vio/read-path.js'
import { IoKind, MappingState, VioFlag } from '../../vio/vio-table.js'
import { isWholeDiscard, mayAcknowledge, needsBlock, toEviction, toJournal } from '../../vio/write-path.js'
import { enterReadOnly, phaseDone, type ZoneContext } from '../../vio/zone-context.js'
import { BlockMap, type SlotSeeker } from './block-map.js'
import { DirtyLists } from './dirty-lists.js'
import { FlushGenerations } from './flush-generations.js'
import { Forest } from './forest.js'
import { LbnLocks } from './lbn-locks.js'
import { MapVios } from './map-vios.js'
import { cachePagesPerZone, PAGE_REFUSED, PAGE_WAITS, PageCache, type PageUser } from './page-cache.js'
import { WriteOut } from './write-out.js'

/** Stands for the journal while pages are patched: nothing in them waits for it. */
const PATCH_ERA = 1

/** What a vio wants of its leaf page. */
enum Want {
  /** Its data: a read, or the first half of a partial write. */
  Data = 0,
  /** The mapping that its write replaces. */
  OldMapping = 1,
  /** To enter its new mapping. */
  Update = 2,
  /** To enter what a repair vio brings. */
  Patch = 3,
}

/** Normal → (draining →) quiescent → normal. A zone begins quiescent. */
enum ZoneState {
  Normal,
  Suspending,
  Saving,
  Quiescent,
  /** Before the load: pages that repair had patched are being written. */
  Recovering,
}

export class LogicalZone implements Zone, SlotSeeker, PageUser {
  private readonly locks: LbnLocks
  private readonly generations: FlushGenerations
  private readonly dirtyLists: DirtyLists
  private readonly cache: PageCache
  private readonly forest: Forest
  private readonly mapVios: MapVios
  private readonly blockMap: BlockMap
  private readonly writeOut: WriteOut
  private state = ZoneState.Quiescent
  private isLoaded = false
  /** Repair has changed pages. */
  private isPatched = false
  private readOnly = false
  /** Which of reads and writes of pages may take the next free vio first. */
  private readsFirst = true
  private allocationZoneNow: number
  private allocations = 0

  // By vio: what it wants of a page, whether it is in a flush generation, and how many of its answers have come.
  private readonly wants: Uint8Array
  private readonly joined: Uint8Array
  private readonly answers: Uint8Array
  /** Blocks that a discard may pass over because they have no leaf. */
  private readonly skips: Int32Array
  /** Lbns (of a volume that becomes read-only) whose old block was let go, and maybe given to others, while the map still names it. */
  private readonly outdated = new Set<Lbn>()

  private readonly afterPageRead: Hop
  private readonly takeOver: Hop
  private readonly ownRelease: Hop

  constructor(private readonly context: ZoneContext) {
    const { vios, shape, zone, counts, boards, post, counters } = context
    this.locks = new LbnLocks(vios.waiterNext, shape.dataVios)
    const oldestAdvanced = hop(FlushOp.OldestAdvanced, 0)
    this.generations = new FlushGenerations(zone, boards, shape.flushVios, () =>
      post.send(oldestAdvanced, zone),
    )
    const locksReleased = hop(JournalOp.LocksReleased, 0)
    const journalLocks = new ZoneJournalLocks(context.journalLocks, LockKind.Logical, () =>
      post.send(locksReleased, 0),
    )
    this.forest = new Forest(context)
    this.mapVios = new MapVios(context.pools.logical[zone])
    this.blockMap = new BlockMap(context, this.forest, this.mapVios, this)
    const leaves = cachePagesPerZone(shape.cachePages, counts.logical)
    this.dirtyLists = new DirtyLists(leaves + this.forest.rows, shape.blockMapAge, journalLocks, counters)
    this.cache = new PageCache(context, this.dirtyLists, this)
    this.writeOut = new WriteOut(context, this.dirtyLists, this.cache, this.forest, this.mapVios, this)
    this.allocationZoneNow = zone % counts.physical
    this.wants = new Uint8Array(shape.dataVios + context.pools.otherVios)
    this.joined = new Uint8Array(shape.dataVios)
    this.answers = new Uint8Array(shape.dataVios)
    this.skips = new Int32Array(shape.dataVios)
    this.afterPageRead = hop(LogicalOp.PageRead, zone)
    this.takeOver = hop(LogicalOp.TakeOver, zone)
    this.ownRelease = hop(LogicalOp.Release, zone)
  }

  receive(op: LogicalOp, operand: number): void {
    this.handle(op, operand as VioIndex)
    this.pump()
  }

  private handle(op: LogicalOp, vio: VioIndex): void {
    switch (op) {
      case LogicalOp.Launch:
        return this.launch(vio)
      case LogicalOp.TakeOver:
        return this.start(vio)
      case LogicalOp.TreeAllocated:
        return this.blockMap.allocated(vio)
      case LogicalOp.TreeCounted:
        return this.blockMap.counted(vio)
      case LogicalOp.ReadDone:
        return this.readDone(vio)
      case LogicalOp.ReadMapping:
        return this.readMapping(vio)
      case LogicalOp.Incremented:
        return this.incremented(vio)
      case LogicalOp.Decremented:
        return this.answered(vio)
      case LogicalOp.Release:
        return this.release(vio)
      case LogicalOp.AdvanceGeneration:
        return this.advanceGeneration()
      case LogicalOp.AdvanceEra:
        return this.dirtyLists.advance(this.context.boards.era)
      case LogicalOp.PageRead:
        return this.pageRead(vio)
      case LogicalOp.PageWritten:
      case LogicalOp.TreePageWritten:
        return this.writeOut.written(vio)
      case LogicalOp.TreePageRead:
        return this.blockMap.pageRead(vio)
      case LogicalOp.FlushIssued:
        return this.writeOut.flushDone()
      case LogicalOp.Administer:
        return this.administer(vio as number)
      case LogicalOp.EnterReadOnly:
        return this.enterReadOnly()
      case LogicalOp.PatchPage:
        return this.patchPage(vio)
      default:
        return unreachable('a logical zone knows its messages', op)
    }
  }

  // The way in.

  /** A new block: the lbn lock comes first. */
  private launch(vio: VioIndex): void {
    const { vios, volume, placement, zone } = this.context
    const lbn = vios.lbn[vio]
    this.joined[vio] = 0
    this.skips[vio] = 0
    if (lbn >= volume.logicalBlocks) return this.goHome(vio, Status.OutOfRange)
    assert(placement.logicalZone(lbn) === zone, 'an lbn is looked after by its own zone')
    if (this.state !== ZoneState.Normal) return this.goHome(vio, Status.ShuttingDown)
    const holder = this.locks.holder(lbn)
    if (holder === NO_VIO) {
      this.locks.take(lbn, vio)
      return this.start(vio)
    }
    if (vios.isRead(vio) && Atomics.load(vios.allocationSucceeded, holder) !== 0) {
      return this.readFrom(holder, vio)
    }
    this.locks.wait(holder, vio)
    this.hurry(holder, vio)
  }

  /** The holder's data will not be refused any more, and stands still as long as it holds the lock. */
  private readFrom(holder: VioIndex, vio: VioIndex): void {
    const { vios, native, counters } = this.context
    native.copy(vios.dataAt(vio), vios.dataAt(holder), BLOCK_SIZE)
    counters[Mark.ReadsServedFromWriters]++
    this.goHome(vio, Status.Success)
  }

  /** A holder that others wait for does not linger in the packer. */
  private hurry(holder: VioIndex, waiter: VioIndex): void {
    const { vios, post, counters } = this.context
    if (vios.isRead(holder) || !cancelCompression(vios.compression, holder)) return
    counters[Mark.LbnWaiterEvicts]++
    vios.lockHolder[waiter] = holder
    post.send(toEviction, waiter)
  }

  /** A vio that never held a lock is done. */
  private goHome(vio: VioIndex, status: Status): void {
    const { vios, post } = this.context
    vios.fail(vio, status)
    this.countError(vio)
    post.send(hop(FrontOp.Release, 0), vio)
  }

  /** The vio holds its lbn lock. */
  private start(vio: VioIndex): void {
    const { vios } = this.context
    assert(this.locks.holder(vios.lbn[vio]) === vio, 'a vio works on an lbn while it holds the lock')
    if (this.readOnly && !vios.isRead(vio)) return this.fail(vio, Status.ReadOnly)
    this.blockMap.seek(vio)
  }

  leafFound(vio: VioIndex, leaf: Pbn): void {
    const { vios } = this.context
    vios.pagePbn[vio] = leaf
    vios.pageSlot[vio] = vios.lbn[vio] % ENTRIES_PER_PAGE
    if (leaf === ZERO_BLOCK) {
      if (!vios.isRead(vio)) {
        assert(vios.has(vio, VioFlag.Discard), 'only reads and discards do without a leaf')
        return this.skipLeaf(vio)
      }
      return this.readZeros(vio)
    }
    if (vios.isRead(vio) || vios.has(vio, VioFlag.Unmerged)) return this.want(vio, Want.Data)
    this.write(vio)
  }

  leafFailed(vio: VioIndex): void {
    this.cleanUp(vio)
  }

  /** What has no leaf is unmapped already, to the leaf's end. */
  private skipLeaf(vio: VioIndex): void {
    const { vios } = this.context
    const rest = ENTRIES_PER_PAGE - 1 - vios.pageSlot[vio]
    this.skips[vio] = Math.min(rest, vios.remainingBlocks[vio])
    this.release(vio)
  }

  /** The vio failed before it left the zone. */
  private fail(vio: VioIndex, status: Status): void {
    this.context.vios.fail(vio, status)
    this.release(vio)
  }

  // Reads, and the first half of partial writes.

  private readData(vio: VioIndex, page: number): void {
    const { vios, placement, post, counters } = this.context
    if (this.outdated.size > 0 && this.outdated.has(vios.lbn[vio])) {
      counters[Mark.OutdatedReadRefused]++
      return this.fail(vio, Status.ReadOnly)
    }
    if (!this.readEntry(vio, page) && vios.isRead(vio)) return this.fail(vio, Status.BadMapping)
    if (vios.mappedPbn[vio] === ZERO_BLOCK) return this.readZeros(vio)
    post.send(toMappedRead(vios, placement, vio), vio)
  }

  private readZeros(vio: VioIndex): void {
    const { vios, placement, native, post } = this.context
    native.fill(vios.dataAt(vio), 0, BLOCK_SIZE)
    if (vios.isRead(vio)) return this.release(vio)
    post.send(afterData(vios, placement, vio), vio)
  }

  /** A partial write is merged, or its old data could not be read. */
  private readDone(vio: VioIndex): void {
    if (this.context.vios.status[vio] !== Status.Success) return this.release(vio)
    this.write(vio)
  }

  // Writes.

  private write(vio: VioIndex): void {
    const { vios, post } = this.context
    assert(this.joined[vio] === 0, 'a write joins one flush generation')
    if (this.readOnly) return this.fail(vio, Status.ReadOnly)
    vios.flushGeneration[vio] = this.generations.join()
    this.joined[vio] = 1
    if (needsBlock(vios, vio)) {
      const start = this.allocationZone()
      vios.allocationStart[vio] = start
      vios.allocationTries[vio] = 0
      vios.allocationWaits[vio] = 0
      return post.send(hop(PhysicalOp.Allocate, start), vio)
    }
    vios.newPbn[vio] = ZERO_BLOCK
    vios.newState[vio] = isWholeDiscard(vios, vio) ? MappingState.Unmapped : MappingState.Uncompressed
    if (mayAcknowledge(vios, vio)) {
      vios.acknowledged[vio] = 1
      post.send(hop(FrontOp.Acknowledge, 0), vio)
    }
    this.readMapping(vio)
  }

  /** Allocations are spread over the physical zones, a run at a time. */
  allocationZone(): number {
    const { shape, counts } = this.context
    if (this.allocations === shape.allocationsPerZone) {
      this.allocations = 0
      this.allocationZoneNow = (this.allocationZoneNow + 1) % counts.physical
    }
    this.allocations++
    return this.allocationZoneNow
  }

  /** The new data is at rest or shared: which mapping does it replace? */
  private readMapping(vio: VioIndex): void {
    if (this.context.vios.status[vio] !== Status.Success) return this.cleanUp(vio)
    this.want(vio, Want.OldMapping)
  }

  private journal(vio: VioIndex, page: number): void {
    const { vios, post } = this.context
    // An impossible entry holds no reference that could be dropped.
    this.readEntry(vio, page)
    this.answers[vio] = 0
    vios.journalSequence[vio] = 0
    vios.decrementStatus[vio] = Status.Success
    post.send(toJournal, vio)
  }

  private incremented(vio: VioIndex): void {
    const { vios } = this.context
    if (vios.journalSequence[vio] !== 0) return this.answered(vio)
    assert(vios.status[vio] !== Status.Success, 'only a failed write is not journaled')
    this.cleanUp(vio)
  }

  /** One of increment and decrement is done. The map changes only after both. */
  private answered(vio: VioIndex): void {
    const { vios } = this.context
    const expected = vios.mappedPbn[vio] === ZERO_BLOCK ? 1 : 2
    assert(this.answers[vio] < expected, 'an entry is answered once for each of its blocks')
    if (++this.answers[vio] < expected) return
    vios.fail(vio, vios.decrementStatus[vio])
    if (vios.status[vio] === Status.Success) return this.want(vio, Want.Update)
    this.leaveEntry(vio)
  }

  private update(vio: VioIndex, page: number): void {
    const { vios, arena } = this.context
    const place = vios.newPbn[vio]
    const state = vios.newState[vio]
    assert(this.isPossible(place, state), 'a mapping is one that can be read again')
    writeEntry(arena, this.cache.at(page), vios.pageSlot[vio], place, state)
    this.cache.touched(page, vios.journalSequence[vio])
    this.leaveEntry(vio)
  }

  /** The journal entry has done its duty: the page holds the block now, or the volume is read-only. */
  private leaveEntry(vio: VioIndex): void {
    const { vios, journalLocks, counters } = this.context
    journalLocks.entryTaken(vios.journalSequence[vio])
    const isEntered = vios.status[vio] === Status.Success
    if (!isEntered && vios.mappedPbn[vio] !== ZERO_BLOCK) {
      counters[Mark.MappingOutdated]++
      this.outdated.add(vios.lbn[vio])
    }
    this.cleanUp(vio)
  }

  // Leaf pages.

  private want(vio: VioIndex, want: Want): void {
    this.wants[vio] = want
    const page = this.cache.get(vio, want === Want.Update || want === Want.Patch)
    if (page === PAGE_REFUSED) this.pageFailed(vio, Status.ReadOnly)
    else if (page !== PAGE_WAITS) this.pageReady(vio, page)
  }

  pageReady(vio: VioIndex, page: number): void {
    switch (this.wants[vio] as Want) {
      case Want.Data:
        return this.readData(vio, page)
      case Want.OldMapping:
        return this.journal(vio, page)
      case Want.Update:
        return this.update(vio, page)
      case Want.Patch:
        return this.patch(vio, page)
    }
  }

  pageFailed(vio: VioIndex, status: Status): void {
    const { vios, counters } = this.context
    vios.fail(vio, status)
    if (this.wants[vio] === Want.Patch) {
      counters[Mark.PatchRefused]++
      return this.patched(vio)
    }
    if (this.wants[vio] === Want.Update) this.leaveEntry(vio)
    else this.cleanUp(vio)
  }

  /** Copies the entry of a vio to its `mapped` columns; an entry that cannot be is unmapped, and false. */
  private readEntry(vio: VioIndex, page: number): boolean {
    const { vios, arena } = this.context
    const place = readEntryPbn(arena, this.cache.at(page), vios.pageSlot[vio]) as Pbn
    const state = readEntryState(arena, this.cache.at(page), vios.pageSlot[vio])
    const valid = this.isPossible(place, state)
    vios.mappedPbn[vio] = valid ? place : ZERO_BLOCK
    vios.mappedState[vio] = valid ? state : MappingState.Unmapped
    return valid
  }

  private isPossible(place: Pbn, state: number): boolean {
    return (
      isValidLocation(place, state) && (place === ZERO_BLOCK || this.context.placement.isDataBlock(place))
    )
  }

  treeTouched(row: number, vio: VioIndex): void {
    this.dirtyLists.touch(this.cache.pages + row, this.context.vios.journalSequence[vio])
  }

  private pageRead(vio: VioIndex): void {
    const page = this.mapVios.subject(vio)
    this.mapVios.give(vio)
    this.cache.readDone(page, this.context.vios.status[vio])
  }

  // Repair, before the zone is loaded.

  /** All pages that are patched change in one era, which is over before the journal's first. */
  private patchPage(vio: VioIndex): void {
    assert(!this.isLoaded && this.state === ZoneState.Quiescent, 'pages are patched before the load')
    if (!this.isPatched) this.dirtyLists.start(PATCH_ERA)
    this.isPatched = true
    this.want(vio, Want.Patch)
  }

  private patch(vio: VioIndex, page: number): void {
    const { vios, arena } = this.context
    const at = vios.bufferAt(vio)
    const count = readPatchLength(arena, at)
    for (let i = 0; i < count; i++) {
      const slot = readPatchSlot(arena, at, i)
      writeEntry(arena, this.cache.at(page), slot, readPatchPbn(arena, at, i), readPatchState(arena, at, i))
    }
    this.cache.touched(page, PATCH_ERA)
    this.patched(vio)
  }

  private patched(vio: VioIndex): void {
    this.context.post.send(hop(RepairOp.PagePatched, 0), vio)
  }

  // The way out.

  /** Home by way of what the vio still holds; at once if that is only its lock. */
  private cleanUp(vio: VioIndex): void {
    const { vios, placement, post } = this.context
    const next = toCleanup(vios, placement, vio)
    if (next === this.ownRelease) this.release(vio)
    else post.send(next, vio)
  }

  /** The last stage of each block. */
  private release(vio: VioIndex): void {
    const { vios, post } = this.context
    assert(vios.allocatedPbn[vio] === ZERO_BLOCK, 'a vio gives its allocation back before its lock')
    this.countError(vio)
    if (this.joined[vio] !== 0) {
      this.joined[vio] = 0
      this.generations.leave(vios.flushGeneration[vio])
    }
    this.unlock(vio, vios.lbn[vio])
    if (vios.status[vio] === Status.Success && vios.remainingBlocks[vio] > this.skips[vio]) {
      return this.nextBlock(vio)
    }
    post.send(hop(FrontOp.Release, 0), vio)
  }

  /** An error that the client was not told of, or could not be told of any more, makes the volume read-only. */
  private countError(vio: VioIndex): void {
    const { vios, counters, boards } = this.context
    const status = vios.status[vio]
    if (status === Status.Success) return
    // On the board before the vio leaves its generation: the flush that waits for it is to know.
    if (vios.acknowledged[vio] !== 0) {
      counters[Mark.AcknowledgedWriteLost]++
      boards.loseWrite()
    }
    if (status === Status.ReadOnly) counters[Counter.ReadOnlyErrors]++
    if (vios.acknowledged[vio] !== 0 || status === Status.ReadOnly) this.fatal(status)
  }

  private unlock(vio: VioIndex, lbn: Lbn): void {
    const { vios, post } = this.context
    const heir = this.locks.pass(lbn, vio)
    if (heir === NO_VIO) return
    if (this.locks.hasWaiters(heir) && !vios.isRead(heir)) {
      const wasPacking = cancelCompression(vios.compression, heir)
      assert(!wasPacking, 'who waited for a lock is not in the packer')
    }
    post.send(this.takeOver, heir)
  }

  /** A discard goes on with its next block, of which nothing is known yet. */
  private nextBlock(vio: VioIndex): void {
    const { vios, placement, post } = this.context
    const step = 1 + this.skips[vio]
    const lbn = (vios.lbn[vio] + step) as Lbn
    vios.lbn[vio] = lbn
    vios.remainingBlocks[vio] -= step
    vios.journalSequence[vio] = 0
    vios.hashLock[vio] = -1
    vios.duplicateLock[vio] = -1
    vios.duplicatePbn[vio] = ZERO_BLOCK
    resetCompression(vios.compression, vio)
    Atomics.store(vios.allocationSucceeded, vio, 0)
    post.send(hop(LogicalOp.Launch, placement.logicalZone(lbn)), vio)
  }

  // Flush generations, read-only mode, administration.

  private advanceGeneration(): void {
    const { boards, post, zone } = this.context
    this.generations.close(boards.closingGeneration)
    post.send(hop(FlushOp.GenerationClosed, 0), zone)
  }

  fatal(status: Status): void {
    enterReadOnly(this.context, status)
    this.enterReadOnly()
  }

  private enterReadOnly(): void {
    if (this.readOnly) return
    this.readOnly = true
    this.cache.enterReadOnly()
    this.writeOut.enterReadOnly()
  }

  private administer(command: AdminCommand | RepairStep.Recover): void {
    switch (command) {
      case AdminCommand.Load:
        return this.load()
      case AdminCommand.Suspend:
        return this.drain(ZoneState.Suspending)
      case AdminCommand.Save:
        return this.drain(ZoneState.Saving)
      case AdminCommand.Resume:
        assert(this.isLoaded && this.state === ZoneState.Quiescent, 'a zone resumes from rest')
        this.state = ZoneState.Normal
        return phaseDone(this.context, Status.Success)
      case RepairStep.Recover:
        assert(!this.isLoaded && this.state === ZoneState.Quiescent, 'a zone recovers before it is loaded')
        this.state = ZoneState.Recovering
        return this.dirtyLists.expireAll()
      default:
        return unreachable('a logical zone knows its commands', command)
    }
  }

  private load(): void {
    const { boards, volume } = this.context
    assert(!this.isLoaded, 'a zone is loaded once')
    this.isLoaded = true
    this.cache.endRebuild()
    // After a repair that failed patched pages may be dirty, and stay so.
    if (!this.readOnly) this.dirtyLists.start(Math.max(volume.journalStart, boards.era))
    this.state = ZoneState.Normal
    phaseDone(this.context, Status.Success)
  }

  private drain(state: ZoneState): void {
    assert(this.locks.held === 0 && this.generations.activeWrites === 0, 'requests are drained before zones')
    assert(this.state === ZoneState.Normal, 'only a running zone drains')
    this.state = state
    if (state === ZoneState.Saving && !this.readOnly) this.dirtyLists.expireAll()
  }

  private get isQuiet(): boolean {
    return this.blockMap.isIdle && this.writeOut.isIdle && this.mapVios.isIdle && !this.cache.hasReads
  }

  // Page I/O.

  /** Starts whatever can be started: called after every message. */
  private pump(): void {
    this.cache.makeRoom()
    if (!this.isResting) this.writeOut.startBatch()
    while (this.mapVios.hasFree && this.startIo()) this.readsFirst = !this.readsFirst
    if (this.state === ZoneState.Recovering) this.checkRecovered()
    if (this.state === ZoneState.Suspending || this.state === ZoneState.Saving) this.checkDrained()
  }

  /** A suspending zone ends what it began and begins nothing, nor does one that is suspended, whatever comes late. */
  private get isResting(): boolean {
    return this.state === ZoneState.Suspending || (this.state === ZoneState.Quiescent && this.isLoaded)
  }

  private startIo(): boolean {
    return this.readsFirst
      ? this.startRead() || this.writeOut.startWrite()
      : this.writeOut.startWrite() || this.startRead()
  }

  private startRead(): boolean {
    if (this.blockMap.startRead()) return true
    const page = this.cache.nextRead()
    if (page === NO_ENTRY) return false
    const { vios, placement, post } = this.context
    const vio = this.mapVios.take(page)
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.PageCache, this.cache.place(page), this.cache.at(page), 0, this.afterPageRead)
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
    return true
  }

  /** What was patched is on the disk; from now on a page is its owner's, which may be another zone. */
  private checkRecovered(): void {
    if (!this.isQuiet || !(this.readOnly || this.dirtyLists.isClean)) return
    if (!this.readOnly) this.cache.forgetAll()
    this.isPatched = false
    this.state = ZoneState.Quiescent
    phaseDone(this.context, this.readOnly ? Status.ReadOnly : Status.Success)
  }

  private checkDrained(): void {
    if (!this.isQuiet) return
    const isDone = this.state === ZoneState.Suspending || this.readOnly || this.dirtyLists.isClean
    if (!isDone) return
    this.state = ZoneState.Quiescent
    phaseDone(this.context, Status.Success)
  }
}
