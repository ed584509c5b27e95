/**
 * The cache of leaf pages: one logical zone's share of the arena's pages. A page is used within one message, so
 * nothing is ever pinned between messages; whoever needs a page that is not there waits on a queue of the page, or,
 * when no page is free, for room.
 *
 * ```
 * Free ──► Incoming ──► Resident ◄──► Dirty
 *  ▲           │            ▲           │
 *  └─ Failed ◄─┘            └─ Outgoing ◄┘
 * ```
 *
 * - Incoming: a read is under way. Everyone waits.
 * - Outgoing: queued for, or in, write-out. Readers may look, writers wait, so the disk may be written from here.
 * - Only Resident and Dirty pages are on the list of least recent use, and only they are evicted: clean ones at
 *   once, dirty ones by way of a write.
 */
import { assert } from '../../base/assert.js'
import { FreeList, NONE_FREE } from '../../base/free-list.js'
import { type Pbn, pbn, type VioIndex } from '../../base/ids.js'
import { IntMap, NONE } from '../../base/int-map.js'
import { IntrusiveLists, NO_ENTRY } from '../../base/intrusive-list.js'
import { Status } from '../../base/status.js'
import { NO_WAITER, WaitQueues } from '../../base/wait-queue.js'
import { formatPage, judgePage, PageVerdict } from '../../format/block-map-page.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { isRebuild } from '../../vio/volume.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import type { DirtyLists } from './dirty-lists.js'

export enum PageState {
  Free = 0,
  Incoming = 1,
  Resident = 2,
  Dirty = 3,
  Outgoing = 4,
  Failed = 5,
}

/** The gauge that counts the pages in each state. */
const GAUGE: Readonly<Record<PageState, Counter>> = {
  [PageState.Free]: Counter.BlockMapFreePages,
  [PageState.Incoming]: Counter.BlockMapIncomingPages,
  [PageState.Resident]: Counter.BlockMapCleanPages,
  [PageState.Dirty]: Counter.BlockMapDirtyPages,
  [PageState.Outgoing]: Counter.BlockMapOutgoingPages,
  [PageState.Failed]: Counter.BlockMapFailedPages,
}

/** What `get` gives when there is no page to be had now: the vio waits, or writing is over. */
export const PAGE_WAITS = -1
export const PAGE_REFUSED = -2

/** Whom the cache tells. */
export interface PageUser {
  /** A vio that waited has its page, for as long as the call lasts. */
  pageReady(vio: VioIndex, page: number): void
  /** A vio that waited will not get its page. */
  pageFailed(vio: VioIndex, status: Status): void
  /** The volume must go read-only. */
  fatal(status: Status): void
}

/** Lists of pages. */
const LEAST_RECENT = 0
const TO_READ = 1

export class PageCache {
  readonly pages: number
  private readonly firstAt: number
  private readonly states: Uint8Array
  private readonly places: Float64Array
  private readonly byPbn: IntMap
  private readonly free: FreeList
  private readonly lists: IntrusiveLists
  /** Being written so that its room can be given to another. */
  private readonly evicted: Uint8Array
  private evictions = 0
  private reads = 0
  private writes = 0
  /** A queue for each page, and one for room. In that one each page number stands once: others follow its vio. */
  private readonly waiters: WaitQueues
  private readonly roomQueue: number
  private readonly followers: WaitQueues
  private readonly wanted: IntMap
  private readonly writable: Uint8Array
  private readOnly = false
  /** Until the cache is first used by clients a page that cannot be read counts as empty. */
  private isRebuilding: boolean
  /** Somebody waits for room and no page can be evicted. */
  private pressed = false

  private wakingPage = 0
  private wakeStatus = Status.Success
  private readonly wake = (row: number): void => {
    const vio = row as VioIndex
    if (this.wakeStatus !== Status.Success) this.user.pageFailed(vio, this.wakeStatus)
    else if (this.readOnly && this.writable[vio] !== 0) this.user.pageFailed(vio, Status.ReadOnly)
    else this.user.pageReady(vio, this.wakingPage)
  }

  constructor(
    private readonly context: ZoneContext,
    private readonly dirtyLists: DirtyLists,
    private readonly user: PageUser,
  ) {
    const { shape, counts, counters, vios, pools } = context
    const rows = shape.dataVios + pools.otherVios
    this.pages = cachePagesPerZone(shape.cachePages, counts.logical)
    assert(this.pages > 0, 'each logical zone has a page in the cache')
    this.firstAt = context.pagesAt + context.zone * this.pages * BLOCK_SIZE
    this.states = new Uint8Array(this.pages)
    this.places = new Float64Array(this.pages)
    this.byPbn = new IntMap(this.pages)
    this.free = new FreeList(this.pages)
    this.lists = new IntrusiveLists(this.pages, 2)
    this.evicted = new Uint8Array(this.pages)
    this.roomQueue = this.pages
    this.waiters = WaitQueues.create(vios.waiterNext, this.pages + 1)
    this.followers = WaitQueues.create(vios.waiterNext, rows)
    this.wanted = new IntMap(rows)
    this.writable = new Uint8Array(rows)
    counters[Counter.BlockMapFreePages] = this.pages
    this.isRebuilding = isRebuild(context.volume.load)
  }

  /** Arena offset of a page. */
  at(page: number): number {
    return this.firstAt + page * BLOCK_SIZE
  }

  place(page: number): Pbn {
    return pbn(this.places[page])
  }

  get hasReads(): boolean {
    return this.reads > 0
  }

  /** Finds the leaf page of a vio (its `pagePbn`): the page, PAGE_REFUSED, or PAGE_WAITS and the user is told later. */
  get(vio: VioIndex, writable: boolean): number {
    const { counters, vios } = this.context
    if (writable && this.readOnly) return PAGE_REFUSED
    counters[writable ? Counter.BlockMapWriteCount : Counter.BlockMapReadCount]++
    this.writable[vio] = writable ? 1 : 0
    const place = vios.pagePbn[vio]
    const page = this.byPbn.get(place)
    if (page !== NONE) {
      const state = this.states[page]
      if (state === PageState.Incoming || (state === PageState.Outgoing && writable)) {
        counters[Counter.BlockMapWaitForPage]++
        if (state === PageState.Outgoing) counters[Mark.OutgoingPageAwaited]++
        this.waiters.push(page, vio)
        return PAGE_WAITS
      }
      counters[Counter.BlockMapFoundInCache]++
      if (state === PageState.Outgoing) counters[Counter.BlockMapReadOutgoing]++
      else this.lists.moveToTail(LEAST_RECENT, page)
      return page
    }
    const first = this.wanted.get(place)
    if (first !== NONE) {
      counters[Counter.BlockMapDiscardRequired]++
      counters[Mark.RoomAwaitedTogether]++
      this.followers.push(first, vio)
      return PAGE_WAITS
    }
    const fresh = this.free.take()
    if (fresh !== NONE_FREE) {
      counters[Counter.BlockMapFetchRequired]++
      this.load(fresh, place)
      this.waiters.push(fresh, vio)
    } else {
      counters[Counter.BlockMapDiscardRequired]++
      this.wanted.put(place, vio)
      this.waiters.push(this.roomQueue, vio)
    }
    return PAGE_WAITS
  }

  /** The entry of a journal block changed a page that `get` gave, writable, within this message. */
  touched(page: number, sequence: number): void {
    assert(
      this.states[page] === PageState.Resident || this.states[page] === PageState.Dirty,
      'a page is changed only while nobody writes it out',
    )
    this.setState(page, PageState.Dirty)
    this.dirtyLists.touch(page, sequence)
  }

  /** Makes room for those who wait for it, as far as that can be done now. */
  makeRoom(): void {
    const { counters } = this.context
    while (this.wanted.size > 0) {
      const fresh = this.free.take()
      if (fresh !== NONE_FREE) {
        this.give(fresh)
        continue
      }
      // Each eviction under way will serve one who waits.
      if (this.evictions >= this.wanted.size) return
      const page = this.readOnly ? this.oldestClean() : this.lists.first(LEAST_RECENT)
      if (page === NO_ENTRY) {
        if (!this.pressed) counters[Counter.BlockMapCachePressure]++
        this.pressed = true
        if (this.readOnly && this.reads + this.writes === 0) this.refuseRoom()
        return
      }
      if (this.states[page] === PageState.Resident) {
        this.lists.remove(page)
        this.evict(page)
      } else {
        counters[Mark.DirtyPageEvicted]++
        this.evicted[page] = 1
        this.evictions++
        this.dirtyLists.expire(page)
        this.setOutgoing(page)
      }
    }
  }

  /** A page whose read can be started, or NO_ENTRY. */
  nextRead(): number {
    return this.lists.shift(TO_READ)
  }

  readDone(page: number, status: Status): void {
    const { counters } = this.context
    assert(this.states[page] === PageState.Incoming, 'a page that was read was incoming')
    this.reads--
    if (status !== Status.Success) counters[Counter.BlockMapFailedReads]++
    const result = this.makeGood(page, status)
    if (result !== Status.Success) {
      this.setState(page, PageState.Failed)
      this.byPbn.remove(this.places[page])
      this.user.fatal(result)
      this.serve(page, result)
      this.setState(page, PageState.Free)
      this.free.give(page)
      return
    }
    counters[Counter.BlockMapPagesLoaded]++
    this.setState(page, PageState.Resident)
    this.lists.append(LEAST_RECENT, page)
    this.serve(page, Status.Success)
  }

  /** Formats a page that counts as empty: one that nobody wrote, and in a rebuild what is damaged or cannot be read. */
  private makeGood(page: number, status: Status): Status {
    const { arena, volume } = this.context
    const { nonceLow, nonceHigh } = volume
    if (status === Status.Success) {
      const verdict = judgePage(arena, this.at(page), nonceLow, nonceHigh, this.places[page])
      if (verdict === PageVerdict.Valid) return Status.Success
      if (verdict === PageVerdict.Bad && !this.isRebuilding) return Status.BadPage
    } else if (status !== Status.IoError || !this.isRebuilding) {
      return status
    }
    formatPage(arena, this.at(page), nonceLow, nonceHigh, this.places[page], false)
    return Status.Success
  }

  /** A page is to be written: from now on it does not change. */
  setOutgoing(page: number): void {
    if (this.states[page] === PageState.Outgoing) return
    assert(this.states[page] === PageState.Dirty, 'only a dirty page goes out')
    this.lists.remove(page)
    this.setState(page, PageState.Outgoing)
    this.writes++
  }

  /** A page is on the disk. Those who waited keep it in the cache. */
  written(page: number): void {
    this.context.counters[Counter.BlockMapPagesSaved]++
    this.comeBack(page, PageState.Resident)
    if (!this.waiters.isEmpty(page)) {
      if (this.wanted.size > 0) this.context.counters[Counter.BlockMapReclaimed]++
      this.serve(page, Status.Success)
    } else if (this.wanted.size > 0) {
      this.lists.remove(page)
      this.evict(page)
    }
  }

  /** A page could not be written, or will not be. Whoever wants to change it is refused. */
  notWritten(page: number): void {
    assert(this.readOnly, 'an outgoing page stays dirty only in read-only mode')
    this.context.counters[Mark.PageKeptDirty]++
    this.comeBack(page, PageState.Dirty)
    this.serve(page, Status.Success)
  }

  /** Repair is over. */
  endRebuild(): void {
    this.isRebuilding = false
  }

  /** Empties the cache: nothing is dirty, nothing under way. */
  forgetAll(): void {
    for (let page = 0; page < this.pages; page++) {
      if (this.states[page] === PageState.Free) continue
      assert(this.states[page] === PageState.Resident, 'only clean pages are forgotten')
      this.lists.remove(page)
      this.byPbn.remove(this.places[page])
      this.setState(page, PageState.Free)
      this.free.give(page)
    }
  }

  /** From now on pages are only read. */
  enterReadOnly(): void {
    this.readOnly = true
  }

  /** Pages that wait to be written, the evicted ones included, stay dirty. A write under way ends. */
  keepDirty(): void {
    for (let page = 0; page < this.pages; page++) {
      if (this.states[page] === PageState.Outgoing && !this.dirtyLists.isWriting(page)) this.notWritten(page)
    }
  }

  private comeBack(page: number, state: PageState): void {
    assert(this.states[page] === PageState.Outgoing, 'a page that was written was outgoing')
    this.writes--
    if (this.evicted[page] !== 0) {
      this.evicted[page] = 0
      this.evictions--
    }
    this.setState(page, state)
    this.lists.append(LEAST_RECENT, page)
  }

  /** Binds a clean page that is on no list to the page number that is wanted most urgently. */
  private evict(page: number): void {
    this.context.counters[Mark.PageEvictions]++
    this.byPbn.remove(this.places[page])
    this.give(page)
  }

  private give(page: number): void {
    this.pressed = false
    const vio = this.waiters.shift(this.roomQueue)
    assert(vio !== NO_WAITER, 'somebody waits for room')
    const place = this.context.vios.pagePbn[vio as VioIndex]
    this.wanted.remove(place)
    this.load(page, place)
    this.waiters.push(page, vio)
    this.followers.transferAll(vio, this.waiters, page)
  }

  /** In read-only mode nothing is written, so only clean pages make room. Dirty ones in the way are set behind. */
  private oldestClean(): number {
    for (let left = this.pages; left > 0; left--) {
      const page = this.lists.first(LEAST_RECENT)
      if (page === NO_ENTRY || this.states[page] === PageState.Resident) return page
      this.lists.moveToTail(LEAST_RECENT, page)
    }
    return NO_ENTRY
  }

  /** Every page is dirty and none will be written. */
  private refuseRoom(): void {
    this.context.counters[Mark.RoomRefused]++
    this.wakeStatus = Status.ReadOnly
    for (
      let vio = this.waiters.shift(this.roomQueue);
      vio !== NO_WAITER;
      vio = this.waiters.shift(this.roomQueue)
    ) {
      this.wanted.remove(this.context.vios.pagePbn[vio as VioIndex])
      this.followers.notifyAll(vio, this.wake)
      this.wake(vio)
    }
  }

  private load(page: number, place: Pbn): void {
    this.places[page] = place
    const before = this.byPbn.put(place, page)
    assert(before === NONE, 'a map page is in the cache once')
    this.setState(page, PageState.Incoming)
    this.reads++
    this.lists.append(TO_READ, page)
  }

  /** Serving one page may end in read-only mode, and so in serving others. */
  private serve(page: number, status: Status): void {
    const { wakingPage, wakeStatus } = this
    this.wakingPage = page
    this.wakeStatus = status
    this.waiters.notifyAll(page, this.wake)
    this.wakingPage = wakingPage
    this.wakeStatus = wakeStatus
  }

  private setState(page: number, state: PageState): void {
    const { counters } = this.context
    counters[GAUGE[this.states[page] as PageState]]--
    counters[GAUGE[state]]++
    this.states[page] = state
  }
}

/** Pages are dealt to the zones in equal shares. */
export function cachePagesPerZone(cachePages: number, zones: number): number {
  return Math.floor(cachePages / zones)
}
