/**
 * The index page map: which page of a chapter's index has which delta lists, for every chapter of the volume, so
 * that a name's page is read without looking at any other. For each slot of the volume it keeps the last list on
 * each index page but the last, which has the rest.
 *
 * The entries may lie in memory that threads share. Only the keeper writes them, for a slot whose old chapter has
 * ended in every zone and whose new one no zone looks for on disk before it is told.
 *
 * Saved:
 *
 * | offset | size                              | field                               |
 * |--------|-----------------------------------|-------------------------------------|
 * | 0      | 8                                 | `ALBIPM02`                          |
 * | 8      | 8                                 | the chapter that was written last   |
 * | 16     | 2 × (index pages - 1) × chapters  | last lists, chapter by chapter      |
 */
import { assert } from '../base/assert.js'
import type { IndexGeometry } from './geometry.js'
import { AreaReader, AreaWriter, type Steps } from './storage-steps.js'
import type { Area } from './volume-index-save.js'

const MARK = 'ALBIPM02'
const HEADER_BYTES = 16

export class IndexPageMap {
  private readonly perChapter: number
  private readonly lists: number

  constructor(
    geometry: IndexGeometry,
    /** Last lists, `(index pages - 1) * chapters` of them. */
    readonly entries: Uint16Array = new Uint16Array(pageMapEntries(geometry)),
  ) {
    assert(entries.length === pageMapEntries(geometry), 'a page map has its entries')
    this.perChapter = geometry.indexPagesPerChapter - 1
    this.lists = geometry.listsPerChapter
  }

  /** Says which list is the last on an index page of the chapter in a slot. */
  set(physical: number, indexPage: number, lastList: number): void {
    assert(indexPage <= this.perChapter && lastList < this.lists, 'a page map is of its chapters')
    if (indexPage < this.perChapter) this.entries[physical * this.perChapter + indexPage] = lastList
  }

  /** The index page that has a list. */
  pageOf(physical: number, list: number): number {
    const { entries, perChapter } = this
    const base = physical * perChapter
    let page = 0
    while (page < perChapter && entries[base + page] < list) page++
    return page
  }

  firstList(physical: number, indexPage: number): number {
    return indexPage === 0 ? 0 : this.entries[physical * this.perChapter + indexPage - 1] + 1
  }

  lastList(physical: number, indexPage: number): number {
    return indexPage === this.perChapter
      ? this.lists - 1
      : this.entries[physical * this.perChapter + indexPage]
  }
}

/** How many entries the map of an index has. */
export function pageMapEntries(geometry: IndexGeometry): number {
  return geometry.chapters * (geometry.indexPagesPerChapter - 1)
}

/** Saves the map of an index whose open chapter is `newest`. */
export function* savePageMap(map: IndexPageMap, newest: number, area: Area): Steps<void> {
  const out = new AreaWriter(area.block, area.blocks)
  out.mark(MARK)
  out.u64(lastWritten(newest))
  for (let i = 0; i < map.entries.length; i++) {
    if (!out.hasRoom(2)) yield* out.flush()
    out.u16(map.entries[i]!)
  }
  yield* out.finish()
}

/** Throws if the area holds no page map, or one of another time than when `newest` was the open chapter. */
export function* loadPageMap(map: IndexPageMap, newest: number, area: Area): Steps<void> {
  const reader = new AreaReader(area.block, area.blocks, 'index page map')
  yield* reader.need(HEADER_BYTES)
  if (!reader.isMark(MARK)) throw reader.corrupt('it does not begin as one')
  const last = reader.u64()
  const written = lastWritten(newest)
  if (last !== written) throw reader.corrupt(`its last chapter is ${last}, wanted ${written}`)
  for (let i = 0; i < map.entries.length; i++) {
    if (!reader.has(2)) yield* reader.need(2)
    map.entries[i] = reader.u16()
  }
}

/** The chapter that was written last; 0 also where none was. */
function lastWritten(newest: number): number {
  return Math.max(newest - 1, 0)
}
