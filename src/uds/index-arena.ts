/**
 * What the zones of an index share of the arena: the index's own memory (index-memory.ts), buffers for their work,
 * and a board of what zone 0 has them do.
 *
 * Zone 0 writes the board before it gives an order, and the others read it when they have the order; the first zone
 * that fails an order writes why, before it answers.
 */
import type { Bump } from '../base/bump.js'
import type { VdoError } from '../base/errors.js'
import { SharedSentence } from '../base/shared-sentence.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { IndexShape } from '../format/index-region.js'
import { IndexGeometry } from './geometry.js'
import { INDEX_ERROR_CODES, IndexError } from './index-error.js'
import { IndexMemory, usualSizes } from './index-memory.js'
import type { ChapterRange } from './index-save.js'
import { BOUNCE_BLOCKS } from './region-work.js'
import type { Area } from './volume-index-save.js'

/** What zone 0 has every zone do. */
export enum IndexOrder {
  /** Begin with an index that is empty. */
  Begin = 0,
  /** Load the zone's part of the latest save. */
  Load = 1,
  /** Find out the zone's part from the chapters. */
  Rebuild = 2,
  /** Answer what was asked, and take nothing more. */
  Drain = 3,
  /** Save the zone's part. */
  Save = 4,
  /** Answer what was asked, take nothing more, and forget the index. */
  Close = 5,
  /** Nothing: what the zone was told before has been done then, and what it told the keeper was heard. */
  Settle = 6,
}

/** Pieces of work that a zone may have under way at once, see `Work`. */
export const WORKS = 4

/** A zone's own work; zone 0 also has the whole index's, and the keeper's two. */
export enum Work {
  Own = 0,
  Whole = 1,
  WriteChapter = 2,
  LoadSparse = 3,
}

/** Pages that a zone keeps at least. */
const LEAST_PAGES = 16

export class IndexArena {
  readonly memory: IndexMemory
  private readonly problem: SharedSentence
  private readonly buffers: number
  private readonly areas: Float64Array
  private readonly chapters: Float64Array
  private readonly words: Int32Array

  /** `chapterRecords` bounds the records of a chapter, all zones together. */
  constructor(bump: Bump, shape: IndexShape, zones: number, chapterRecords: number) {
    const geometry = new IndexGeometry(shape)
    const sizes = usualSizes(geometry, zones)
    this.words = bump.int32(2)
    this.areas = bump.float64(zones * 2)
    this.chapters = bump.float64(2)
    this.problem = new SharedSentence(bump)
    this.buffers = bump.blocks(zones * WORKS * BOUNCE_BLOCKS, BLOCK_SIZE)
    const cachePages = Math.max(sizes.cachePages, LEAST_PAGES)
    const shareRecords = Math.floor(chapterRecords / zones)
    this.memory = new IndexMemory(geometry, { ...sizes, cachePages, shareRecords }, bump)
  }

  /** The arena offset of the buffer for a zone's work. */
  bufferAt(zone: number, work: number): number {
    return this.buffers + (zone * WORKS + work) * BOUNCE_BLOCKS * BLOCK_SIZE
  }

  /** Where a zone saves its part. */
  areaOf(zone: number): Area {
    return { block: this.areas[zone * 2], blocks: this.areas[zone * 2 + 1] }
  }

  setAreaOf(zone: number, { block, blocks }: Area): void {
    this.areas[zone * 2] = block
    this.areas[zone * 2 + 1] = blocks
  }

  /** The chapters that a rebuild found. */
  get range(): ChapterRange {
    return { newest: this.chapters[0], oldest: this.chapters[1] }
  }

  set range({ newest, oldest }: ChapterRange) {
    this.chapters[0] = newest
    this.chapters[1] = oldest
  }

  /** Whether the index differs from what was saved last. Set by any zone, cleared by zone 0 at rest. */
  get isTouched(): boolean {
    return this.words[1] !== 0
  }

  set isTouched(touched: boolean) {
    this.words[1] = touched ? 1 : 0
  }

  /** How the order failed that all zones have answered, if it did. */
  get failure(): IndexError | undefined {
    const code = INDEX_ERROR_CODES[Atomics.load(this.words, 0) - 1]
    return code === undefined ? undefined : new IndexError(code, this.problem.text)
  }

  /** Keeps the first failure. */
  fail(error: VdoError): void {
    const code = error instanceof IndexError ? error.code : 'VDO_INDEX_IO'
    const word = INDEX_ERROR_CODES.indexOf(code) + 1
    if (Atomics.compareExchange(this.words, 0, 0, word) === 0) this.problem.text = error.message
  }

  clearFailure(): void {
    Atomics.store(this.words, 0, 0)
  }
}
