/**
 * The volume index of one zone: which chapter a name was last put into. A hint: part of a name stands for it, so a
 * chapter may be named that does not hold it; "not there" is certain. Owned by the thread of its zone.
 *
 * A dense index has one part, for all names and chapters. A sparse one has two: for names that are samples, of all
 * chapters, and for the others, of the newest chapters only.
 *
 * A chapter is stored modulo a power of two that has no value to spare: what stood for the chapter that ends stands
 * for the new one from then on. So an old chapter's entries must be gone from a list before a new one's come, and
 * they go when the list is next searched: with each list there is a chapter below which it has no entries (its
 * flush chapter), and a search of one that lags behind walks the whole list and removes what has ended. That makes
 * a list cost one whole walk a chapter, and closing a chapter nothing.
 *
 * Invariant: of every entry, chapter - flush chapter of its list is at most the mask.
 */
import { assert } from '../base/assert.js'
import {
  type IndexShape,
  MAX_INDEX_ZONES,
  regionOfShape,
  type SubIndexSize,
  zoneMemoryBytes,
} from '../format/index-region.js'
import { isSample, volumeAddress, volumeList } from '../format/record-name.js'
import { deltaCoding } from './delta-code.js'
import { DeltaIndex, type Insertion } from './delta-index.js'
import { type IndexGeometry, VOLUME_ADDRESS_BITS } from './geometry.js'
import { HEADER_BYTES } from './list-memory.js'

/** Chapters are kept in 32 bits: at 65,536 blocks of 4 KiB a chapter, that is 2^60 bytes written. */
export const CHAPTER_LIMIT = 2 ** 32
/** What is found on disk is believed up to here, so that nothing damaged brings an index to that limit. */
export const BELIEVED_CHAPTERS = CHAPTER_LIMIT / 2

/** One part of the volume index. */
export class SubIndex {
  readonly lists: DeltaIndex
  /** The lists of this zone, among those of all. */
  readonly firstList: number
  readonly listCount: number
  readonly mask: number
  /** Chapters that the entries may name; the last is the open one. */
  low = 0
  high = 0
  /** How often chapters were given up early because the memory filled. */
  earlyFlushes = 0

  /** What a search found. */
  isCollision = false
  chapter = 0

  private readonly inverse: number
  private readonly maxBits: number
  private readonly bitsPerChapter: number

  constructor(
    readonly size: SubIndexSize,
    readonly tag: string,
    zone: number,
    zones: number,
  ) {
    const perZone = Math.ceil(size.listCount / zones)
    this.firstList = zone * perZone
    this.listCount = Math.min(perZone, size.listCount - this.firstList)
    const memory = zoneMemoryBytes(size.memoryBytes, zones)
    this.maxBits = Math.floor(((memory * zones - size.targetFreeBytes) * 8) / zones)
    this.bitsPerChapter = Math.floor(size.bitsPerChapter / zones)
    this.mask = 2 ** size.chapterBits - 1
    this.inverse = 1 / size.listCount
    this.lists = new DeltaIndex(
      deltaCoding(size.meanDelta, size.chapterBits),
      this.listCount,
      memory,
      VOLUME_ADDRESS_BITS,
    )
  }

  /** The list of a name among this zone's. */
  private listOf(names: Uint8Array, at: number): number {
    const list = volumeList(names, at, this.size.listCount, this.inverse) - this.firstList
    assert(list >= 0 && list < this.listCount, 'a zone is asked for its own names')
    return list
  }

  /** Finds the chapter of a name, and whether it is known to be that of this very name. */
  search(names: Uint8Array, at: number): boolean {
    const { lists } = this
    const list = this.listOf(names, at)
    const address = volumeAddress(names, at)
    if (lists.ownerWord(list) < this.low) this.purge(list)
    const found = lists.search(list, address, names, at)
    this.isCollision = lists.isCollision
    if (found) this.chapter = this.chapterOf(lists.payload)
    return found
  }

  /** The chapter of a name without touching its list, or -1. What it says may have ended. */
  peek(names: Uint8Array, at: number): number {
    const { lists } = this
    if (!lists.search(this.listOf(names, at), volumeAddress(names, at), names, at)) return -1
    const chapter = this.chapterOf(lists.payload)
    return chapter > this.high ? -1 : chapter
  }

  /** Enters the name that was searched for last. */
  put(chapter: number, names: Uint8Array, at: number): Insertion {
    assert(chapter >= this.low && chapter <= this.high, 'a name is put into a chapter that is indexed')
    return this.lists.put(chapter & this.mask, names, at)
  }

  /** Gives the entry that was found another chapter. */
  setChapter(chapter: number): void {
    assert(chapter >= this.low && chapter <= this.high, 'a name is put into a chapter that is indexed')
    this.lists.setPayload(chapter & this.mask)
  }

  remove(): void {
    this.lists.remove()
  }

  /** Makes a chapter the open one. If too little memory is left, more chapters end than have to. */
  openChapter(chapter: number): void {
    assert(chapter < CHAPTER_LIMIT, 'a chapter has 32 bits')
    const { chapters } = this.size
    this.low = chapter >= chapters ? chapter - chapters + 1 : 0
    this.high = chapter
    const { usedBits } = this.lists
    if (usedBits <= this.maxBits) return
    const count = 1 + Math.floor((usedBits - this.maxBits) / this.bitsPerChapter)
    this.earlyFlushes++
    if (count === 1) this.low++
    else this.low = Math.min(this.low + count, this.high)
  }

  private chapterOf(payload: number): number {
    return this.low + ((payload - this.low) & this.mask)
  }

  /** Removes the entries of chapters that have ended from a list. */
  private purge(list: number): void {
    const { lists, low, mask } = this
    const flushed = lists.ownerWord(list)
    const first = flushed & mask
    const nearest = lists.purge(list, first, Math.min(low - flushed, mask + 1))
    const oldest = low + ((nearest + first - low) & mask)
    lists.setOwnerWord(list, Math.min(oldest, this.high))
  }
}

export class VolumeIndex {
  /** The parts in the order of a save: for names that are no samples, or all; for samples. */
  readonly parts: readonly SubIndex[]
  /** Bytes that this takes. */
  readonly allocatedBytes: number
  /** The part that was searched last. */
  private part: SubIndex

  constructor(
    readonly geometry: IndexGeometry,
    readonly zone: number,
    readonly zones: number,
  ) {
    assert(zones >= 1 && zones <= MAX_INDEX_ZONES && zone < zones, 'an index has up to 16 zones')
    const tags = geometry.sparse ? ['d', 's'] : ['m']
    this.parts = geometry.subIndexes.map((size, i) => new SubIndex(size, tags[i]!, zone, zones))
    this.allocatedBytes = this.parts.reduce((sum, { lists }) => sum + lists.allocatedBytes, 0)
    this.part = this.parts[0]!
  }

  /** Names; looked at in every pass of a zone, so nothing is allocated for it. */
  get entries(): number {
    const { parts } = this
    let entries = 0
    for (let i = 0; i < parts.length; i++) entries += parts[i]!.lists.entries
    return entries
  }

  get collisions(): number {
    return this.parts.reduce((sum, { lists }) => sum + lists.collisions, 0)
  }

  get isCollision(): boolean {
    return this.part.isCollision
  }

  get chapter(): number {
    return this.part.chapter
  }

  search(names: Uint8Array, at: number): boolean {
    this.part = this.partOf(names, at)
    return this.part.search(names, at)
  }

  put(chapter: number, names: Uint8Array, at: number): Insertion {
    return this.part.put(chapter, names, at)
  }

  setChapter(chapter: number): void {
    this.part.setChapter(chapter)
  }

  remove(): void {
    this.part.remove()
  }

  /** Forgets everything. */
  clear(): void {
    for (const part of this.parts) {
      part.lists.clear()
      part.low = part.high = 0
    }
  }

  openChapter(chapter: number): void {
    for (let i = 0; i < this.parts.length; i++) this.parts[i]!.openChapter(chapter)
  }

  /** The chapter that a sample was last put into, or -1: for a sparse index to load that chapter's index ahead. */
  peekSample(names: Uint8Array, at: number): number {
    return this.geometry.sparse && isSample(names, at) ? this.parts[1]!.peek(names, at) : -1
  }

  private partOf(names: Uint8Array, at: number): SubIndex {
    return this.geometry.sparse && isSample(names, at) ? this.parts[1]! : this.parts[0]!
  }
}

/** The highest address in a list. */
export const MAX_ADDRESS = 2 ** VOLUME_ADDRESS_BITS - 1

/** Bytes that the volume index of one of so many zones takes. */
export function zoneIndexBytes(shape: IndexShape, zones: number): number {
  let bytes = 0
  for (const { memoryBytes, listCount } of regionOfShape(shape).subIndexes) {
    bytes += zoneMemoryBytes(memoryBytes, zones) + Math.ceil(listCount / zones) * HEADER_BYTES
  }
  return bytes
}
