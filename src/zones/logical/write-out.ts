/**
 * Writes pages of the map out, leaves and interior pages alike, in batches: all pages that have expired wait for one
 * storage flush, which makes stable what their changes rest on, and are then written side by side while the next
 * batch forms. Leaves are written from the cache, where they stand still meanwhile; an interior page is written
 * from a snapshot, and one that changes between the flush and its snapshot waits for another flush.
 *
 * The first write of a page happens twice, the first time as uninitialized; a flush lies between the two.
 *
 * A row below `cache.pages` is a page of the cache, the others are rows of the forest. Owned by one logical zone.
 */
import { type Pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { NO_ENTRY } from '../../base/intrusive-list.js'
import { Status } from '../../base/status.js'
import { isPageInitialized, setPageInitialized } from '../../format/block-map-page.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, type Hop, hop, LogicalOp } from '../../vio/opcodes.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import type { DirtyLists } from './dirty-lists.js'
import type { Forest } from './forest.js'
import type { MapVios } from './map-vios.js'
import type { PageCache, PageUser } from './page-cache.js'

export class WriteOut {
  private flushing = false
  private readOnly = false
  private readonly afterFlush: Hop
  private readonly afterLeaf: Hop
  private readonly afterTree: Hop

  constructor(
    private readonly context: ZoneContext,
    private readonly dirtyLists: DirtyLists,
    private readonly cache: PageCache,
    private readonly forest: Forest,
    private readonly mapVios: MapVios,
    private readonly user: PageUser,
  ) {
    const { zone } = context
    this.afterFlush = hop(LogicalOp.FlushIssued, zone)
    this.afterLeaf = hop(LogicalOp.PageWritten, zone)
    this.afterTree = hop(LogicalOp.TreePageWritten, zone)
  }

  /** No flush and no write is under way, and no page waits for either in a batch. */
  get isIdle(): boolean {
    return !this.flushing && this.dirtyLists.writesInFlight === 0 && !this.dirtyLists.hasReady
  }

  /** Asks for a flush if pages wait for one and none is under way. */
  startBatch(): void {
    if (this.flushing || this.readOnly) return
    let row = this.dirtyLists.firstExpired()
    if (row === NO_ENTRY) return
    for (; row !== NO_ENTRY; row = this.dirtyLists.firstExpired()) {
      this.dirtyLists.flushFor(row)
      if (row < this.cache.pages) this.cache.setOutgoing(row)
    }
    const { vios, placement, post, counters } = this.context
    const vio = this.mapVios.flusher
    this.flushing = true
    counters[Counter.BlockMapFlushCount]++
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.PageCache, ZERO_BLOCK, 0, 0, this.afterFlush)
    post.send(hop(BioOp.Flush, placement.writer), vio)
  }

  flushDone(): void {
    const { vios } = this.context
    this.flushing = false
    const status = vios.status[this.mapVios.flusher]
    if (status !== Status.Success) this.user.fatal(status)
    else this.dirtyLists.flushed()
    if (this.readOnly) this.fallBack()
  }

  /** Starts one write if a page is ready and a vio is free. */
  startWrite(): boolean {
    if (this.readOnly || !this.mapVios.hasFree) return false
    const row = this.dirtyLists.firstReady()
    if (row === NO_ENTRY) return false
    const vio = this.mapVios.take(row)
    this.dirtyLists.writeStarted(row)
    if (row < this.cache.pages) {
      this.write(vio, this.cache.place(row), this.cache.at(row), 0, this.afterLeaf)
    } else {
      const { vios } = this.context
      const page = row - this.cache.pages
      this.forest.snapshot(page, vios.bufferAt(vio))
      this.write(vio, this.forest.pagePbn(page), vios.bufferAt(vio), 0, this.afterTree)
    }
    return true
  }

  written(vio: VioIndex): void {
    const { vios, arena, counters } = this.context
    const row = this.mapVios.subject(vio)
    if (vios.status[vio] !== Status.Success) {
      counters[Counter.BlockMapFailedWrites]++
      this.user.fatal(vios.status[vio])
      return this.giveUp(vio, row)
    }
    const at = vios.ioAt[vio]
    if (!isPageInitialized(arena, at)) {
      // What is on disk so far stands for an empty page.
      if (this.readOnly) {
        counters[Mark.SecondWriteDropped]++
        return this.giveUp(vio, row)
      }
      counters[Mark.PageWrittenTwice]++
      setPageInitialized(arena, at, true)
      if (row >= this.cache.pages) {
        const page = row - this.cache.pages
        setPageInitialized(this.forest.bytes(page), this.forest.at(page), true)
      }
      return this.write(vio, vios.ioPbn[vio], at, IoFlag.Preflush, vios.returnTo[vio])
    }
    this.mapVios.give(vio)
    this.dirtyLists.writeDone(row)
    if (row < this.cache.pages) this.cache.written(row)
  }

  /** Nothing more is written; what is under way ends. */
  enterReadOnly(): void {
    this.readOnly = true
    if (!this.flushing) this.fallBack()
  }

  /** A page is not on the disk, and will not be. */
  private giveUp(vio: VioIndex, row: number): void {
    this.mapVios.give(vio)
    this.dirtyLists.writeFailed(row)
    if (row < this.cache.pages) this.cache.notWritten(row)
  }

  private write(vio: VioIndex, place: Pbn, at: number, flags: number, returnTo: Hop): void {
    const { vios, placement, post } = this.context
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.PageCache, place, at, flags, returnTo)
    post.send(hop(BioOp.Write, placement.writer), vio)
  }

  /** Pages that were to be written stay dirty instead. */
  private fallBack(): void {
    this.dirtyLists.fallBack()
    this.cache.keepDirty()
  }
}
