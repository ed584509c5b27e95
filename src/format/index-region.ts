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
import { FormatError } from './format-error.js'
import { indexMemoryOf } from './index-memory.js'

const INDEX_PAGE_SIZE = 32768
const BLOCKS_PER_PAGE = INDEX_PAGE_SIZE / BLOCK_SIZE
const RECORDS_PER_PAGE = 1024
const RECORD_SIZE = 32
const CHAPTERS_PER_GIB = 1024
const RECORD_PAGES_OF_QUARTER = 64
const RECORD_PAGES_OF_GIB = 256
/** A sparse index has ten times the chapters, all but a twentieth of them sparse. */
const SPARSE_FACTOR = 10
/** One record of 32 is in the index for good; a sparse chapter keeps no others in it. */
const SAMPLE_RATE = 32

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

/** Shape of an index, in the terms of its own chapters and pages. */
export interface IndexRegion {
  readonly recordPagesPerChapter: number
  readonly indexPagesPerChapter: number
  readonly recordsPerChapter: number
  readonly deltaListsPerChapter: number
  readonly chapters: number
  readonly sparseChapters: number
  /** Blocks of the parts of the region. */
  readonly chapterBlocks: number
  readonly volumeIndexBlocks: number
  readonly pageMapBlocks: number
  readonly openChapterBlocks: number
  /** Blocks of the whole region. */
  readonly blockCount: number
}

/** The region of an index with this memory code, as the geometry stores it. */
export function indexRegionOf(memoryCode: number, sparse: boolean): IndexRegion {
  const memory = indexMemoryOf(memoryCode)
  if (memory === undefined) {
    throw new FormatError(
      'VDO_BAD_CONFIGURATION',
      `Cannot size the index: memory code ${memoryCode} is unknown`,
    )
  }
  const whole = memory.quarters >= 4
  const recordPagesPerChapter = whole ? RECORD_PAGES_OF_GIB : memory.quarters * RECORD_PAGES_OF_QUARTER
  const recordsPerChapter = recordPagesPerChapter * RECORDS_PER_PAGE
  const denseChapters = CHAPTERS_PER_GIB * (whole ? memory.quarters / 4 : 1)
  const sparseChapters = sparse ? (19 * denseChapters) / 2 : 0
  const reduction = memory.reduced ? 1 : 0
  const chapters = (sparse ? SPARSE_FACTOR * denseChapters : denseChapters) - reduction

  const deltaListsPerChapter = 2 ** (bitLength((recordsPerChapter - 1) | 63) - ADDRESS_BITS_PER_LIST)
  const chapterBits = deltaBits(recordsPerChapter, CHAPTER_MEAN_DELTA, bitLength(recordPagesPerChapter - 1))
  const pageBits =
    (INDEX_PAGE_SIZE - DELTA_PAGE_HEADER_SIZE) * 8 -
    DELTA_LIST_HEADER_BITS -
    Math.floor(chapterBits / deltaListsPerChapter)
  const indexPagesPerChapter = Math.ceil(
    (chapterBits + DELTA_LIST_HEADER_BITS * deltaListsPerChapter) / pageBits,
  )
  const chapterBlocks = BLOCKS_PER_PAGE * ((recordPagesPerChapter + indexPagesPerChapter) * chapters + 1)

  const sampled = Math.floor(recordsPerChapter / SAMPLE_RATE)
  const volumeIndexSize = sparse
    ? subIndexSize(sampled, chapters, reduction) +
      subIndexSize(recordsPerChapter - sampled, chapters - sparseChapters, reduction) +
      SPARSE_INDEX_HEADER_SIZE
    : subIndexSize(recordsPerChapter, chapters, reduction)
  const volumeIndexBlocks = blocksFor(volumeIndexSize + 8) + VOLUME_INDEX_MARGIN_BLOCKS
  const pageMapBlocks = blocksFor(16 + 2 * chapters * (indexPagesPerChapter - 1))
  const openChapterBlocks = blocksFor(14 + RECORD_SIZE * recordsPerChapter)
  return {
    recordPagesPerChapter,
    indexPagesPerChapter,
    recordsPerChapter,
    deltaListsPerChapter,
    chapters,
    sparseChapters,
    chapterBlocks,
    volumeIndexBlocks,
    pageMapBlocks,
    openChapterBlocks,
    // Two blocks in front and one behind; each save has a header block of its own.
    blockCount: 3 + chapterBlocks + 2 * (1 + volumeIndexBlocks + pageMapBlocks + openChapterBlocks),
  }
}

/** Memory of a volume index that leads `records` of each of `chapters` chapters to their chapter. */
function subIndexSize(records: number, chapters: number, reduction: number): number {
  const rounded = chapters + reduction
  const product = records * rounded
  assert(Number.isSafeInteger(product * 2 ** 12), 'the arithmetic of the volume index is exact')
  const lists = Math.max(Math.floor(product / CHAPTERS_PER_LIST_OF_VOLUME), MINIMUM_VOLUME_LISTS)
  const total = rounded + Math.max(Math.floor(rounded / CHAPTERS_PER_LIST_OF_VOLUME), MINIMUM_SPARE_CHAPTERS)
  const meanDelta = Math.floor((lists * 2 ** 20) / (records * total))
  const expected = Math.floor((deltaBits(records, meanDelta, bitLength(rounded - 1)) * total) / 8)
  const withMargin = Math.floor((expected * 106) / 100)
  const memory = Math.ceil(withMargin / MEMORY_UNIT) * MEMORY_UNIT
  return SUB_INDEX_HEADER_SIZE + SUB_INDEX_LIST_SIZE * lists + memory
}

/** Bits that `entries` entries take in delta lists: each a payload and a Huffman-coded delta. */
function deltaBits(entries: number, meanDelta: number, payloadBits: number): number {
  const unit = Math.floor((836158 * meanDelta + 603160) / 1206321)
  return entries * (payloadBits + bitLength(unit + 1) + 1) + Math.floor(entries / 2)
}

/** How many bits it takes to write a number below 2^32. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value)
}

function blocksFor(bytes: number): number {
  return Math.ceil(bytes / BLOCK_SIZE)
}
