/**
 * The index of a chapter that is being written: for each name the record page that holds it. Filled once, packed
 * into pages, cleared. Owned by whoever writes chapters.
 *
 * A chapter has a fixed count of index pages, about a hundredth more than its lists need. Where names are so unlike
 * chance that they do not suffice, lists are given up whole: their records are on their pages and nobody finds
 * them, which costs duplicates and nothing else.
 */
import { assert } from '../base/assert.js'
import { roundMemory } from '../format/index-region.js'
import { chapterAddress, chapterList } from '../format/record-name.js'
import { LIST_START_BITS, PAGE_HEADER_BITS, PAGE_LIST_END, writePageHeader } from './chapter-index-page.js'
import { copyBits, GUARD_BYTES, MAX_LIST_BITS, writeBits } from './delta-code.js'
import { DeltaIndex, Insertion } from './delta-index.js'
import { type IndexGeometry, PAGE_BYTES } from './geometry.js'
import type { VolumeNonce } from './volume-index-save.js'

export class ChapterIndex {
  /** Entries that found no room in their list, and lists that found none on their pages. */
  overflows = 0
  listsGivenUp = 0
  private readonly lists: DeltaIndex
  /** One list on its way to a page. */
  private readonly list = new Uint8Array(MAX_LIST_BITS / 8 + 1 + GUARD_BYTES)

  constructor(
    private readonly geometry: IndexGeometry,
    private readonly nonce: VolumeNonce,
  ) {
    const memory = roundMemory((geometry.indexPagesPerChapter + 1) * PAGE_BYTES)
    this.lists = new DeltaIndex(geometry.chapterCoding, geometry.listsPerChapter, memory)
  }

  get entries(): number {
    return this.lists.entries
  }

  clear(): void {
    this.lists.clear()
  }

  /** Enters a name that is on a record page. */
  put(names: Uint8Array, nameAt: number, recordPage: number): void {
    const { lists } = this
    lists.search(
      chapterList(names, nameAt, this.geometry.listsPerChapter),
      chapterAddress(names, nameAt),
      names,
      nameAt,
    )
    if (lists.put(recordPage, names, nameAt) !== Insertion.Done) this.overflows++
  }

  /**
   * Makes the page at `at` of as many lists as it takes, from `firstList` on, and gives their count. The chapter's
   * last page has to take all that are left.
   */
  packPage(chapter: number, firstList: number, isLast: boolean, page: Uint8Array, at: number): number {
    let count = this.fitting(firstList)
    while (firstList + count < this.geometry.listsPerChapter && (isLast || count === 0)) {
      this.giveUp(firstList, count)
      count = this.fitting(firstList)
    }
    page.fill(0, at, at + PAGE_BYTES)
    writePageHeader(page, at, this.nonce, chapter, firstList, count)
    let bit = PAGE_HEADER_BITS + LIST_START_BITS * (count + 1)
    for (let i = 0; i < count; i++) {
      writeBits(page, at, PAGE_HEADER_BITS + LIST_START_BITS * i, LIST_START_BITS, bit)
      bit = this.copyList(firstList + i, page, at, bit)
    }
    writeBits(page, at, PAGE_HEADER_BITS + LIST_START_BITS * count, LIST_START_BITS, bit)
    return count
  }

  /** How many lists from one on fit an empty page. */
  private fitting(firstList: number): number {
    const { lists, geometry } = this
    let free = PAGE_LIST_END - PAGE_HEADER_BITS - LIST_START_BITS
    let list = firstList
    for (; list < geometry.listsPerChapter; list++) {
      const bits = LIST_START_BITS + lists.listBits(list)
      if (bits > free) break
      free -= bits
    }
    return list - firstList
  }

  /** Empties the first list that does not fit, or else the last before it that has entries. */
  private giveUp(firstList: number, count: number): void {
    const { lists } = this
    let list = firstList + count
    while (lists.listBits(list) === 0) {
      list--
      assert(list >= firstList, 'what fills a page has entries')
    }
    lists.purge(list, 0, 2 ** lists.coding.payloadBits)
    assert(lists.listBits(list) === 0, 'a list that was given up is empty')
    this.listsGivenUp++
  }

  private copyList(list: number, page: Uint8Array, at: number, bit: number): number {
    const { lists } = this
    const bits = lists.listBits(list)
    if (bits === 0) return bit
    lists.copyList(list, 0, lists.listByteCount(list), this.list, 0)
    copyBits(page, at, bit, this.list, 0, lists.listPhase(list), bits)
    return bit + bits
  }
}
