/**
 * One zone of the index: answers the requests for its share of all names. Owned by one thread; `index-ports` says
 * how it reaches the disk, the keeper and whoever asks.
 *
 * A name's way: the volume index says which chapter it was last put into, or that it is new. The newest chapter and
 * the one before it are in memory; of an older one it takes two pages, the chapter's index page that has the name's
 * list, and the record page which that names. What was found goes into the open chapter again, so that what is used
 * stays and what is not used ends with its chapter.
 *
 * ```
 *  submit ─► [input] ─► process ─► answer             waits (closing a chapter, sparse cache): nothing is processed
 *               ▲          │ needs a page
 *               │          ▼
 *            [retry] ◄─ slot of the page ◄─ pageRead  [stalled]: no page may be read just now
 * ```
 *
 * A request that needs a page waits at the page's slot, and those behind it overtake it. When the page is here, it
 * is searched for all of them at once; what was found is kept with the request (its progress), which then starts
 * anew, since meanwhile its name may have moved. It keeps what it found only if the volume index still names the
 * same chapter.
 *
 * A part of the volume index's answer is a guess (see `volume-index`), so: a name that is not in the chapter where
 * it should be is new, and gets an entry beside the one that misled; only what is known to be the very name and is
 * not there (it did not fit the chapter's index) has its entry moved.
 */
import { assert, unreachable } from '../base/assert.js'
import { NO_WAITER, WaitQueues } from '../base/wait-queue.js'
import { chapterList, isSample } from '../format/record-name.js'
import { Mark } from '../vio/marks.js'
import { DAMAGED_LIST, findInIndexPage, NO_RECORD_PAGE } from './chapter-index-page.js'
import { Insertion } from './delta-index.js'
import { type IndexGeometry, PAGE_BYTES } from './geometry.js'
import { isPageOfChapter } from './index-keeper.js'
import type { IndexMemory } from './index-memory.js'
import { IndexPageMap } from './index-page-map.js'
import { ToKeeper, ToZone, type ZonePort } from './index-ports.js'
import { DATA_BYTES, IndexLocation, IndexRequest, type RequestTable } from './index-requests.js'
import { NO_PLACE, OpenChapter } from './open-chapter.js'
import { NO_SLOT, PageCache, SlotState } from './page-cache.js'
import { findInRecordPage, NO_RECORD } from './record-page.js'
import { SparseCache } from './sparse-cache.js'
import { NO_CHAPTER } from './sparse-list.js'
import { VolumeIndex } from './volume-index.js'
import type { VolumeNonce } from './volume-index-save.js'

/** Queues of requests that wait for no page. */
const INPUT = 0
/** Their page is here, or they may try again. */
const RETRY = 1
const STALLED = 2

/** Why nothing is processed: bits of `waits`. */
const WAITS_FOR_WRITER = 1
const WAITS_FOR_SPARSE = 2

/** What a request that waited has found out. */
enum Progress {
  Nothing = 0,
  /** The record page that may hold it. */
  RecordPage = 1,
  /** Its record; the data are in the answer's column. */
  Found = 2,
  /** That the chapter does not hold it. */
  Missing = 3,
}

/** What became of looking a name up in its chapter. */
enum Lookup {
  Missing = 0,
  Found = 1,
  /** The request waits for a page. */
  Waits = 2,
  /** The index has failed. */
  Failed = 3,
}

/** What a zone counts, one after another in `counts`. */
export enum IndexCount {
  PostsFound = 0,
  PostsNotFound = 1,
  UpdatesFound = 2,
  UpdatesNotFound = 3,
  DeletionsFound = 4,
  DeletionsNotFound = 5,
  QueriesFound = 6,
  QueriesNotFound = 7,
  /** Of the posts that were found: where. */
  PostsFoundOpen = 8,
  PostsFoundDense = 9,
  PostsFoundSparse = 10,
  /** Pages that were read. */
  IndexPageReads = 11,
  RecordPageReads = 12,
  /** Names that the volume index took for others: an index page had to be looked at to learn that they are not there. */
  FalseVolumeHits = 13,
  /** Those of them for which a record page had to be looked at too. */
  FalseChapterHits = 14,
  /** Names that found no room in the volume index and were not kept. */
  Overflows = 15,
  /** Names that were entered into the volume index. */
  Entered = 16,
  Length = 17,
}

export interface ZoneParts {
  readonly geometry: IndexGeometry
  readonly memory: IndexMemory
  readonly zone: number
  readonly nonce: VolumeNonce
  readonly requests: RequestTable
  /** Reads that may be out at once. */
  readonly readLimit: number
  /** The zone's row, for its marks. */
  readonly counters: Float64Array
  /** Empty, or of an index that was loaded. One is made if none is given. */
  readonly volumeIndex?: VolumeIndex
}

export class ZoneIndex {
  readonly volumeIndex: VolumeIndex
  readonly pageMap: IndexPageMap
  readonly counts = new Float64Array(IndexCount.Length)
  /** Chapters that are valid: the newest is the open one. */
  oldest = 0
  newest = 0

  private readonly geometry: IndexGeometry
  private readonly memory: IndexMemory
  private readonly requests: RequestTable
  private readonly chapters: readonly OpenChapter[]
  private open: OpenChapter
  /** The chapter before, while it is in memory; empty if it is not. */
  private closed: OpenChapter
  /** The chapter that the keeper has yet to write, or that is open: as long as it is the newest, that may be closed. */
  private unwritten = 0

  private readonly cache: PageCache
  private readonly pages: Uint8Array
  private readonly sparse: SparseCache | null
  private readonly queues: WaitQueues
  private readonly progress: Uint8Array
  private readonly recordPages: Uint16Array
  /** Of a request with progress: the chapter in which it made it. */
  private readonly chaptersOf: Float64Array
  private readsOut = 0
  private waits = 0
  /** The request for which a sparse chapter is being loaded. */
  private held = NO_WAITER
  private inProgress = 0
  /** Entries of the volume index when the first request came, or -1 before that. */
  private entriesBefore = -1
  private failed = false

  constructor(
    private readonly parts: ZoneParts,
    private readonly port: ZonePort,
  ) {
    const { geometry, memory, zone, requests } = parts
    const { sizes } = memory
    this.memory = memory
    this.geometry = geometry
    this.requests = requests
    this.volumeIndex = parts.volumeIndex ?? new VolumeIndex(geometry, zone, sizes.zones)
    this.pageMap = new IndexPageMap(geometry, memory.pageMapEntries)
    this.chapters = memory.openChapters[zone]!.map((chapter) => new OpenChapter(chapter))
    this.open = this.chapters[0]!
    this.closed = this.chapters[1]!
    const next = new Int32Array(requests.rows)
    this.cache = new PageCache(sizes.cachePages, next)
    this.pages = memory.cachePages[zone]!
    this.sparse = geometry.sparse ? new SparseCache(geometry, memory, this.pageMap, zone) : null
    this.queues = WaitQueues.create(next, 3)
    this.progress = new Uint8Array(requests.rows)
    this.recordPages = new Uint16Array(requests.rows)
    this.chaptersOf = new Float64Array(requests.rows)
  }

  /** Begins with an index that is as new, or was loaded: the open chapter is empty until it is filled. */
  begin(oldest: number, newest: number): void {
    this.oldest = oldest
    this.newest = newest
    this.unwritten = newest
    this.entriesBefore = -1
    this.open = this.chapters[newest & 1]!
    this.closed = this.chapters[(newest + 1) & 1]!
    this.open.reset()
    this.closed.reset()
  }

  /** The chapter that is open, to be filled when an index is loaded. */
  get openChapter(): OpenChapter {
    return this.open
  }

  /** Whether no request is without its answer and no read is out. */
  get isIdle(): boolean {
    return this.inProgress === 0 && this.readsOut === 0
  }

  get hasFailed(): boolean {
    return this.failed
  }

  /** How many names the volume index has forgotten since the first request. */
  get discarded(): number {
    if (this.entriesBefore < 0) return 0
    return this.entriesBefore + this.counts[IndexCount.Entered] - this.volumeIndex.entries
  }

  /** Takes a request, which is answered now or later. */
  submit(row: number): void {
    if (this.entriesBefore < 0) this.entriesBefore = this.volumeIndex.entries
    this.inProgress++
    this.progress[row] = Progress.Nothing
    if (this.failed) return this.answer(row, IndexLocation.Failed)
    if (this.waits !== 0) return this.queues.push(INPUT, row)
    this.serve(row)
  }

  /** A page that was asked for is in its slot, or could not be read. */
  pageRead(slot: number, ok: boolean): void {
    this.readsOut--
    const { cache, queues } = this
    if (this.failed) return cache.release(slot)
    if (cache.state(slot) === SlotState.Dropped) {
      this.parts.counters[Mark.PageOfEndedChapter]++
      cache.release(slot)
    } else if (!ok || !this.admit(slot)) {
      cache.release(slot)
      return this.fail()
    } else {
      cache.ready(slot)
      for (let row = cache.waiters.first(slot); row !== NO_WAITER; row = cache.waiters.after(row)) {
        if (!this.searchFor(row, slot)) return this.fail()
      }
    }
    cache.waiters.transferAll(slot, queues, RETRY)
    this.goOn()
  }

  receive(message: ToZone): void {
    switch (message) {
      case ToZone.CloseChapter:
        // One that this zone has closed already, or has not reached, is not the newest.
        if (!this.failed && this.newest === this.unwritten) this.closeChapter()
        return
      case ToZone.ChapterWritten:
        this.unwritten++
        if (this.failed) return
        if ((this.waits & WAITS_FOR_WRITER) !== 0) {
          this.waits &= ~WAITS_FOR_WRITER
          this.closeChapter()
        }
        return this.goOn()
      case ToZone.LeaveSparseCache:
        if (this.failed) return
        this.leaveSparse()
        return this.port.toKeeper(ToKeeper.LeftSparseCache)
      case ToZone.SparseCacheReady:
        return this.enterSparse()
      case ToZone.Failed:
        return this.fail()
      default:
        return unreachable('a zone knows its messages', message)
    }
  }

  /** Ends the index in this zone: whatever is asked is answered as failed. */
  fail(): void {
    if (this.failed) return
    this.failed = true
    this.port.toKeeper(ToKeeper.Failed)
    const { cache, queues } = this
    for (let slot = 0; slot < cache.slots; slot++) cache.waiters.transferAll(slot, queues, RETRY)
    queues.transferAll(STALLED, queues, RETRY)
    queues.transferAll(INPUT, queues, RETRY)
    for (let row = queues.shift(RETRY); row !== NO_WAITER; row = queues.shift(RETRY)) {
      this.answer(row, IndexLocation.Failed)
    }
    if (this.held !== NO_WAITER) this.answer(this.held, IndexLocation.Failed)
    this.held = NO_WAITER
  }

  /** Processes what waits, as long as something may be processed. */
  private goOn(): void {
    const { queues } = this
    while (this.waits === 0 && !this.failed) {
      let row = queues.shift(RETRY)
      if (row === NO_WAITER && this.mayRead) row = queues.shift(STALLED)
      if (row !== NO_WAITER) {
        this.process(row)
        continue
      }
      row = queues.shift(INPUT)
      if (row === NO_WAITER) return
      this.serve(row)
    }
  }

  private get mayRead(): boolean {
    return this.readsOut < this.parts.readLimit && this.cache.hasRoom
  }

  /** Processes a new request; in a sparse index it may first want a chapter's whole index in memory. */
  private serve(row: number): void {
    if (this.sparse !== null && this.wantsChapter(this.sparse, row)) return
    this.process(row)
  }

  /** What the volume index, the chapters and the kind of request make of a name. */
  private process(row: number): void {
    const { volumeIndex, newest } = this
    const { kinds, names } = this.requests
    const at = row * DATA_BYTES
    const kind: IndexRequest = kinds[row]
    const isKnown = volumeIndex.search(names, at)
    const { isCollision, chapter } = volumeIndex
    let found = false
    let location = IndexLocation.None
    if (isKnown && (kind !== IndexRequest.Delete || !isCollision)) {
      if (this.chaptersOf[row] !== chapter && this.progress[row] !== Progress.Nothing) {
        this.parts.counters[Mark.NameMovedMeanwhile]++
        this.progress[row] = Progress.Nothing
      }
      const lookup = this.lookUp(row, chapter)
      if (lookup === Lookup.Waits) return
      if (lookup === Lookup.Failed) return this.failWith(row)
      found = lookup === Lookup.Found
      if (found) location = this.locationOf(chapter)
      else {
        if (!isCollision) this.counts[IndexCount.FalseVolumeHits]++
        // A record page of that chapter leads nowhere else.
        if (this.progress[row] === Progress.RecordPage) this.progress[row] = Progress.Nothing
      }
    }
    if (kind === IndexRequest.Delete) return this.forget(row, isKnown && (found || isCollision), location)

    if (found || (isKnown && isCollision)) {
      // The name is indexed. If its record is nowhere, because it did not fit its chapter's index, it is new again.
      if (kind === IndexRequest.QueryNoUpdate || (kind === IndexRequest.Query && !found)) {
        return this.answer(row, location)
      }
      if (chapter !== newest) volumeIndex.setChapter(newest)
      else if (kind !== IndexRequest.Update) return this.answer(row, location)
    } else {
      const lookup = this.lookUpUnindexed(row)
      if (lookup === Lookup.Waits) return
      if (lookup === Lookup.Failed) return this.failWith(row)
      found = lookup === Lookup.Found
      if (found) location = IndexLocation.Sparse
      if (kind === IndexRequest.QueryNoUpdate || (kind === IndexRequest.Query && !found)) {
        return this.answer(row, location)
      }
      if (volumeIndex.put(newest, names, at) !== Insertion.Done) {
        this.counts[IndexCount.Overflows]++
        return this.answer(row, location)
      }
      this.counts[IndexCount.Entered]++
    }
    const { offered, known } = this.requests
    const room = this.open.put(names, at, found && kind !== IndexRequest.Update ? known : offered, at)
    this.answer(row, location)
    if (room === 0) this.wantClosed()
  }

  /** Removes the entry of a name that is known, and its record if it is in the open chapter. */
  private forget(row: number, isKnown: boolean, location: IndexLocation): void {
    const { volumeIndex, newest } = this
    if (!isKnown) return this.answer(row, IndexLocation.None)
    const { chapter } = volumeIndex
    volumeIndex.remove()
    if (chapter === newest) this.open.remove(this.requests.names, row * DATA_BYTES)
    this.answer(row, location === IndexLocation.None ? this.locationOf(chapter) : location)
  }

  /** Looks a name up in the chapter that the volume index names. */
  private lookUp(row: number, chapter: number): Lookup {
    const progress: Progress = this.progress[row]
    if (progress === Progress.Found) return Lookup.Found
    if (progress === Progress.Missing) return Lookup.Missing
    // A reduced index ends a chapter before its entries go: its slot was given to another.
    if (chapter < this.oldest) return Lookup.Missing
    if (chapter === this.newest) return this.lookUpOpen(this.open, row)
    if (chapter === this.newest - 1 && this.closed.size > 0) return this.lookUpOpen(this.closed, row)
    const { sparse } = this
    if (sparse !== null && this.isSparse(chapter) && sparse.contains(chapter)) {
      return this.lookUpSparse(sparse, row, chapter)
    }
    return this.lookUpPages(row, chapter)
  }

  private lookUpOpen(chapter: OpenChapter, row: number): Lookup {
    const at = row * DATA_BYTES
    const data = chapter.find(this.requests.names, at)
    if (data === NO_PLACE) return Lookup.Missing
    this.take(row, chapter.memory.records, data)
    return Lookup.Found
  }

  private lookUpPages(row: number, chapter: number): Lookup {
    const { geometry } = this
    if (this.progress[row] === Progress.RecordPage) {
      return this.lookUpRecord(row, chapter, this.recordPages[row])
    }
    const { names } = this.requests
    const at = row * DATA_BYTES
    const physical = geometry.physicalChapter(chapter)
    const indexPage = this.pageMap.pageOf(physical, chapterList(names, at, geometry.listsPerChapter))
    const slot = this.bring(row, chapter, geometry.volumePage(physical, indexPage))
    if (slot === NO_SLOT) return Lookup.Waits
    const recordPage = findInIndexPage(geometry, this.pages, slot * PAGE_BYTES, names, at)
    if (recordPage === NO_RECORD_PAGE) return Lookup.Missing
    return recordPage === DAMAGED_LIST ? Lookup.Failed : this.lookUpRecord(row, chapter, recordPage)
  }

  private lookUpRecord(row: number, chapter: number, recordPage: number): Lookup {
    const { geometry } = this
    const page = geometry.volumePage(
      geometry.physicalChapter(chapter),
      geometry.indexPagesPerChapter + recordPage,
    )
    this.recordPages[row] = recordPage
    const slot = this.bring(row, chapter, page)
    if (slot === NO_SLOT) {
      this.progress[row] = Progress.RecordPage
      return Lookup.Waits
    }
    return this.searchRecord(row, slot) ? Lookup.Found : Lookup.Missing
  }

  /** A name that the volume index does not have may be in a sparse chapter whose whole index is in memory. */
  private lookUpUnindexed(row: number): Lookup {
    const { sparse } = this
    // Where the volume index has every name, one that was found and is not there now was forgotten meanwhile.
    if (sparse === null) return Lookup.Missing
    const progress: Progress = this.progress[row]
    if (progress === Progress.Found) return Lookup.Found
    if (progress === Progress.Missing) return Lookup.Missing
    if (isSample(this.requests.names, row * DATA_BYTES)) return Lookup.Missing
    if (progress === Progress.RecordPage && this.chaptersOf[row] >= this.oldest) {
      return this.lookUpRecord(row, this.chaptersOf[row], this.recordPages[row])
    }
    return this.lookUpSparse(sparse, row, NO_CHAPTER)
  }

  private lookUpSparse(sparse: SparseCache, row: number, chapter: number): Lookup {
    if (chapter !== NO_CHAPTER && this.progress[row] === Progress.RecordPage) {
      return this.lookUpRecord(row, chapter, this.recordPages[row])
    }
    const recordPage = sparse.search(chapter, this.oldest, this.requests.names, row * DATA_BYTES)
    if (recordPage === NO_RECORD_PAGE) return Lookup.Missing
    return recordPage === DAMAGED_LIST ? Lookup.Failed : this.lookUpRecord(row, sparse.chapter, recordPage)
  }

  /** The slot of a page that is here; if it is not, the request waits for it. */
  private bring(row: number, chapter: number, page: number): number {
    const { cache } = this
    let slot = cache.find(page)
    if (slot !== NO_SLOT && cache.state(slot) === SlotState.Ready) {
      cache.touch(slot)
      return slot
    }
    this.chaptersOf[row] = chapter
    if (slot === NO_SLOT) {
      slot = this.readsOut < this.parts.readLimit ? cache.claim(page, chapter) : NO_SLOT
      if (slot === NO_SLOT) {
        this.parts.counters[Mark.IndexReadsStalled]++
        this.queues.push(STALLED, row)
        return NO_SLOT
      }
      this.readsOut++
      this.counts[this.isIndexPage(page) ? IndexCount.IndexPageReads : IndexCount.RecordPageReads]++
      this.port.readPage(slot, page)
    }
    cache.waiters.push(slot, row)
    return NO_SLOT
  }

  private isIndexPage(page: number): boolean {
    return (page - 1) % this.geometry.pagesPerChapter < this.geometry.indexPagesPerChapter
  }

  /** Whether what was read is what should be there. A record page may be anything. */
  private admit(slot: number): boolean {
    const { cache, geometry } = this
    const page = cache.pageOf(slot)
    if (!this.isIndexPage(page)) return true
    const chapter = cache.chapterOf(slot)
    const physical = geometry.physicalChapter(chapter)
    const indexPage = page - geometry.volumePage(physical, 0)
    const { nonce } = this.parts
    return isPageOfChapter(this.pageMap, this.pages, slot * PAGE_BYTES, nonce, chapter, physical, indexPage)
  }

  /** Searches a page that is here for a request that waits. False if the page is damaged. */
  private searchFor(row: number, slot: number): boolean {
    if (!this.isIndexPage(this.cache.pageOf(slot))) {
      this.progress[row] = this.searchRecord(row, slot) ? Progress.Found : Progress.Missing
      return true
    }
    const { names } = this.requests
    const recordPage = findInIndexPage(this.geometry, this.pages, slot * PAGE_BYTES, names, row * DATA_BYTES)
    if (recordPage === DAMAGED_LIST) return false
    this.progress[row] = recordPage === NO_RECORD_PAGE ? Progress.Missing : Progress.RecordPage
    if (recordPage !== NO_RECORD_PAGE) this.recordPages[row] = recordPage
    return true
  }

  private searchRecord(row: number, slot: number): boolean {
    const data = findInRecordPage(this.pages, slot * PAGE_BYTES, this.requests.names, row * DATA_BYTES)
    if (data === NO_RECORD) this.counts[IndexCount.FalseChapterHits]++
    else this.take(row, this.pages, data)
    return data !== NO_RECORD
  }

  /** Puts what was found into the answer. */
  private take(row: number, bytes: Uint8Array, at: number): void {
    const { known } = this.requests
    const to = row * DATA_BYTES
    for (let i = 0; i < DATA_BYTES; i++) known[to + i] = bytes[at + i]
  }

  private isSparse(chapter: number): boolean {
    return this.geometry.isSparse(chapter, this.oldest, this.newest)
  }

  private locationOf(chapter: number): IndexLocation {
    if (chapter === this.newest) return IndexLocation.Open
    return this.isSparse(chapter) ? IndexLocation.Sparse : IndexLocation.Dense
  }

  private answer(row: number, location: IndexLocation): void {
    this.requests.locations[row] = location
    this.inProgress--
    if (location !== IndexLocation.Failed) this.count(row, location)
    this.port.answer(row)
  }

  private count(row: number, location: IndexLocation): void {
    const { counts } = this
    const kind: IndexRequest = this.requests.kinds[row]
    const missing = location === IndexLocation.None ? 1 : 0
    switch (kind) {
      case IndexRequest.Post:
        counts[IndexCount.PostsFound + missing]++
        if (missing === 0) counts[IndexCount.PostsFoundOpen + location - IndexLocation.Open]++
        return
      case IndexRequest.Update:
        counts[IndexCount.UpdatesFound + missing]++
        return
      case IndexRequest.Delete:
        counts[IndexCount.DeletionsFound + missing]++
        return
      case IndexRequest.Query:
      case IndexRequest.QueryNoUpdate:
        counts[IndexCount.QueriesFound + missing]++
        return
      default:
        unreachable('an index knows its requests', kind)
    }
  }

  private failWith(row: number): void {
    this.fail()
    this.answer(row, IndexLocation.Failed)
  }

  // Chapters.

  /** This zone's share of the open chapter is full. */
  private wantClosed(): void {
    if (this.newest === this.unwritten) return this.closeChapter()
    this.parts.counters[Mark.ChapterAwaitsWriter]++
    this.waits |= WAITS_FOR_WRITER
  }

  private closeChapter(): void {
    assert(this.newest === this.unwritten, 'no zone is more than a chapter ahead')
    const full = this.open
    this.open = this.closed
    this.closed = full
    this.open.reset()
    this.newest++
    this.volumeIndex.openChapter(this.newest)
    const expiring = this.geometry.expiringChapters(this.newest)
    for (let i = 0; i < expiring; i++) this.cache.dropChapter(this.oldest + i)
    this.oldest += expiring
    this.port.toKeeper(ToKeeper.ChapterClosed)
  }

  // The cache of sparse chapters.

  /** Whether the request has to be held until the chapter of its sample is in memory. */
  private wantsChapter(sparse: SparseCache, row: number): boolean {
    const chapter = this.volumeIndex.peekSample(this.requests.names, row * DATA_BYTES)
    if (chapter < 0 || !this.isSparse(chapter) || sparse.contains(chapter)) return false
    const { zone, counters } = this.parts
    counters[Mark.SparseChapterWanted]++
    this.held = row
    this.memory.wanted[zone] = chapter
    this.leaveSparse()
    this.port.toKeeper(ToKeeper.WantSparseChapter)
    return true
  }

  private leaveSparse(): void {
    this.waits |= WAITS_FOR_SPARSE
    if (this.parts.zone !== 0) return
    // The keeper goes on from the first zone's order.
    const { list } = this.sparse!
    list.oldest = this.oldest
    this.memory.sparseList.copyFrom(list)
  }

  private enterSparse(): void {
    if (this.failed) return
    this.sparse!.list.copyFrom(this.memory.sparseList)
    this.waits &= ~WAITS_FOR_SPARSE
    const row = this.held
    this.held = NO_WAITER
    if (row !== NO_WAITER) this.process(row)
    this.goOn()
  }
}
