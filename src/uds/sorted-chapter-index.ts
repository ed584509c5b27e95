/**
 * The index of a chapter, made of all its names at once: they are sorted by list and key and written straight into
 * pages. It gives the very bytes that `ChapterIndex` gives, which takes one name after another, in a fifth of the
 * time; but it does only what can be done whole. Where a list is too long or the pages do not suffice, something has
 * to be left out, and that depends on the order of entering: `plan` says so, and `ChapterIndex` does it.
 *
 * A record is known by its place in the chapter, which is its page and its place in that. Of several with one key,
 * the first that came has no name, and behind it are the others, the last one first: so they would have been
 * entered. Owned by whoever writes chapters.
 */
import { assert } from '../base/assert.js'
import { chapterAddress, chapterList } from '../format/record-name.js'
import { BitWriter } from './bit-writer.js'
import { LIST_START_BITS, PAGE_HEADER_BITS, PAGE_LIST_END, writePageHeader } from './chapter-index-page.js'
import { type DeltaCoding, deltaLength, MAX_LIST_BITS, NAME_BITS, NAME_BYTES } from './delta-code.js'
import { type IndexGeometry, PAGE_BYTES, RECORDS_PER_PAGE } from './geometry.js'
import type { VolumeNonce } from './volume-index-save.js'

/** The list of a place that holds no record of its own. */
const NO_LIST = 0xffff

/** Knows the names of the chapter. */
export interface ChapterNames {
  /** Puts the name of the record in a place of the chapter into `name`. */
  readName(place: number, name: Uint8Array): void
}

export class SortedChapterIndex {
  /** By place in the chapter: list and key. */
  private readonly lists: Uint16Array
  private readonly keys: Uint32Array
  /** Places in the order of lists and keys, and where each list begins among them. */
  private readonly places: Uint32Array
  private readonly starts: Uint32Array
  private readonly bitsOf: Uint32Array
  /** How many lists each page has. */
  private readonly pageLists: Uint16Array
  private readonly out = new BitWriter()
  private readonly coding: DeltaCoding
  /** More entries than that are no list, whatever their keys. */
  private readonly mostEntries: number
  private readonly name = new Uint8Array(NAME_BYTES)
  private added = 0

  constructor(
    private readonly geometry: IndexGeometry,
    private readonly nonce: VolumeNonce,
  ) {
    const { recordsPerChapter, listsPerChapter } = geometry
    this.lists = new Uint16Array(recordsPerChapter)
    this.keys = new Uint32Array(recordsPerChapter)
    this.places = new Uint32Array(recordsPerChapter)
    this.starts = new Uint32Array(listsPerChapter + 1)
    this.bitsOf = new Uint32Array(listsPerChapter)
    this.pageLists = new Uint16Array(geometry.indexPagesPerChapter)
    this.coding = geometry.chapterCoding
    this.mostEntries = Math.floor(MAX_LIST_BITS / (this.coding.payloadBits + this.coding.minBits))
  }

  clear(): void {
    this.added = 0
  }

  /** Enters the record in the next place of the chapter. */
  add(names: Uint8Array, nameAt: number): void {
    const place = this.added++
    this.lists[place] = chapterList(names, nameAt, this.geometry.listsPerChapter)
    this.keys[place] = chapterAddress(names, nameAt)
  }

  /** The next place holds a record that has no entry. */
  skip(): void {
    this.lists[this.added++] = NO_LIST
  }

  /** Sorts what was added and shares it out to pages. False if something has to be left out. */
  plan(): boolean {
    assert(
      this.added === this.geometry.recordsPerChapter,
      'a chapter is indexed when all its places are known',
    )
    this.shareOut()
    const { starts, bitsOf } = this
    for (let list = 0; list < bitsOf.length; list++) {
      if (starts[list + 1] - starts[list] > this.mostEntries) return false
      this.sort(starts[list], starts[list + 1])
      const bits = this.measure(starts[list], starts[list + 1])
      if (bits > MAX_LIST_BITS) return false
      bitsOf[list] = bits
    }
    return this.fillPages()
  }

  /** Makes the page at `at` of the lists that the plan has on it, from `firstList` on, and gives their count. */
  writePage(
    chapter: number,
    indexPage: number,
    firstList: number,
    names: ChapterNames,
    page: Uint8Array,
    at: number,
  ): number {
    const { out, starts, bitsOf } = this
    const count = this.pageLists[indexPage]
    page.fill(0, at, at + PAGE_BYTES)
    writePageHeader(page, at, this.nonce, chapter, firstList, count)
    let bit = PAGE_HEADER_BITS + LIST_START_BITS * (count + 1)
    out.begin(page, at, PAGE_HEADER_BITS)
    for (let list = firstList; list <= firstList + count; list++) {
      out.put(bit, LIST_START_BITS)
      if (list < firstList + count) bit += bitsOf[list]
    }
    for (let list = firstList; list < firstList + count; list++) {
      this.writeList(starts[list], starts[list + 1], names)
    }
    out.end()
    return count
  }

  /** Puts the places of each list together, in the order in which they came. */
  private shareOut(): void {
    const { lists, places, starts } = this
    starts.fill(0)
    for (let place = 0; place < lists.length; place++) {
      const list = lists[place]
      if (list !== NO_LIST) starts[list + 1]++
    }
    for (let list = 1; list < starts.length; list++) starts[list] += starts[list - 1]
    // Each start moves on as its list fills, and is then where the next list begins.
    for (let place = 0; place < lists.length; place++) {
      const list = lists[place]
      if (list !== NO_LIST) places[starts[list]++] = place
    }
    for (let list = starts.length - 1; list > 0; list--) starts[list] = starts[list - 1]
    starts[0] = 0
  }

  /** Sorts some places by their keys; those with one key stay in their order. */
  private sort(from: number, to: number): void {
    const { places, keys } = this
    for (let i = from + 1; i < to; i++) {
      const place = places[i]
      const key = keys[place]
      let j = i
      for (; j > from && keys[places[j - 1]] > key; j--) places[j] = places[j - 1]
      places[j] = place
    }
  }

  /** The bits of a list. */
  private measure(from: number, to: number): number {
    const { places, keys, coding } = this
    const { payloadBits, minBits } = coding
    let bits = 0
    let previous = -1
    for (let i = from; i < to; i++) {
      const key = keys[places[i]]
      if (key === previous) bits += payloadBits + minBits + NAME_BITS
      else bits += payloadBits + deltaLength(coding, previous < 0 ? key : key - previous)
      previous = key
    }
    return bits
  }

  /** Gives each page as many lists as it takes. False if the last cannot take the rest. */
  private fillPages(): boolean {
    const { bitsOf, pageLists } = this
    let list = 0
    for (let page = 0; page < pageLists.length; page++) {
      const first = list
      let free = PAGE_LIST_END - PAGE_HEADER_BITS - LIST_START_BITS
      while (list < bitsOf.length && LIST_START_BITS + bitsOf[list] <= free) {
        free -= LIST_START_BITS + bitsOf[list]
        list++
      }
      pageLists[page] = list - first
    }
    return list === bitsOf.length
  }

  private writeList(from: number, to: number, names: ChapterNames): void {
    const { places, keys } = this
    let previous = 0
    for (let i = from; i < to; ) {
      const key = keys[places[i]]
      this.writeEntry(places[i], key - previous)
      let behind = i + 1
      while (behind < to && keys[places[behind]] === key) behind++
      for (let j = behind - 1; j > i; j--) {
        this.writeEntry(places[j], 0)
        names.readName(places[j], this.name)
        this.out.putBytes(this.name, 0, NAME_BYTES)
      }
      previous = key
      i = behind
    }
  }

  private writeEntry(place: number, delta: number): void {
    const { out } = this
    const { payloadBits, minBits, minKeys, incrKeys } = this.coding
    out.put(Math.floor(place / RECORDS_PER_PAGE), payloadBits)
    if (delta < minKeys) return out.put(delta, minBits)
    const rest = delta - minKeys
    const zeros = Math.floor(rest / incrKeys)
    out.put(minKeys + (rest - zeros * incrKeys), minBits)
    out.putUnary(zeros)
  }
}
