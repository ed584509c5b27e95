/**
 * The shape of an index and what follows from it: how many chapters, pages, lists and records there are, in which
 * slot of the volume a chapter lies, and when it is sparse or forgotten. Immutable, and safe to share.
 *
 * A chapter has a virtual number, which counts chapters for ever, and lies in a physical slot, which the chapter
 * that is `chapters` younger will overwrite. The newest chapter is the open one; the oldest is the smallest number
 * that is still valid. In a reduced index, made from a larger one, the chapter of the slot that was given up may
 * have been moved: `remappedVirtual` names it and `remappedPhysical` its slot.
 */
import { assert } from '../base/assert.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { bitLength } from '../format/delta-sizes.js'
import { SMALL_INDEX_MEMORY } from '../format/index-memory.js'
import {
  type IndexRegion,
  type IndexShape,
  indexShapeOf,
  regionOfShape,
  SAMPLE_RATE,
  type SubIndexSize,
} from '../format/index-region.js'
import { type DeltaCoding, deltaCoding } from './delta-code.js'

/** Bytes and blocks of a page, and bytes of a record: a name and its data. */
export const PAGE_BYTES = 32768
export const BLOCKS_PER_PAGE = PAGE_BYTES / BLOCK_SIZE
export const RECORD_BYTES = 32
export const RECORDS_PER_PAGE = PAGE_BYTES / RECORD_BYTES

/** Facts of every index. A cache's size is stored with the index, so it is one of them. */
export const CACHE_CHAPTERS = 7
export const VOLUME_INDEX_MEAN_DELTA = 4096

/** The bits of a name that order it within its list. */
export const VOLUME_ADDRESS_BITS = 20
export const CHAPTER_ADDRESS_BITS = 22

const CHAPTER_MEAN_DELTA = 65536

/** The shape that the format keeps for tests: 4 chapters of 32 record pages, or 40 of which 38 are sparse. */
export function smallIndexShape(sparse: boolean): IndexShape {
  return indexShapeOf(SMALL_INDEX_MEMORY, sparse)
}

export class IndexGeometry {
  readonly region: IndexRegion
  readonly sparse: boolean
  readonly recordPagesPerChapter: number
  readonly indexPagesPerChapter: number
  readonly pagesPerChapter: number
  readonly recordsPerChapter: number
  readonly chapters: number
  readonly sparseChapters: number
  readonly denseChapters: number
  /** Delta lists of a chapter's index, always a power of two, and how their entries are coded. */
  readonly listsPerChapter: number
  readonly chapterCoding: DeltaCoding
  /** 0 in a dense index, which samples nothing. */
  readonly sampleRate: number

  constructor(
    readonly shape: IndexShape,
    readonly remappedVirtual = 0,
    readonly remappedPhysical = 0,
  ) {
    const region = regionOfShape(shape)
    this.region = region
    this.sparse = shape.sparse
    this.recordPagesPerChapter = region.recordPagesPerChapter
    this.indexPagesPerChapter = region.indexPagesPerChapter
    this.pagesPerChapter = region.recordPagesPerChapter + region.indexPagesPerChapter
    this.recordsPerChapter = region.recordsPerChapter
    this.chapters = region.chapters
    this.sparseChapters = region.sparseChapters
    this.denseChapters = region.chapters - region.sparseChapters
    this.listsPerChapter = region.deltaListsPerChapter
    this.chapterCoding = deltaCoding(CHAPTER_MEAN_DELTA, bitLength(region.recordPagesPerChapter - 1))
    this.sampleRate = shape.sparse ? SAMPLE_RATE : 0
    const listBits = bitLength(this.listsPerChapter - 1)
    assert(
      16 - listBits + bitLength(this.recordsPerChapter - 1) === CHAPTER_ADDRESS_BITS,
      'every geometry takes the same bits of a name for a chapter',
    )
  }

  /** The sub-indexes of the volume index: in a sparse index first for names that are no samples, then for samples. */
  get subIndexes(): readonly SubIndexSize[] {
    return this.region.subIndexes
  }

  /** The slot in which a chapter lies. A reduced index answers 0 for a chapter too old to matter. */
  physicalChapter(chapter: number): number {
    const { chapters, remappedVirtual, remappedPhysical } = this
    if (chapter === remappedVirtual) return remappedPhysical
    const distance = chapter - remappedVirtual
    if (distance > 0) return distance > remappedPhysical ? distance % chapters : distance - 1
    return -distance < chapters ? chapters + distance : 0
  }

  /** The page of the volume that is page `page` of the chapter in a slot. A historical header is page 0. */
  volumePage(physical: number, page: number): number {
    return 1 + physical * this.pagesPerChapter + page
  }

  /** Whether an index of these chapters has sparse ones. */
  hasSparse(oldest: number, newest: number): boolean {
    return this.sparse && newest - oldest + 1 > this.denseChapters
  }

  /** Whether a chapter is one whose names were forgotten but for the samples. */
  isSparse(chapter: number, oldest: number, newest: number): boolean {
    return this.hasSparse(oldest, newest) && chapter + this.denseChapters <= newest
  }

  /** How many of the oldest chapters end when chapter `newest` becomes the open one. */
  expiringChapters(newest: number): number {
    const { chapters, remappedVirtual, remappedPhysical } = this
    if (newest < chapters) return 0
    if (remappedPhysical > 0) {
      const oldest = newest - chapters
      // The chapters behind the moved one lie a slot lower, so each is due one chapter early, until the turn comes
      // to the moved one's slot, which is free by then.
      if (oldest === remappedVirtual) return 2
      if (oldest === remappedVirtual + remappedPhysical) return 0
    }
    return 1
  }
}

/** The geometry of an index with this memory code, as the geometry block stores it. Throws for an unknown code. */
export function geometryOfMemory(memoryCode: number, sparse: boolean): IndexGeometry {
  return new IndexGeometry(indexShapeOf(memoryCode, sparse))
}
