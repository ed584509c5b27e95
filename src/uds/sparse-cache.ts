/**
 * How a zone looks at the sparse chapters whose index is in memory: in the order of its list.
 */

import { chapterList } from '../format/record-name.js'
import { DAMAGED_LIST, findInIndexPage, NO_RECORD_PAGE } from './chapter-index-page.js'
import { CACHE_CHAPTERS, type IndexGeometry, PAGE_BYTES } from './geometry.js'
import type { IndexMemory } from './index-memory.js'
import type { IndexPageMap } from './index-page-map.js'
import { NO_CHAPTER, SparseList } from './sparse-list.js'

export class SparseCache {
  readonly list = SparseList.create(CACHE_CHAPTERS)
  /** The chapter in which a search found a record page. */
  chapter = NO_CHAPTER
  private readonly pages: Uint8Array
  private readonly zones: number
  private readonly scores: boolean

  constructor(
    private readonly geometry: IndexGeometry,
    memory: IndexMemory,
    private readonly pageMap: IndexPageMap,
    zone: number,
  ) {
    this.pages = memory.sparsePages
    this.zones = memory.sizes.zones
    this.scores = zone === 0
  }

  /** Whether a chapter is here; it is the most recent then. */
  contains(chapter: number): boolean {
    return this.list.contains(chapter, this.scores)
  }

  /**
   * The record page of a name in one chapter, or in the first of all that seems to have it (`NO_CHAPTER`), none of
   * which is older than `oldest`. Or `NO_RECORD_PAGE`, or `DAMAGED_LIST`.
   */
  search(wanted: number, oldest: number, names: Uint8Array, nameAt: number): number {
    const { list } = this
    const { order, chapters, live } = list
    for (let i = 0; i < live; i++) {
      const entry = order[i]
      const chapter = chapters[entry]
      if (chapter === NO_CHAPTER || chapter < oldest) continue
      if (wanted === NO_CHAPTER ? list.isSkipped(entry) : chapter !== wanted) continue
      const page = this.searchEntry(entry, chapter, names, nameAt)
      if (page === DAMAGED_LIST) return page
      if (page !== NO_RECORD_PAGE) {
        list.toFront(i)
        if (this.scores) list.scoreHit(entry)
        this.chapter = chapter
        return page
      }
      if (this.scores) list.scoreMiss(entry, this.zones)
      if (wanted !== NO_CHAPTER) break
    }
    return NO_RECORD_PAGE
  }

  private searchEntry(entry: number, chapter: number, names: Uint8Array, nameAt: number): number {
    const { geometry, pageMap } = this
    const list = chapterList(names, nameAt, geometry.listsPerChapter)
    const page = pageMap.pageOf(geometry.physicalChapter(chapter), list)
    const at = (entry * geometry.indexPagesPerChapter + page) * PAGE_BYTES
    return findInIndexPage(geometry, this.pages, at, names, nameAt)
  }
}
