/**
 * Rebuilding an index that was not saved: its volume index and page map are made again from the chapters on disk.
 * What was in the open chapter is lost.
 *
 * The chapters are replayed from the oldest to the newest, each name as if it were put into its chapter then:
 *
 * | the volume index knows the name               | so                                                     |
 * |-----------------------------------------------|--------------------------------------------------------|
 * | not                                           | it is entered                                          |
 * | by its full name, of this chapter             | nothing: a record that fills places comes many times   |
 * | by its full name, of another chapter          | it has this chapter now                                |
 * | by part of it, of this chapter                | it is entered beside, as if it were another            |
 * | by part of it, of another chapter             | that chapter tells whether it is the same: then it has |
 * |                                               | this chapter now, else it is entered beside            |
 *
 * What will be sparse is replayed for its samples only. What finds no room is left out. Nothing is written, so a
 * rebuild may be given up at any time and begun again.
 *
 * Each thread rebuilds the volume indexes that it has, all of the zones or some; names of others are passed over.
 */

import { chapterList, isSample, zoneOfName } from '../format/record-name.js'
import {
  chapterOfPage,
  DAMAGED_LIST,
  findInIndexPage,
  firstListOfPage,
  listCountOfPage,
  NO_RECORD_PAGE,
  walkIndexPage,
} from './chapter-index-page.js'
import { CACHE_CHAPTERS, PAGE_BYTES, RECORD_BYTES, RECORDS_PER_PAGE } from './geometry.js'
import { indexCorrupt } from './index-error.js'
import type { IndexLayout } from './index-layout.js'
import type { IndexPageMap } from './index-page-map.js'
import { type ChapterRange, validRange } from './index-save.js'
import { findInRecordPage, NO_RECORD } from './record-page.js'
import type { Steps } from './storage-steps.js'
import type { VolumeIndex } from './volume-index.js'
import { readPage, VolumePages } from './volume-pages.js'
import { findChapters } from './volume-scan.js'

/** The most pages that are kept for looking names up in other chapters. */
const MAX_PAGES = 448

/**
 * Fills empty volume indexes and an empty page map from the chapters on disk. Throws if these make no sense.
 * `onChapter` is told which chapter is about to be replayed, of which.
 */
export function* rebuildIndex(
  layout: IndexLayout,
  volumeIndexes: readonly VolumeIndex[],
  pageMap: IndexPageMap,
  onChapter: (chapter: number, range: ChapterRange) => void = () => {},
): Steps<ChapterRange> {
  const { geometry } = layout
  const capacity = Math.min(CACHE_CHAPTERS * geometry.recordPagesPerChapter, MAX_PAGES)
  const pages = new VolumePages(layout.volumeStart, layout.nonce, capacity)
  const found = yield* findChapters(layout, pages)
  if (found === undefined) return { newest: 0, oldest: 0 }
  const range = validRange(geometry, found.lowest, found.highest + 1)
  const { newest, oldest } = range
  const replay = new Replay(layout, volumeIndexes, pageMap, pages)
  for (let chapter = oldest; chapter < newest; chapter++) {
    onChapter(chapter, range)
    yield* replay.chapter(chapter, geometry.isSparse(chapter, oldest, newest))
  }
  for (const volumeIndex of volumeIndexes) volumeIndex.openChapter(newest)
  return range
}

class Replay {
  /** The record page that is gone through. */
  private readonly records = new Uint8Array(PAGE_BYTES)
  /** By the number of the zone. */
  private readonly byZone: readonly (VolumeIndex | undefined)[]
  private readonly zones: number

  constructor(
    private readonly layout: IndexLayout,
    private readonly volumeIndexes: readonly VolumeIndex[],
    private readonly pageMap: IndexPageMap,
    private readonly pages: VolumePages,
  ) {
    this.zones = volumeIndexes[0]!.zones
    this.byZone = Array.from({ length: this.zones }, (_, zone) =>
      volumeIndexes.find((each) => each.zone === zone),
    )
  }

  *chapter(chapter: number, samplesOnly: boolean): Steps<void> {
    const { geometry, volumeStart } = this.layout
    const { records } = this
    for (const volumeIndex of this.volumeIndexes) volumeIndex.openChapter(chapter)
    const slot = geometry.physicalChapter(chapter)
    yield* this.mapIndexPages(chapter, slot)
    for (let i = 0; i < geometry.recordPagesPerChapter; i++) {
      const page = geometry.volumePage(slot, geometry.indexPagesPerChapter + i)
      yield* readPage(volumeStart, page, records)
      for (let record = 0; record < RECORDS_PER_PAGE; record++) {
        const at = record * RECORD_BYTES
        if (samplesOnly && !isSample(records, at)) continue
        const zone = zoneOfName(geometry.subIndexes, this.zones, records, at)
        const volumeIndex = this.byZone[zone]
        if (volumeIndex === undefined) continue
        const doubtful = replayName(volumeIndex, chapter, records, at)
        if (doubtful === SETTLED) continue
        const isKnown = yield* this.holds(doubtful, records, at)
        enter(volumeIndex, chapter, isKnown, records, at)
      }
    }
  }

  /** Notes which lists are on which page of a chapter's index. */
  private *mapIndexPages(chapter: number, slot: number): Steps<void> {
    const { geometry } = this.layout
    let next = 0
    for (let i = 0; i < geometry.indexPagesPerChapter; i++) {
      const page = yield* this.pages.readIndex(geometry.volumePage(slot, i))
      const isWhole =
        page !== undefined &&
        chapterOfPage(page, 0) === chapter &&
        firstListOfPage(page, 0) === next &&
        walkIndexPage(geometry, page, 0)
      next += isWhole ? listCountOfPage(page, 0) : 0
      const isLast = i + 1 === geometry.indexPagesPerChapter
      const ends = isLast ? next === geometry.listsPerChapter : next > 0 && next <= geometry.listsPerChapter
      if (!isWhole || !ends)
        throw indexCorrupt(`chapter ${chapter} in slot ${slot}`, `index page ${i} is damaged`)
      this.pageMap.set(slot, i, next - 1)
    }
  }

  /** Whether a chapter that was replayed has a name. */
  private *holds(chapter: number, names: Uint8Array, at: number): Steps<boolean> {
    const { geometry } = this.layout
    const slot = geometry.physicalChapter(chapter)
    const list = chapterList(names, at, geometry.listsPerChapter)
    const page = yield* this.pages.readIndex(geometry.volumePage(slot, this.pageMap.pageOf(slot, list)))
    const found = page === undefined ? DAMAGED_LIST : findInIndexPage(geometry, page, 0, names, at)
    if (found === NO_RECORD_PAGE) return false
    if (found === DAMAGED_LIST) throw indexCorrupt(`chapter ${chapter} in slot ${slot}`, 'its index changed')
    const record = yield* this.pages.read(geometry.volumePage(slot, geometry.indexPagesPerChapter + found))
    return findInRecordPage(record, 0, names, at) !== NO_RECORD
  }
}

/** What `replayName` gives if no other chapter has to be asked. */
const SETTLED = -1

/** Replays a name, or gives the chapter that has to be asked whether it holds it. */
function replayName(volumeIndex: VolumeIndex, chapter: number, names: Uint8Array, at: number): number {
  if (!volumeIndex.search(names, at)) {
    enter(volumeIndex, chapter, false, names, at)
    return SETTLED
  }
  const known = volumeIndex.chapter
  if (volumeIndex.isCollision) {
    if (known !== chapter) volumeIndex.setChapter(chapter)
    return SETTLED
  }
  if (known !== chapter) return known
  enter(volumeIndex, chapter, false, names, at)
  return SETTLED
}

/** Enters the name that was searched for last, or gives it another chapter. What overflows is left out. */
function enter(
  volumeIndex: VolumeIndex,
  chapter: number,
  isKnown: boolean,
  names: Uint8Array,
  at: number,
): void {
  if (isKnown) volumeIndex.setChapter(chapter)
  else volumeIndex.put(chapter, names, at)
}
