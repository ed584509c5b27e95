/**
 * A physical zone: the slabs that fall to it, who may touch their blocks, which block is handed out next, and how
 * often each is referenced. Slab s belongs to zone s mod the number of zones.
 *
 * A block lives like this: *allocated* (counter 255, write lock) → its data is written → the journal entry that
 * maps it is durable → *increment*: entry in the slab journal, counter 1, the write lock becomes a read lock that
 * duplicates may share → the lock goes when nobody relies on it any more → increments and decrements come with
 * each remapping → a decrement to 0 frees it, unless it is locked: then it stays at 255 for the lock's sake.
 *
 * Increments and decrements of one slab are made in the order of the recovery journal, which is the order in which
 * they arrive; they wait in one queue a slab when its journal has no room.
 */
import { assert, unreachable } from '../../base/assert.js'
import { NO_VIO, type Pbn, pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { WaitQueues } from '../../base/wait-queue.js'
import { SLAB_SUMMARY_BLOCKS } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { afterAllocationLock, toCleanup } from '../../vio/cleanup-path.js'
import { LockKind, ZoneJournalLocks } from '../../vio/journal-locks.js'
import { Mark } from '../../vio/marks.js'
import {
  AdminCommand,
  BioOp,
  FrontOp,
  hop,
  JournalOp,
  LogicalOp,
  PhysicalOp,
  RepairOp,
  RepairStep,
} from '../../vio/opcodes.js'
import { IoFlag, IoKind, MappingState } from '../../vio/vio-table.js'
import {
  afterAllocation,
  afterDecrement,
  afterDuplicateLock,
  afterDuplicateUnlock,
  afterIncrement,
  afterTreeIncrement,
  afterWrite,
  mayAcknowledge,
  toPlainWrite,
} from '../../vio/write-path.js'
import { enterReadOnly, phaseDone, type ZoneContext } from '../../vio/zone-context.js'
import { Allocator } from './allocator.js'
import { DirtyJournals } from './dirty-journals.js'
import { MetadataVios, VioUse } from './metadata-vios.js'
import { NO_LOCK, PbnLockKind, PbnLocks } from './pbn-locks.js'
import { Rebuilder, type RebuildKeeper } from './rebuilder.js'
import { Replayer } from './replayer.js'
import { Scrubber, type ScrubberKeeper } from './scrubber.js'
import { Slab } from './slab.js'
import { commitTailsUpTo } from './slab-journal.js'
import { combineSummary, resetSummary, SlabSummary, SUMMARY_VIOS, SummaryUser } from './slab-summary.js'

enum ZoneState {
  /** Not loaded: a volume that is read-only from the start stays so. */
  New = 0,
  Loading = 1,
  Normal = 2,
  Suspending = 3,
  Saving = 4,
  Suspended = 5,
  Saved = 6,
  /** Before the load: slab journals get what a crash kept from them. */
  Recovering = 7,
  /** Before the load: counts are made anew. */
  Rebuilding = 8,
}

/** The steps of a repair that physical zones take part in. */
type PhysicalRepairStep =
  | RepairStep.Recover
  | RepairStep.ReplaySlabs
  | RepairStep.Forget
  | RepairStep.SaveCounts

export class PhysicalZone implements Zone, ScrubberKeeper, RebuildKeeper {
  readonly locks: PbnLocks
  readonly vios: MetadataVios
  readonly summary: SlabSummary
  readonly journalLocks: ZoneJournalLocks
  readonly dirtyJournals: DirtyJournals
  readonly entries: WaitQueues
  isReadOnly = false

  private state = ZoneState.New
  private readonly slabs: Slab[] = []
  private readonly allocator: Allocator
  private readonly scrubber: Scrubber
  private readonly replayer: Replayer
  private readonly rebuilder: Rebuilder
  /** By data vio: whether it waits, for a slab or with an entry, on behalf of a tree page. */
  private readonly isForTree: Uint8Array
  /** Vios that found no block and wait for the scrubber: one queue. */
  private readonly allocationWaiters: WaitQueues
  /** Slabs that a drain waits for. */
  private draining = 0

  private readonly retryAllocation = (row: number): void => {
    const vio = row as VioIndex
    const { vios } = this.context
    vios.allocationTries[vio] = 0
    vios.allocationWaits[vio] = 0
    if (this.isForTree[vio] === 1) this.allocateTree(vio)
    else this.allocate(vio)
  }

  constructor(readonly context: ZoneContext) {
    const { zone, volume, counts, shape, pools, placement } = context
    assert(shape.maximumReferences > 1, 'a block may be shared')
    assert(
      shape.maximumReferences >= shape.packerSlots,
      'a packed block can be referenced by all its members',
    )
    const slabCount = Math.ceil((volume.slabCount - zone) / counts.physical)
    assert(slabCount > 0, 'every physical zone has a slab')
    const pool = pools.physical[zone]
    assert(pool.count >= SUMMARY_VIOS + 2, 'there are vios for the summary and for slabs')

    this.locks = new PbnLocks(context.pbnLocks, zone * shape.pbnLocks, shape.pbnLocks)
    const slabVios = { first: (pool.first + SUMMARY_VIOS) as VioIndex, count: pool.count - SUMMARY_VIOS }
    this.vios = new MetadataVios(slabVios, slabCount, (slab, use, vio) => this.vioGranted(slab, use, vio))
    this.summary = new SlabSummary(
      context,
      pool.first,
      slabCount,
      () => this.isReadOnly,
      (slab, user, ok) => this.summaryDone(slab, user, ok),
    )
    this.journalLocks = new ZoneJournalLocks(context.journalLocks, LockKind.Physical, () =>
      context.post.send(hop(JournalOp.LocksReleased, 0), 0),
    )
    this.dirtyJournals = new DirtyJournals(slabCount)
    this.entries = WaitQueues.create(new Int32Array(shape.dataVios * 2), slabCount)
    this.isForTree = new Uint8Array(shape.dataVios)
    this.allocationWaiters = WaitQueues.create(context.vios.waiterNext, 1)
    for (let local = 0; local < slabCount; local++) {
      const number = zone + local * counts.physical
      this.slabs.push(new Slab(this, number, local, pbn(volume.depotOrigin + number * volume.slabBlocks)))
    }
    assert(placement.volume === volume, 'placement is that of the volume')
    this.allocator = new Allocator(context, this.slabs, slabCount)
    this.scrubber = new Scrubber(this, this.slabs)
    this.replayer = new Replayer(this)
    this.rebuilder = new Rebuilder(this, this.slabs)
  }

  receive(op: PhysicalOp, operand: number): void {
    const vio = operand as VioIndex
    switch (op) {
      case PhysicalOp.Allocate:
        return this.allocate(vio)
      case PhysicalOp.AllocateTree:
        return this.allocateTree(vio)
      case PhysicalOp.Increment:
        return this.increment(vio)
      case PhysicalOp.Decrement:
        return this.journalEntry(this.slabOf(this.context.vios.mappedPbn[vio]), vio * 2 + 1)
      case PhysicalOp.IncrementTree:
        this.isForTree[vio] = 1
        return this.journalEntry(this.slabOf(this.context.vios.newPbn[vio]), vio * 2)
      case PhysicalOp.LockDuplicate:
        return this.lockDuplicate(vio)
      case PhysicalOp.UnlockDuplicate:
        return this.unlockDuplicate(vio)
      case PhysicalOp.SharePacked:
        return this.sharePacked(vio)
      case PhysicalOp.ReleaseAllocation:
        return this.releaseAllocation(vio)
      case PhysicalOp.CommitTails:
        return this.commitTails()
      case PhysicalOp.SlabJournalRead:
        return this.scrubber.journalRead(vio)
      case PhysicalOp.SlabJournalWritten:
        return this.slabs[this.vios.slabOf(vio)].journal.written(vio)
      case PhysicalOp.SlabJournalFlushed:
        return this.slabs[this.vios.slabOf(vio)].journal.flushed(vio)
      case PhysicalOp.ReferencesRead:
        return this.scrubber.referencesRead(vio)
      case PhysicalOp.ReferencesWritten:
        return this.slabs[this.vios.slabOf(vio)].counts.written(vio)
      case PhysicalOp.SummaryRead:
        return this.summaryRead(vio)
      case PhysicalOp.SummaryWritten:
        return this.summaryWritten(vio)
      case PhysicalOp.Administer:
        return this.administer(operand)
      case PhysicalOp.EnterReadOnly:
        return this.goReadOnly()
      case PhysicalOp.ReplayEntries:
        assert(this.state === ZoneState.Recovering, 'entries are replayed before the load')
        return this.replayer.take(vio)
      case PhysicalOp.CountPage:
        return this.countPage(vio)
      case PhysicalOp.SlabJournalErased:
        return this.rebuilder.erased(vio)
      default:
        unreachable('a physical zone knows its opcodes', op)
    }
  }

  // Allocation

  private allocate(vio: VioIndex): void {
    const { context } = this
    const { vios, post, placement } = context
    if (this.isReadOnly || this.state !== ZoneState.Normal) vios.fail(vio, Status.ReadOnly)
    if (vios.status[vio] !== Status.Success) {
      post.send(toCleanup(vios, placement, vio), vio)
      return
    }
    if (this.takeBlock(vio, PbnLockKind.Write)) {
      Atomics.store(vios.allocationSucceeded, vio, 1)
      if (mayAcknowledge(vios, vio)) {
        vios.acknowledged[vio] = 1
        post.send(hop(FrontOp.Acknowledge, 0), vio)
      }
      post.send(afterAllocation(placement, vio), vio)
    } else if (!this.tryElsewhere(vio, PhysicalOp.Allocate)) {
      // It may be a duplicate: named and looked up all the same, but not acknowledged.
      post.send(afterAllocation(placement, vio), vio)
    }
  }

  private allocateTree(vio: VioIndex): void {
    const { vios, post, placement } = this.context
    if (this.isReadOnly || this.state !== ZoneState.Normal) vios.fail(vio, Status.ReadOnly)
    if (vios.status[vio] === Status.Success && !this.takeBlock(vio, PbnLockKind.MapWrite)) {
      if (this.tryElsewhere(vio, PhysicalOp.AllocateTree)) return
      vios.fail(vio, Status.NoSpace)
    }
    post.send(hop(LogicalOp.TreeAllocated, placement.logicalZone(vios.lbn[vio])), vio)
  }

  private takeBlock(vio: VioIndex, kind: PbnLockKind.Write | PbnLockKind.MapWrite): boolean {
    const { vios } = this.context
    assert(vios.allocatedPbn[vio] === ZERO_BLOCK, 'a vio holds one block at a time')
    const block = this.allocator.allocate()
    if (block === ZERO_BLOCK) return false
    vios.allocatedPbn[vio] = block
    vios.allocationLock[vio] = this.locks.row(this.locks.openWrite(block, kind))
    return true
  }

  /**
   * This zone has nothing: on to the next, and when all were tried a second time round, now waiting in each zone
   * whose scrubber may yet find something. False when there is no hope left.
   */
  private tryElsewhere(vio: VioIndex, op: PhysicalOp.Allocate | PhysicalOp.AllocateTree): boolean {
    const { vios, counts, post, zone, counters } = this.context
    vios.allocationTries[vio]++
    if (vios.allocationWaits[vio] === 0 && vios.allocationTries[vio] >= counts.physical) {
      vios.allocationWaits[vio] = 1
      vios.allocationTries[vio] = 1
    }
    if (vios.allocationWaits[vio] === 1) {
      if (this.scrubber.isWorking) {
        counters[Mark.AllocationAwaitsScrubber]++
        this.isForTree[vio] = op === PhysicalOp.AllocateTree ? 1 : 0
        this.allocationWaiters.push(0, vio)
        return true
      }
      // The zone where the second round began counts as its first.
      if (vios.allocationTries[vio] >= counts.physical) return false
    }
    post.send(hop(op, (zone + 1) % counts.physical), vio)
    return true
  }

  private releaseAllocation(vio: VioIndex): void {
    const { vios, post, placement } = this.context
    this.releaseLock(vios.allocatedPbn[vio])
    vios.allocatedPbn[vio] = ZERO_BLOCK
    post.send(afterAllocationLock(vios, placement, vio), vio)
  }

  private releaseLock(block: Pbn): void {
    if (!this.locks.release(block)) return
    const slab = this.slabOf(block)
    slab.counts.releaseProvisional(block - slab.origin)
  }

  // Sharing

  private lockDuplicate(vio: VioIndex): void {
    const { vios, post } = this.context
    vios.duplicateLock[vio] = this.lockForReading(vios.duplicatePbn[vio])
    post.send(afterDuplicateLock(vios, vio), vio)
  }

  /** A share of a read lock on a block that advice points at: its row, or -1 if the block cannot be shared. */
  private lockForReading(block: Pbn): number {
    const { placement, counters } = this.context
    assert(placement.isDataBlock(block), 'advice names a data block')
    const slab = this.slabOf(block)
    const sbn = block - slab.origin
    if (!slab.isRebuilt || !slab.counts.isInMemory) {
      counters[Mark.AdviceWithoutCount]++
      return -1
    }
    const limit = slab.counts.available(sbn)
    if (limit === 0) {
      counters[Mark.AdviceOnFullBlock]++
      return -1
    }
    let lock = this.locks.find(block)
    if (lock === NO_LOCK) {
      const isFree = slab.counts.count(sbn) === 0
      if (isFree) {
        counters[Mark.AdviceOnFreeBlock]++
        slab.counts.makeProvisional(sbn)
      }
      lock = this.locks.openRead(block, limit, isFree)
    } else if (this.locks.kind(lock) !== PbnLockKind.Read) {
      // Whoever writes a block has not written it yet, for all we know.
      counters[Mark.AdviceOnBlockBeingWritten]++
      return -1
    } else {
      this.locks.share(lock)
    }
    return this.locks.row(lock)
  }

  private unlockDuplicate(vio: VioIndex): void {
    const { vios, post } = this.context
    const block = vios.duplicatePbn[vio]
    const lock = this.locks.find(block)
    assert(
      lock !== NO_LOCK && this.locks.row(lock) === vios.duplicateLock[vio],
      'a share is given back to the lock it is of',
    )
    this.releaseLock(block)
    vios.duplicateLock[vio] = -1
    post.send(afterDuplicateUnlock(vios, vio), vio)
  }

  /** A packed block is at rest: each member of the batch gets a share of its lock and a reference to come. */
  private sharePacked(agent: VioIndex): void {
    const { vios, post, placement, shape, counters } = this.context
    const isWritten = vios.status[agent] === Status.Success
    const block = vios.allocatedPbn[agent]
    const lock = this.locks.find(block)
    assert(lock !== NO_LOCK, 'the agent holds the lock of the packed block')
    if (isWritten) this.locks.downgrade(lock, shape.maximumReferences)
    else counters[Mark.PackedWriteFails]++
    // Clients first: the agent's own share keeps the lock while they get theirs.
    let client = vios.packedNext[agent]
    while (client !== NO_VIO) {
      const next: VioIndex = vios.packedNext[client]
      if (isWritten) {
        this.locks.share(lock)
        this.pointAtPacked(client, block, lock)
        post.send(afterWrite(vios, placement, client), client)
      } else {
        vios.status[client] = Status.Success
        post.send(toPlainWrite(vios, placement, client), client)
      }
      client = next
    }
    if (isWritten) {
      this.pointAtPacked(agent, block, lock)
      vios.allocatedPbn[agent] = ZERO_BLOCK
      post.send(afterWrite(vios, placement, agent), agent)
    } else {
      vios.status[agent] = Status.Success
      post.send(toPlainWrite(vios, placement, agent), agent)
    }
  }

  private pointAtPacked(vio: VioIndex, block: Pbn, lock: number): void {
    const { vios } = this.context
    const isClaimed = this.locks.claim(lock)
    assert(isClaimed, 'a packed block has references for all its members')
    vios.newPbn[vio] = block
    vios.newState[vio] = MappingState.CompressedBase + vios.packedSlot[vio]
    vios.duplicatePbn[vio] = block
    vios.duplicateState[vio] = vios.newState[vio]
    vios.duplicateLock[vio] = this.locks.row(lock)
  }

  // Counting

  private increment(vio: VioIndex): void {
    const { vios, shape } = this.context
    const block = vios.newPbn[vio]
    if (vios.allocatedPbn[vio] === block) {
      // The vio's own reference is one; duplicates may claim the others.
      const lock = this.locks.find(block)
      assert(lock !== NO_LOCK, 'an allocated block is locked')
      this.locks.downgrade(lock, shape.maximumReferences - 1)
    }
    this.isForTree[vio] = 0
    this.journalEntry(this.slabOf(block), vio * 2)
  }

  /** The journal may have asked before it was drained itself; it asks again when it is resumed. */
  private commitTails(): void {
    const { boards, counters } = this.context
    if (this.isNormal) commitTailsUpTo(this, this.slabs, boards.wantedLock)
    else counters[Mark.CommitAskedAtRest]++
  }

  private journalEntry(slab: Slab, row: number): void {
    this.entries.push(slab.local, row)
    slab.journal.addEntries()
  }

  isTreeEntry(row: number): boolean {
    return (row & 1) === 0 && this.isForTree[row >> 1] === 1
  }

  entryDone(row: number, status: Status): void {
    const { vios, post, placement } = this.context
    const vio = (row >> 1) as VioIndex
    if ((row & 1) === 1) {
      vios.decrementStatus[vio] = status
      post.send(afterDecrement(vios, placement, vio), vio)
      return
    }
    vios.fail(vio, status)
    if (this.isForTree[vio] === 1) {
      this.isForTree[vio] = 0
      this.releaseLock(vios.newPbn[vio])
      post.send(afterTreeIncrement(vios, placement, vio), vio)
    } else {
      post.send(afterIncrement(vios, placement, vio), vio)
    }
  }

  // What slabs tell

  get isNormal(): boolean {
    return this.state === ZoneState.Normal
  }

  get isFull(): boolean {
    return this.allocator.isEmpty
  }

  freeChanged(slab: Slab, delta: number): void {
    if (slab.isRebuilt && this.state !== ZoneState.Rebuilding) this.allocator.freeChanged(slab, delta)
  }

  roomMade(): void {
    if (this.state === ZoneState.Recovering) this.replayer.goOn()
  }

  promote(slab: Slab): void {
    this.scrubber.promote(slab)
  }

  slabReady(slab: Slab): void {
    this.allocator.add(slab)
  }

  slabScrubbed(): void {
    this.allocationWaiters.notifyAll(0, this.retryAllocation)
  }

  settled(slab: Slab): void {
    if (this.scrubber.current === slab) this.scrubber.check()
    if (slab.isDraining) this.drain(slab)
  }

  fail(status: Status): void {
    enterReadOnly(this.context, status)
    this.isReadOnly = true
  }

  ownSlab(block: Pbn): Slab | null {
    const { placement, counts, zone } = this.context
    const number = placement.slab(block)
    return number % counts.physical === zone ? this.slabs[(number - zone) / counts.physical] : null
  }

  replayed(vio: VioIndex): void {
    const { vios, counts, post, zone } = this.context
    if (this.isReadOnly) vios.fail(vio, Status.ReadOnly)
    const next = zone + 1
    if (next < counts.physical) post.send(hop(PhysicalOp.ReplayEntries, next), vio)
    else post.send(hop(RepairOp.EntriesReplayed, 0), vio)
  }

  private slabOf(block: Pbn): Slab {
    const slab = this.ownSlab(block)
    assert(slab !== null, 'a block is dealt with in its own zone')
    return slab
  }

  private vioGranted(local: number, use: VioUse, vio: VioIndex): void {
    assert(
      this.state !== ZoneState.Suspended && this.state !== ZoneState.Saved,
      'nothing is read or written while the zone is quiet',
    )
    const slab = this.slabs[local]
    switch (use) {
      case VioUse.Commit:
        return slab.journal.commitGranted(vio)
      case VioUse.Reap:
        return slab.journal.reapGranted(vio)
      case VioUse.Reference:
        return slab.counts.granted(vio)
      case VioUse.Scrub:
        return this.scrubber.granted(slab, vio)
      case VioUse.Erase:
        return this.rebuilder.granted(vio)
      default:
        unreachable('a vio is granted for a use', use)
    }
  }

  private summaryDone(local: number, user: SummaryUser, ok: boolean): void {
    if (user === SummaryUser.Journal) this.slabs[local].journal.summaryDone(ok)
    else this.slabs[local].counts.summaryDone(ok)
  }

  // Administration

  private administer(command: AdminCommand | PhysicalRepairStep): void {
    switch (command) {
      case AdminCommand.Load:
        return this.load()
      case RepairStep.Recover:
        this.state = ZoneState.Recovering
        return this.readSummary()
      case RepairStep.ReplaySlabs:
        return this.drainSlabs()
      case RepairStep.Forget:
        this.state = ZoneState.Rebuilding
        return this.readSummary()
      case RepairStep.SaveCounts:
        this.rebuilder.finish()
        return this.drainSlabs()
      case AdminCommand.Suspend:
        return this.quiesce(ZoneState.Suspending)
      case AdminCommand.Save:
        return this.quiesce(ZoneState.Saving)
      case AdminCommand.Resume:
        return this.resume()
      default:
        unreachable('a physical zone knows its commands', command)
    }
  }

  private load(): void {
    const isNew = this.state === ZoneState.New
    assert(isNew || this.isRepairing, 'a zone is loaded once')
    this.state = ZoneState.Loading
    if (isNew) this.readSummary()
    else this.scrubber.start()
  }

  /** Zone 0 prepares the summary for all: reads it, or invents it for a new volume, and writes every copy. */
  private readSummary(): void {
    const { context } = this
    if (context.zone !== 0) {
      this.findTails()
    } else if (context.volume.isNew || this.state === ZoneState.Rebuilding) {
      resetSummary(context)
      this.moveSummary(BioOp.Write, PhysicalOp.SummaryWritten)
    } else {
      this.moveSummary(BioOp.Read, PhysicalOp.SummaryRead)
    }
  }

  private summaryRead(vio: VioIndex): void {
    const status = this.context.vios.status[vio]
    if (status !== Status.Success) {
      this.loadFailed(status)
    } else if (this.isReadOnly) {
      this.tailsFound(Status.ReadOnly)
    } else {
      combineSummary(this.context)
      this.moveSummary(BioOp.Write, PhysicalOp.SummaryWritten)
    }
  }

  private summaryWritten(vio: VioIndex): void {
    if (this.context.vios.ioBlocks[vio] === 1) {
      this.summary.written(vio)
      return
    }
    const status = this.context.vios.status[vio]
    if (status !== Status.Success) this.loadFailed(status)
    else this.findTails()
  }

  private findTails(): void {
    if (this.state === ZoneState.Rebuilding) this.rebuilder.erase()
    else this.scrubber.findTails()
  }

  erased(): void {
    phaseDone(this.context, this.isReadOnly ? Status.ReadOnly : Status.Success)
  }

  /** The last zone begins, so that the first one sends the page home. */
  private countPage(vio: VioIndex): void {
    const { post, zone } = this.context
    assert(this.state === ZoneState.Rebuilding, 'blocks are counted before the load')
    this.rebuilder.count(vio)
    if (zone > 0) post.send(hop(PhysicalOp.CountPage, zone - 1), vio)
    else post.send(hop(RepairOp.PageCounted, 0), vio)
  }

  tailsFound(status: Status): void {
    if (this.isRepairing) phaseDone(this.context, status)
    else if (status === Status.Success) this.scrubber.start()
    else this.online(status)
  }

  /** All 64 blocks at once, to or from the working copies. */
  private moveSummary(io: BioOp.Read | BioOp.Write, back: PhysicalOp): void {
    const { vios, pools, zone, placement, volume, boards, post } = this.context
    const vio = pools.physical[zone].first
    const flags = io === BioOp.Write ? IoFlag.Preflush : 0
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Metadata, pbn(volume.summaryOrigin), boards.summaryAt, flags, hop(back, zone))
    vios.ioBlocks[vio] = SLAB_SUMMARY_BLOCKS
    post.send(hop(io, io === BioOp.Write ? placement.writer : placement.reader(vio)), vio)
  }

  private loadFailed(status: Status): void {
    this.fail(status)
    this.tailsFound(status)
  }

  online(status: Status): void {
    assert(this.state === ZoneState.Loading, 'a zone goes online when it is loaded')
    this.state = ZoneState.Normal
    phaseDone(this.context, status)
  }

  private quiesce(state: ZoneState.Suspending | ZoneState.Saving): void {
    const isDone =
      this.state === ZoneState.New ||
      this.state === ZoneState.Saved ||
      (this.state === ZoneState.Suspended && state === ZoneState.Suspending)
    if (isDone) {
      phaseDone(this.context, Status.Success)
      return
    }
    const isResting = this.state === ZoneState.Normal || this.state === ZoneState.Suspended
    // A repair that failed leaves a zone as it was then.
    const isLeft = this.isRepairing && this.isReadOnly
    assert(isResting || isLeft, 'a zone drains when it does nothing else')
    this.state = state
    if (this.scrubber.stop()) this.scrubberStopped()
  }

  scrubberStopped(): void {
    assert(this.locks.size === 0 || this.isReadOnly, 'no block is locked when nothing is in flight')
    this.drainSlabs()
  }

  /** Has every slab write what it is to write in this state. */
  private drainSlabs(): void {
    this.draining = 1
    for (const slab of this.slabs) {
      slab.isDraining = true
      this.draining++
    }
    for (const slab of this.slabs) if (slab.isDraining) this.drain(slab)
    this.drained()
  }

  private drain(slab: Slab): void {
    const saves = this.state === ZoneState.Saving || this.state === ZoneState.Rebuilding
    const withCounts = saves && slab.isRebuilt && slab.counts.isInMemory
    const isDone = this.state === ZoneState.Suspending ? slab.isQuiet : slab.saveStep(withCounts)
    if (!isDone || !slab.isDraining) return
    slab.isDraining = false
    this.drained()
  }

  /** The load is yet to come. */
  private get isRepairing(): boolean {
    return this.state === ZoneState.Recovering || this.state === ZoneState.Rebuilding
  }

  private drained(): void {
    if (--this.draining > 0) return
    assert(this.isReadOnly || this.summary.isIdle, 'a drained zone has no summary to write')
    assert(
      this.isReadOnly || this.isRepairing || this.allocator.isCounted,
      'each free block is counted as free',
    )
    if (this.state === ZoneState.Saving) this.state = ZoneState.Saved
    else if (this.state === ZoneState.Suspending) this.state = ZoneState.Suspended
    phaseDone(this.context, this.isReadOnly ? Status.ReadOnly : Status.Success)
  }

  private resume(): void {
    const wasSaved = this.state === ZoneState.Saved
    if (wasSaved || this.state === ZoneState.Suspended) {
      this.state = ZoneState.Normal
      for (const slab of this.slabs) {
        // After a save everything is in the counters: the journals start again.
        if (wasSaved && slab.isRebuilt && !this.isReadOnly) slab.journal.reopen()
        else slab.journal.reap()
      }
      this.scrubber.resume()
    }
    phaseDone(this.context, Status.Success)
  }

  private goReadOnly(): void {
    this.isReadOnly = true
    this.scrubber.abandonIfReadOnly()
    for (const slab of this.slabs) slab.journal.addEntries()
    this.roomMade()
    this.allocationWaiters.notifyAll(0, this.retryAllocation)
    for (const slab of this.slabs) if (slab.isDraining) this.drain(slab)
  }
}
