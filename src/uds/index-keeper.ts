/**
 * What concerns all zones of an index: when a chapter is closed, writing it, and which sparse chapters have their
 * index in memory. One an index; on any thread, as long as its messages and those of a zone arrive in their order.
 *
 * **Chapters.** The first zone whose share is full says so; the keeper tells the others to close theirs, however
 * full. When all have, the chapter is written while the zones fill the next; a zone that has filled that one too
 * waits, so no zone is ever more than one chapter ahead. Then all are told.
 *
 * ```
 *  zone 0  ──closed──►         ┌── written ──►
 *  zone 1  ◄──close── KEEPER ──┤                  and so on with the next
 *          ──closed──►  writes └── written ──►
 * ```
 *
 * **Sparse chapters.** A zone that wants one stops looking at the cache and says so. The keeper asks the others to
 * stop too; when all have, it makes room, reads the chapter's index, and lets all go on with the same list.
 *
 * What goes wrong with the disk, or is found damaged, ends the index: all zones are told, and answer nothing more.
 */
import { assert, unreachable } from '../base/assert.js'
import { admitIndexPage, chapterOfPage, firstListOfPage, listCountOfPage } from './chapter-index-page.js'
import { ChapterWriter } from './chapter-writer.js'
import { BLOCKS_PER_PAGE, type IndexGeometry, PAGE_BYTES } from './geometry.js'
import { indexCorrupt } from './index-error.js'
import type { IndexMemory } from './index-memory.js'
import type { IndexPageMap } from './index-page-map.js'
import { type KeeperPort, KeeperWork, ToKeeper, ToZone } from './index-ports.js'
import { type Steps, type StorageCommand, StorageOp } from './storage-steps.js'
import type { VolumeNonce } from './volume-index-save.js'

export interface KeeperParts {
  readonly geometry: IndexGeometry
  readonly memory: IndexMemory
  /** Over the memory's entries. */
  readonly pageMap: IndexPageMap
  readonly nonce: VolumeNonce
  /** The first block of the volume of chapters, counted as the steps' driver does. */
  readonly volumeBlock: number
  /** Work to be done before a chapter is written: making a save that it would contradict unusable. */
  readonly beforeChapter: () => Steps<void>
}

export class IndexKeeper {
  /** Chapters that are valid on disk are `oldest` up to `newest` - 1. */
  oldest = 0
  newest = 0
  readonly writer: ChapterWriter
  /** Sparse chapters whose index was read. */
  sparseLoads = 0
  private readonly zones: number
  private closedZones = 0
  private writing = false
  private failed = false
  /** Zones that want a sparse chapter, in the order in which they said so, and zones that have yet to stop looking. */
  private wishes: number[] = []
  private looking = 0
  private loading = false

  constructor(
    private readonly parts: KeeperParts,
    private readonly port: KeeperPort,
  ) {
    const { geometry, memory, pageMap, nonce, volumeBlock } = parts
    this.zones = memory.sizes.zones
    this.writer = new ChapterWriter(geometry, memory, pageMap, nonce, volumeBlock)
    memory.sparseList.clear()
  }

  /** Begins with an index that is as new, or was loaded. */
  begin(oldest: number, newest: number): void {
    this.oldest = oldest
    this.newest = newest
  }

  /** Whether all zones are in the same chapter and nothing is being written or read: then an index may be saved. */
  get isIdle(): boolean {
    return !this.writing && this.closedZones === 0 && !this.loading && this.wishes.length === 0
  }

  get hasFailed(): boolean {
    return this.failed
  }

  receive(zone: number, message: ToKeeper): void {
    switch (message) {
      case ToKeeper.ChapterClosed:
        return this.chapterClosed(zone)
      case ToKeeper.WantSparseChapter:
        return this.wantSparse(zone)
      case ToKeeper.LeftSparseCache:
        this.looking--
        return this.loadNext()
      case ToKeeper.Failed:
        return this.fail()
      default:
        return unreachable('the keeper knows its messages', message)
    }
  }

  /** The work that was started has ended, well or not. */
  workDone(work: KeeperWork, ok: boolean): void {
    if (work === KeeperWork.WriteChapter) this.writing = false
    else this.loading = false
    if (!ok) return this.fail()
    if (this.failed) return
    if (work === KeeperWork.WriteChapter) this.chapterWritten()
    else this.loadNext()
  }

  /** Ends the index. What is under way is finished, in vain. */
  fail(): void {
    if (this.failed) return
    this.failed = true
    this.tellAll(ToZone.Failed)
  }

  private chapterClosed(zone: number): void {
    if (this.failed) return
    assert(!this.writing, 'no zone is more than a chapter ahead')
    this.closedZones++
    if (this.closedZones === 1) {
      for (let other = 0; other < this.zones; other++) {
        if (other !== zone) this.port.toZone(other, ToZone.CloseChapter)
      }
    }
    if (this.closedZones < this.zones) return
    this.closedZones = 0
    this.writing = true
    this.port.start(KeeperWork.WriteChapter, this.writeChapter(this.newest))
  }

  private *writeChapter(chapter: number): Steps<void> {
    yield* this.parts.beforeChapter()
    yield* this.writer.writeChapter(chapter)
  }

  private chapterWritten(): void {
    this.newest++
    this.oldest += this.parts.geometry.expiringChapters(this.newest)
    this.tellAll(ToZone.ChapterWritten)
  }

  private wantSparse(zone: number): void {
    if (this.failed) return
    assert(!this.loading, 'no zone looks while a chapter is loaded, so none can want another')
    this.wishes.push(zone)
    if (this.wishes.length === 1) {
      // A zone whose wish is on its way is asked too, and answers twice: with its wish and with having stopped.
      for (let other = 0; other < this.zones; other++) {
        if (other === zone) continue
        this.looking++
        this.port.toZone(other, ToZone.LeaveSparseCache)
      }
    }
    this.loadNext()
  }

  /** Fulfils the next wish, once no zone looks at the cache. */
  private loadNext(): void {
    if (this.failed || this.loading || this.looking > 0) return
    const { sparseList, wanted } = this.parts.memory
    for (let zone = this.wishes.shift(); zone !== undefined; zone = this.wishes.shift()) {
      const chapter = wanted[zone]!
      if (sparseList.contains(chapter, true)) continue
      sparseList.purge(sparseList.oldest)
      if (chapter < sparseList.oldest) continue
      this.loading = true
      return this.port.start(KeeperWork.LoadSparse, this.loadSparse(chapter))
    }
    this.tellAll(ToZone.SparseCacheReady)
  }

  private *loadSparse(chapter: number): Steps<void> {
    const { geometry, memory, pageMap, nonce, volumeBlock } = this.parts
    const { sparseList, sparsePages } = memory
    const entry = sparseList.reclaim()
    const physical = geometry.physicalChapter(chapter)
    const pages = geometry.indexPagesPerChapter
    const at = entry * pages * PAGE_BYTES
    const command: StorageCommand = {
      op: StorageOp.Read,
      block: volumeBlock + geometry.volumePage(physical, 0) * BLOCKS_PER_PAGE,
      count: pages * BLOCKS_PER_PAGE,
      bytes: sparsePages,
      at,
    }
    yield command
    for (let page = 0; page < pages; page++) {
      if (!isPageOfChapter(pageMap, sparsePages, at + page * PAGE_BYTES, nonce, chapter, physical, page)) {
        throw indexCorrupt(`index of chapter ${chapter}`, `page ${page} is none of it`)
      }
    }
    sparseList.install(entry, chapter)
    this.sparseLoads++
  }

  private tellAll(message: ToZone): void {
    for (let zone = 0; zone < this.zones; zone++) this.port.toZone(zone, message)
  }
}

/** Whether a page that was read is an index page of a chapter, with the lists that the page map says. */
export function isPageOfChapter(
  pageMap: IndexPageMap,
  page: Uint8Array,
  at: number,
  nonce: VolumeNonce,
  chapter: number,
  physical: number,
  indexPage: number,
): boolean {
  return (
    admitIndexPage(page, at, nonce) &&
    chapterOfPage(page, at) === chapter &&
    firstListOfPage(page, at) === pageMap.firstList(physical, indexPage) &&
    firstListOfPage(page, at) + listCountOfPage(page, at) - 1 === pageMap.lastList(physical, indexPage)
  )
}
