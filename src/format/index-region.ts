/**
 * How large the region of the deduplication index is. What is in it belongs to the index; formatting a volume
 * needs only its size, which follows from the memory that the index may use and whether it is sparse.
 *
 * A chapter is the unit in which the index forgets. It has record pages (whole records) and index pages (delta
 * lists that lead to them), each 32 KiB. Beside the chapters the region holds two saves, each of the volume index
 * (delta lists that lead to chapters), the index page map and the open chapter.
 */

import { assert } from '../base/assert.js'
import { BLOCK_SIZE } from './constants.js'
import { bitLength, expectedDeltaBits } from './delta-sizes.js'
import { FormatError } from './format-error.js'
import { indexMemoryOf, SMALL_INDEX_MEMORY } from './index-memory.js'

const INDEX_PAGE_SIZE = 32768
const BLOCKS_PER_PAGE = INDEX_PAGE_SIZE / BLOCK_SIZE
const RECORDS_PER_PAGE = 1024
const RECORD_SIZE = 32
const CHAPTERS_PER_GIB = 1024
const RECORD_PAGES_OF_QUARTER = 64
const RECORD_PAGES_OF_GIB = 256
const RECORD_PAGES_OF_SMALL = 32
const CHAPTERS_OF_SMALL = 4
/** A sparse index has ten times the chapters, all but a twentieth of them sparse. */
const SPARSE_FACTOR = 10
/** One record of 32 is in the index for good; a sparse chapter keeps no others in it. */
export const SAMPLE_RATE = 32
/** The most zones among which an index is divided, and that save one. */
export const MAX_INDEX_ZONES = 16

const DELTA_PAGE_HEADER_SIZE = 20
const DELTA_LIST_HEADER_BITS = 19
const CHAPTER_MEAN_DELTA = 65536
const ADDRESS_BITS_PER_LIST = 6

const CHAPTERS_PER_LIST_OF_VOLUME = 256
const MINIMUM_VOLUME_LISTS = 256
const MINIMUM_SPARE_CHAPTERS = 2
const SUB_INDEX_HEADER_SIZE = 80
const SUB_INDEX_LIST_SIZE = 17
const SPARSE_INDEX_HEADER_SIZE = 12
const VOLUME_INDEX_MARGIN_BLOCKS = 16
const MEMORY_UNIT = 65536

/** What an index is made as; everything else follows. */
export interface IndexShape {
  readonly recordPagesPerChapter: number
  /** Chapters of a dense index of this memory; a sparse one has ten times as many. */
  readonly baseChapters: number
  readonly sparse: boolean
  /** Whether one chapter was given up. */
  readonly reduced: boolean
}

/** Shape of an index, in the terms of its own chapters and pages. */
export interface IndexRegion {
  readonly recordPagesPerChapter: number
  readonly indexPagesPerChapter: number
  readonly recordsPerChapter: number
  readonly deltaListsPerChapter: number
  readonly chapters: number
  readonly sparseChapters: number
  /** The parts of the volume index: of a dense index one, of a sparse one first what is not sampled, then samples. */
  readonly subIndexes: readonly SubIndexSize[]
  /** Blocks of the parts of the region. */
  readonly chapterBlocks: number
  readonly volumeIndexBlocks: number
  readonly pageMapBlocks: number
  readonly openChapterBlocks: number
  /** Blocks of the whole region. */
  readonly blockCount: number
}

/** Size of a volume index that leads some records of each of some chapters to their chapter. */
export interface SubIndexSize {
  readonly recordsPerChapter: number
  readonly chapters: number
  readonly listCount: number
  /** Bits in which a chapter is stored. */
  readonly chapterBits: number
  readonly meanDelta: number
  /** Bits that the records of one chapter are taken to need. */
  readonly bitsPerChapter: number
  /** Bytes for delta lists, and how many of them should stay free. */
  readonly memoryBytes: number
  readonly targetFreeBytes: number
}

/** The shape of an index with this memory code, as the geometry stores it. */
export function indexShapeOf(memoryCode: number, sparse: boolean): IndexShape {
  if (memoryCode === SMALL_INDEX_MEMORY) {
    const [recordPagesPerChapter, baseChapters] = [RECORD_PAGES_OF_SMALL, CHAPTERS_OF_SMALL]
    return { recordPagesPerChapter, baseChapters, sparse, reduced: false }
  }
  const memory = indexMemoryOf(memoryCode)
  if (memory === undefined) {
    throw new FormatError(
      'VDO_BAD_CONFIGURATION',
      `Cannot size the index: memory code ${memoryCode} is unknown`,
    )
  }
  const whole = memory.quarters >= 4
  return {
    recordPagesPerChapter: whole ? RECORD_PAGES_OF_GIB : memory.quarters * RECORD_PAGES_OF_QUARTER,
    baseChapters: CHAPTERS_PER_GIB * (whole ? memory.quarters / 4 : 1),
    sparse,
    reduced: memory.reduced,
  }
}

/** The region of an index with this memory code, as the geometry stores it. */
export function indexRegionOf(memoryCode: number, sparse: boolean): IndexRegion {
  return regionOfShape(indexShapeOf(memoryCode, sparse))
}

/** The region of an index of any shape. */
export function regionOfShape(shape: IndexShape): IndexRegion {
  const { recordPagesPerChapter, baseChapters, sparse } = shape
  const recordsPerChapter = recordPagesPerChapter * RECORDS_PER_PAGE
  const sparseChapters = sparse ? (19 * baseChapters) / 2 : 0
  const reduction = shape.reduced ? 1 : 0
  const chapters = (sparse ? SPARSE_FACTOR * baseChapters : baseChapters) - reduction

  const deltaListsPerChapter = 2 ** (bitLength((recordsPerChapter - 1) | 63) - ADDRESS_BITS_PER_LIST)
  const payloadBits = bitLength(recordPagesPerChapter - 1)
  const chapterBits = expectedDeltaBits(recordsPerChapter, CHAPTER_MEAN_DELTA, payloadBits)
  const pageBits =
    (INDEX_PAGE_SIZE - DELTA_PAGE_HEADER_SIZE) * 8 -
    DELTA_LIST_HEADER_BITS -
    Math.floor(chapterBits / deltaListsPerChapter)
  const indexPagesPerChapter = Math.ceil(
    (chapterBits + DELTA_LIST_HEADER_BITS * deltaListsPerChapter) / pageBits,
  )
  const chapterBlocks = BLOCKS_PER_PAGE * ((recordPagesPerChapter + indexPagesPerChapter) * chapters + 1)

  const sampled = Math.floor(recordsPerChapter / SAMPLE_RATE)
  const subIndexes = sparse
    ? [
        subIndexSize(recordsPerChapter - sampled, chapters - sparseChapters, reduction),
        subIndexSize(sampled, chapters, reduction),
      ]
    : [subIndexSize(recordsPerChapter, chapters, reduction)]
  const volumeIndexBytes = subIndexes.reduce(
    (sum, part) => sum + subIndexSaveBytes(part),
    sparse ? SPARSE_INDEX_HEADER_SIZE : 0,
  )
  const volumeIndexBlocks = blocksFor(volumeIndexBytes + 8) + VOLUME_INDEX_MARGIN_BLOCKS
  const pageMapBlocks = blocksFor(16 + 2 * chapters * (indexPagesPerChapter - 1))
  const openChapterBlocks = blocksFor(14 + RECORD_SIZE * recordsPerChapter)
  return {
    recordPagesPerChapter,
    indexPagesPerChapter,
    recordsPerChapter,
    deltaListsPerChapter,
    chapters,
    sparseChapters,
    subIndexes,
    chapterBlocks,
    volumeIndexBlocks,
    pageMapBlocks,
    openChapterBlocks,
    // Two blocks in front and one behind; each save has a header block of its own.
    blockCount: 3 + chapterBlocks + 2 * (1 + volumeIndexBlocks + pageMapBlocks + openChapterBlocks),
  }
}

function subIndexSize(recordsPerChapter: number, chapters: number, reduction: number): SubIndexSize {
  // A reduced index keeps the lists and payloads of the whole one, so that names stay in their lists.
  const rounded = chapters + reduction
  const product = recordsPerChapter * rounded
  assert(Number.isSafeInteger(product * 2 ** 12), 'the arithmetic of the volume index is exact')
  const listCount = Math.max(Math.floor(product / CHAPTERS_PER_LIST_OF_VOLUME), MINIMUM_VOLUME_LISTS)
  const total = rounded + Math.max(Math.floor(rounded / CHAPTERS_PER_LIST_OF_VOLUME), MINIMUM_SPARE_CHAPTERS)
  const meanDelta = Math.floor((listCount * 2 ** 20) / (recordsPerChapter * total))
  const chapterBits = bitLength(rounded - 1)
  const bitsPerChapter = expectedDeltaBits(recordsPerChapter, meanDelta, chapterBits)
  const expected = Math.floor((bitsPerChapter * total) / 8)
  return {
    recordsPerChapter,
    chapters,
    listCount,
    chapterBits,
    meanDelta,
    bitsPerChapter,
    memoryBytes: Math.floor((expected * 106) / 100),
    targetFreeBytes: Math.floor(expected / 20),
  }
}

/** The most bytes that a save of it takes: headers, what is kept for each list, the lists. */
function subIndexSaveBytes({ listCount, memoryBytes }: SubIndexSize): number {
  return SUB_INDEX_HEADER_SIZE + SUB_INDEX_LIST_SIZE * listCount + roundMemory(memoryBytes)
}

/** Bytes for the delta lists of one of so many zones. */
export function zoneMemoryBytes(memoryBytes: number, zones: number): number {
  return roundMemory(Math.floor(memoryBytes / zones))
}

/** Delta lists get memory in units. */
export function roundMemory(bytes: number): number {
  return Math.ceil(bytes / MEMORY_UNIT) * MEMORY_UNIT
}

function blocksFor(bytes: number): number {
  return Math.ceil(bytes / BLOCK_SIZE)
}
