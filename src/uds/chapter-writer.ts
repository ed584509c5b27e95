/**
 * Writes a chapter that all zones have closed: its records, sorted into pages, and the index that leads to them.
 *
 * Record i of the chapter comes from zone i % zones, and goes to record page i / 1024. Where a zone has no such
 * record, because it closed its share before it was full or because a name was forgotten, a copy of one record
 * fills the place, and has no entry in the index for it.
 *
 * The record pages go to disk first and are made durable before the index pages are written. So an index that is
 * whole always leads to records of its own chapter, wherever the power fails.
 */
import { assert } from '../base/assert.js'
import { ChapterIndex } from './chapter-index.js'
import {
  BLOCKS_PER_PAGE,
  type IndexGeometry,
  PAGE_BYTES,
  RECORD_BYTES,
  RECORDS_PER_PAGE,
} from './geometry.js'
import type { IndexMemory } from './index-memory.js'
import type { IndexPageMap } from './index-page-map.js'
import type { OpenChapterMemory } from './open-chapter.js'
import { encodeRecordPage } from './record-page.js'
import { type ChapterNames, SortedChapterIndex } from './sorted-chapter-index.js'
import { type Steps, type StorageCommand, StorageOp } from './storage-steps.js'
import type { VolumeNonce } from './volume-index-save.js'

export class ChapterWriter {
  /** What cannot be indexed whole is left to the second, name by name. */
  private readonly sorted: SortedChapterIndex
  readonly index: ChapterIndex
  /** The records of one page, in the order in which they came. */
  private readonly records = new Uint8Array(PAGE_BYTES)
  private readonly isFill = new Uint8Array(RECORDS_PER_PAGE)
  private readonly write: StorageCommand
  private readonly flush: StorageCommand

  constructor(
    private readonly geometry: IndexGeometry,
    private readonly memory: IndexMemory,
    private readonly pageMap: IndexPageMap,
    nonce: VolumeNonce,
    /** The first block of the volume of chapters. */
    private readonly volumeBlock: number,
  ) {
    this.sorted = new SortedChapterIndex(geometry, nonce)
    this.index = new ChapterIndex(geometry, nonce)
    this.write = { op: StorageOp.Write, block: 0, count: 0, bytes: memory.writerPages, at: 0 }
    this.flush = { op: StorageOp.Flush, block: 0, count: 0, bytes: memory.writerPages, at: 0 }
  }

  /** Writes the chapter. The page map knows its index pages afterwards. */
  *writeChapter(chapter: number): Steps<void> {
    const shares = this.memory.openChapters.map((pair) => pair[chapter & 1]!)
    const fill = shares.find((share) => share.size === share.capacity)
    assert(fill !== undefined, 'a chapter is closed when a zone has filled its share')
    this.sorted.clear()
    yield* this.writeRecords(chapter, shares, fill)
    yield this.flush
    const isWhole = this.sorted.plan()
    if (!isWhole) this.enterOneByOne(shares, fill)
    yield* this.writeIndex(chapter, isWhole, new SharedNames(shares))
    yield this.flush
  }

  private *writeRecords(
    chapter: number,
    shares: readonly OpenChapterMemory[],
    fill: OpenChapterMemory,
  ): Steps<void> {
    const { geometry, records, isFill, sorted } = this
    const { writerPages } = this.memory
    const first = geometry.volumePage(geometry.physicalChapter(chapter), geometry.indexPagesPerChapter)
    let at = 0
    for (let page = 0; page < geometry.recordPagesPerChapter; page++) {
      this.collect(page * RECORDS_PER_PAGE, shares, fill)
      encodeRecordPage(records, 0, writerPages, at)
      for (let i = 0; i < RECORDS_PER_PAGE; i++) {
        if (isFill[i] === 0) sorted.add(records, i * RECORD_BYTES)
        else sorted.skip()
      }
      at += PAGE_BYTES
      if (at < writerPages.length && page + 1 < geometry.recordPagesPerChapter) continue
      yield* this.writePages(first + page + 1 - at / PAGE_BYTES, at)
      at = 0
    }
  }

  private *writeIndex(chapter: number, isWhole: boolean, names: ChapterNames): Steps<void> {
    const { geometry, pageMap, sorted, index } = this
    const { writerPages } = this.memory
    const physical = geometry.physicalChapter(chapter)
    const first = geometry.volumePage(physical, 0)
    const last = geometry.indexPagesPerChapter - 1
    let list = 0
    let at = 0
    for (let page = 0; page <= last; page++) {
      list += isWhole
        ? sorted.writePage(chapter, page, list, names, writerPages, at)
        : index.packPage(chapter, list, page === last, writerPages, at)
      pageMap.set(physical, page, list - 1)
      at += PAGE_BYTES
      if (at < writerPages.length && page < last) continue
      yield* this.writePages(first + page + 1 - at / PAGE_BYTES, at)
      at = 0
    }
    assert(list === geometry.listsPerChapter, 'the pages of a chapter have all its lists')
  }

  /** Enters all names in the order of their places, so that what finds no room is what came too late. */
  private enterOneByOne(shares: readonly OpenChapterMemory[], fill: OpenChapterMemory): void {
    const { geometry, records, isFill, index } = this
    index.clear()
    for (let page = 0; page < geometry.recordPagesPerChapter; page++) {
      this.collect(page * RECORDS_PER_PAGE, shares, fill)
      for (let i = 0; i < RECORDS_PER_PAGE; i++) {
        if (isFill[i] === 0) index.put(records, i * RECORD_BYTES, page)
      }
    }
  }

  private *writePages(page: number, bytes: number): Steps<void> {
    this.write.block = this.volumeBlock + page * BLOCKS_PER_PAGE
    this.write.count = (bytes / PAGE_BYTES) * BLOCKS_PER_PAGE
    yield this.write
  }

  /** Puts the records of a page together, from record `first` of the chapter on. */
  private collect(first: number, shares: readonly OpenChapterMemory[], fill: OpenChapterMemory): void {
    const zones = shares.length
    const fillAt = (fill.capacity - 1) * RECORD_BYTES
    let place = Math.floor(first / zones)
    let zone = first % zones
    for (let i = 0; i < RECORDS_PER_PAGE; i++) {
      const share = shares[zone]!
      const isMissing = place >= share.size || share.deleted[place] !== 0
      if (isMissing) copyRecord(fill.records, fillAt, this.records, i * RECORD_BYTES)
      else copyRecord(share.records, place * RECORD_BYTES, this.records, i * RECORD_BYTES)
      this.isFill[i] = isMissing ? 1 : 0
      if (++zone === zones) {
        zone = 0
        place++
      }
    }
  }
}

/** The names of a chapter in the shares of its zones. */
class SharedNames implements ChapterNames {
  constructor(private readonly shares: readonly OpenChapterMemory[]) {}

  readName(place: number, name: Uint8Array): void {
    const { shares } = this
    const { records } = shares[place % shares.length]!
    const at = Math.floor(place / shares.length) * RECORD_BYTES
    for (let i = 0; i < name.length; i++) name[i] = records[at + i]
  }
}

function copyRecord(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < RECORD_BYTES; i++) to[toAt + i] = from[fromAt + i]
}
