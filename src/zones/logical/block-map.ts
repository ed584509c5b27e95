/**
 * Finds the leaf page and slot of an lbn: down the tree from the lowest page in memory, reading interior pages that
 * are not, and allocating those that do not exist. Reads and discards allocate nothing: for them a missing page
 * means that there is no leaf.
 *
 * Whoever reads or allocates a page holds its page lock; others that need the page wait for the holder and go on
 * with what it found. A new page is journaled and counted like data before its parent names it:
 *
 * ```
 * allocate (physical) ► journal ► count 254 (physical) ► write the parent's entry, here
 * ```
 *
 * Owned by one logical zone. A vio is at one height at a time; while it holds a page lock its columns for
 * allocation and mapping serve the page.
 */
import { assert } from '../../base/assert.js'
import { NO_VIO, type Pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { IntMap, NONE } from '../../base/int-map.js'
import { Status } from '../../base/status.js'
import { NO_WAITER, WaitQueues } from '../../base/wait-queue.js'
import { readEntryPbn, readEntryState, writeEntry } from '../../format/block-map-page.js'
import { ENTRIES_PER_PAGE } from '../../format/constants.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, type Hop, hop, LogicalOp, PhysicalOp } from '../../vio/opcodes.js'
import { IoKind, MappingState, VioFlag } from '../../vio/vio-table.js'
import { treeToJournal } from '../../vio/write-path.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import { type Forest, ROOT_HEIGHT } from './forest.js'
import type { MapVios } from './map-vios.js'

/** Whom the search tells. */
export interface SlotSeeker {
  /** The leaf page of the vio's lbn; ZERO_BLOCK if there is none and the vio does not need one. */
  leafFound(vio: VioIndex, leaf: Pbn): void
  /** The status is in the vio's column. */
  leafFailed(vio: VioIndex): void
  /** An interior page contains the change of this vio's journal entry. */
  treeTouched(row: number, vio: VioIndex): void
  /** The physical zone in which to look for a block. */
  allocationZone(): number
  fatal(status: Status): void
}

export class BlockMap {
  /** From a missing page to the vio that brings it. */
  private readonly locks: IntMap
  private readonly waiters: WaitQueues
  /** Page locks whose read waits for a metadata vio. */
  private readonly toRead: WaitQueues
  /** The height of the page that a vio brings or waits for; where it will be read from. */
  private readonly heights: Uint8Array
  private readonly places: Float64Array
  private searches = 0
  private readonly afterRead: Hop

  private wakeStatus = Status.Success
  private foundLeaf = ZERO_BLOCK
  private readonly wake = (row: number): void => {
    const vio = row as VioIndex
    if (this.wakeStatus === Status.Success) return this.goOn(vio, this.foundLeaf)
    const isOwn = this.wakeStatus === Status.NoSpace || this.context.vios.isRead(vio)
    assert(this.wakeStatus !== Status.NoSpace || !this.needsNoLeaf(vio), 'who waits for a new page wants one')
    this.fail(vio, isOwn ? this.wakeStatus : Status.ReadOnly)
  }

  constructor(
    private readonly context: ZoneContext,
    private readonly forest: Forest,
    private readonly mapVios: MapVios,
    private readonly seeker: SlotSeeker,
  ) {
    const { vios, shape, zone } = context
    this.locks = new IntMap(shape.dataVios)
    this.waiters = WaitQueues.create(vios.waiterNext, shape.dataVios)
    this.toRead = WaitQueues.create(vios.waiterNext, 1)
    this.heights = new Uint8Array(shape.dataVios)
    this.places = new Float64Array(shape.dataVios)
    this.afterRead = hop(LogicalOp.TreePageRead, zone)
  }

  /** No vio looks for its slot. */
  get isIdle(): boolean {
    return this.searches === 0
  }

  /** Looks for the leaf of the vio's lbn. */
  seek(vio: VioIndex): void {
    const { vios } = this.context
    const lbn = vios.lbn[vio]
    this.searches++
    for (let height = 1; height <= ROOT_HEIGHT; height++) {
      if (this.forest.isLoaded(this.forest.row(lbn, height))) return this.descend(vio, height)
    }
    this.bring(vio, ROOT_HEIGHT, this.forest.rootPbn(this.forest.rootOf(lbn)))
  }

  /** Starts the read of one page if one is wanted and a vio is free. */
  startRead(): boolean {
    if (this.toRead.isEmpty(0) || !this.mapVios.hasFree) return false
    const { vios, placement, post } = this.context
    const holder = this.toRead.shift(0)
    const vio = this.mapVios.take(holder)
    assert(holder !== NO_WAITER && vio !== NO_VIO, 'a read has a holder and a vio')
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.PageCache, this.places[holder] as Pbn, vios.bufferAt(vio), 0, this.afterRead)
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
    return true
  }

  /** A page was read to the buffer of a metadata vio. */
  pageRead(vio: VioIndex): void {
    const { vios, counters } = this.context
    const holder = this.mapVios.subject(vio) as VioIndex
    const status = vios.status[vio]
    if (status === Status.Success) {
      const row = this.forest.row(vios.lbn[holder], this.heights[holder])
      this.forest.adopt(row, vios.ioPbn[vio], vios.bufferAt(vio))
    } else {
      counters[Counter.BlockMapFailedReads]++
      this.seeker.fatal(status)
    }
    this.mapVios.give(vio)
    this.settle(holder, status, ZERO_BLOCK)
  }

  /** A block for a new page is there, or not. */
  allocated(vio: VioIndex): void {
    const { vios, post, counters } = this.context
    const status = vios.status[vio]
    if (status !== Status.Success) {
      if (status === Status.NoSpace) counters[Mark.NoBlockForTreePage]++
      else this.seeker.fatal(status)
      return this.settle(vio, status, ZERO_BLOCK)
    }
    const lbn = vios.lbn[vio]
    const child = this.heights[vio]
    vios.newPbn[vio] = vios.allocatedPbn[vio]
    vios.newState[vio] = MappingState.Uncompressed
    vios.mappedPbn[vio] = ZERO_BLOCK
    vios.mappedState[vio] = MappingState.Unmapped
    vios.pagePbn[vio] = this.forest.pagePbn(this.forest.row(lbn, child + 1))
    vios.pageSlot[vio] = this.forest.index(lbn, child) % ENTRIES_PER_PAGE
    vios.journalSequence[vio] = 0
    post.send(treeToJournal, vio)
  }

  /** The new page is journaled and counted, or not. */
  counted(vio: VioIndex): void {
    const { vios, journalLocks, counters } = this.context
    const status = vios.status[vio]
    const sequence = vios.journalSequence[vio]
    // What was journaled is no longer the vio's to give back.
    if (sequence !== 0) vios.allocatedPbn[vio] = ZERO_BLOCK
    if (status !== Status.Success) {
      if (sequence !== 0) {
        counters[Mark.TreePageUncounted]++
        journalLocks.entryTaken(sequence)
      }
      this.seeker.fatal(status)
      return this.settle(vio, status, ZERO_BLOCK)
    }
    assert(sequence !== 0, 'a page that was counted was journaled')
    const lbn = vios.lbn[vio]
    const child = this.heights[vio]
    const place = vios.newPbn[vio]
    const parent = this.forest.row(lbn, child + 1)
    const slot = this.forest.index(lbn, child) % ENTRIES_PER_PAGE
    writeEntry(this.forest.bytes(parent), this.forest.at(parent), slot, place, MappingState.Uncompressed)
    this.seeker.treeTouched(parent, vio)
    journalLocks.entryTaken(sequence)
    counters[Mark.TreePagesAllocated]++
    if (child > 0) this.forest.create(this.forest.row(lbn, child), place)
    this.settle(vio, Status.Success, place)
  }

  private needsNoLeaf(vio: VioIndex): boolean {
    const { vios } = this.context
    return vios.isRead(vio) || vios.has(vio, VioFlag.Discard)
  }

  /** Down from a page in memory as far as memory goes. */
  private descend(vio: VioIndex, from: number): void {
    const { vios, placement } = this.context
    const lbn = vios.lbn[vio]
    for (let height = from; ; height--) {
      const row = this.forest.row(lbn, height)
      const bytes = this.forest.bytes(row)
      const at = this.forest.at(row)
      const slot = this.forest.index(lbn, height - 1) % ENTRIES_PER_PAGE
      const place = readEntryPbn(bytes, at, slot) as Pbn
      const state = readEntryState(bytes, at, slot)
      if (place === ZERO_BLOCK && state === MappingState.Unmapped) {
        if (this.needsNoLeaf(vio)) return this.found(vio, ZERO_BLOCK)
        return this.allocate(vio, height - 1)
      }
      if (state !== MappingState.Uncompressed || !placement.isDataBlock(place)) {
        this.seeker.fatal(Status.BadMapping)
        return this.fail(vio, Status.BadMapping)
      }
      if (height === 1) return this.found(vio, place)
      if (!this.forest.isLoaded(this.forest.row(lbn, height - 1))) return this.bring(vio, height - 1, place)
    }
  }

  /** Takes the lock of a missing page and has it read, or waits for whoever does. */
  private bring(vio: VioIndex, height: number, place: Pbn): void {
    if (!this.lock(vio, height)) return
    this.places[vio] = place
    this.toRead.push(0, vio)
  }

  private allocate(vio: VioIndex, height: number): void {
    if (!this.lock(vio, height)) return
    const { vios, post } = this.context
    const start = this.seeker.allocationZone()
    vios.allocationStart[vio] = start
    vios.allocationTries[vio] = 0
    vios.allocationWaits[vio] = 0
    post.send(hop(PhysicalOp.AllocateTree, start), vio)
  }

  private lock(vio: VioIndex, height: number): boolean {
    const key = this.key(vio, height)
    this.heights[vio] = height
    const holder = this.locks.get(key)
    if (holder === NONE) {
      this.locks.put(key, vio)
      return true
    }
    this.waiters.push(holder, vio)
    return false
  }

  private key(vio: VioIndex, height: number): number {
    const lbn = this.context.vios.lbn[vio]
    return height === 0 ? this.forest.rows + this.forest.leafNumber(lbn) : this.forest.row(lbn, height)
  }

  /** The holder of a page lock is done: those who wait go on before it, then it goes on, all from the same place. */
  private settle(holder: VioIndex, status: Status, leaf: Pbn): void {
    const removed = this.locks.remove(this.key(holder, this.heights[holder]))
    assert(removed === holder, 'a page lock has one holder')
    this.wakeStatus = status
    this.foundLeaf = leaf
    this.waiters.notifyAll(holder, this.wake)
    this.wakeStatus = status
    this.foundLeaf = leaf
    if (status === Status.Success) this.goOn(holder, leaf)
    else this.fail(holder, status)
  }

  private goOn(vio: VioIndex, leaf: Pbn): void {
    if (this.heights[vio] === 0) this.found(vio, leaf)
    else this.descend(vio, this.heights[vio])
  }

  private found(vio: VioIndex, leaf: Pbn): void {
    this.searches--
    this.seeker.leafFound(vio, leaf)
  }

  private fail(vio: VioIndex, status: Status): void {
    this.searches--
    this.context.vios.fail(vio, status)
    this.seeker.leafFailed(vio)
  }
}
