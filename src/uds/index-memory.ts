/**
 * The memory of an index that more than one thread looks at, or that a disk reads and writes: laid out by each
 * thread in the same order over the same buffer. Everything else (volume indexes above all) is its owner's own.
 *
 * | part           | bytes                                          | written by                                     |
 * |----------------|------------------------------------------------|-------------------------------------------------|
 * | page map       | 2 a chapter and index page                     | the keeper                                      |
 * | open chapters  | 33 a record, twice: one fills, one is written  | its zone; once it is closed, nobody             |
 * | cached pages   | 32 KiB a page, for each zone                   | the disk, while the zone waits for it           |
 * | writer's pages | 32 KiB a page                                  | the keeper                                      |
 * | sparse cache   | the index pages of 7 chapters                  | the disk, while no zone looks                   |
 * | lists, wishes  | a few words                                    | the keeper while no zone looks; the zone itself |
 */
import { assert } from '../base/assert.js'
import type { Bump } from '../base/bump.js'
import { MAX_INDEX_ZONES } from '../format/index-region.js'
import { CACHE_CHAPTERS, type IndexGeometry, PAGE_BYTES } from './geometry.js'
import { pageMapEntries } from './index-page-map.js'
import { OpenChapterMemory, openChapterCapacity } from './open-chapter.js'
import { SparseList } from './sparse-list.js'

export interface IndexSizes {
  readonly zones: number
  /** Pages of the volume that each zone keeps in memory, up to 32,767. */
  readonly cachePages: number
  /** Pages that are written at once. */
  readonly writerPages: number
  /** Records of a zone in a chapter, if they are to be fewer than there is room for: chapters then close early. */
  readonly shareRecords?: number
}

/** What VDO takes: in all zones the record pages of seven chapters. */
export function usualSizes(geometry: IndexGeometry, zones: number): IndexSizes {
  const cachePages = Math.ceil((CACHE_CHAPTERS * geometry.recordPagesPerChapter) / zones)
  return { zones, cachePages, writerPages: 4 }
}

export class IndexMemory {
  /** The entries of an `IndexPageMap`. */
  readonly pageMapEntries: Uint16Array
  /** By zone; chapter n is in that of n & 1. */
  readonly openChapters: readonly (readonly OpenChapterMemory[])[]
  /** By zone. */
  readonly cachePages: readonly Uint8Array[]
  readonly writerPages: Uint8Array
  /** Index pages of cached sparse chapters, those of an entry together; none in a dense index. */
  readonly sparsePages: Uint8Array
  readonly sparseList: SparseList
  /** The sparse chapter that each zone wants. */
  readonly wanted: Float64Array

  constructor(
    geometry: IndexGeometry,
    readonly sizes: IndexSizes,
    bump: Bump,
  ) {
    const { zones, cachePages, writerPages } = sizes
    assert(zones >= 1 && zones <= MAX_INDEX_ZONES, 'an index has up to 16 zones')
    assert(cachePages >= 1 && cachePages <= 32_767 && writerPages >= 1, 'an index has pages in memory')
    const entries = bump.uint8(2 * pageMapEntries(geometry))
    this.pageMapEntries = new Uint16Array(entries.buffer, entries.byteOffset, entries.length / 2)
    const capacity = Math.min(
      openChapterCapacity(geometry, zones),
      sizes.shareRecords ?? Number.POSITIVE_INFINITY,
    )
    const each = Array.from({ length: zones }, (_, zone) => zone)
    this.openChapters = each.map(() => [
      new OpenChapterMemory(capacity, bump),
      new OpenChapterMemory(capacity, bump),
    ])
    this.cachePages = each.map(() => bump.uint8(cachePages * PAGE_BYTES))
    this.writerPages = bump.uint8(writerPages * PAGE_BYTES)
    const sparseChapters = geometry.sparse ? CACHE_CHAPTERS : 0
    this.sparsePages = bump.uint8(sparseChapters * geometry.indexPagesPerChapter * PAGE_BYTES)
    this.sparseList = new SparseList(sparseChapters, bump)
    this.wanted = bump.float64(zones)
  }
}
