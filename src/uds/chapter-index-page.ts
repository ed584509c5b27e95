/**
 * A page of a chapter's index, as it rests: delta lists that lead from a name to the record page that may hold it.
 *
 * | offset            | size             | field                                                       |
 * |-------------------|------------------|--------------------------------------------------------------|
 * | 0                 | 8                | nonce of the volume of chapters                              |
 * | 8                 | 8                | chapter, counted for ever                                    |
 * | 16                | 2                | the first list on this page                                  |
 * | 18                | 2                | how many lists are on it, n                                  |
 * | bit 160           | 19 bits, n + 1 × | the bit of the page where each list begins; the last one ends |
 * | bit 160 + 19(n+1) |                  | the lists, back to back, coded as `delta-code` tells         |
 * | 32761             | 7                | a guard of ones                                              |
 *
 * What lies between the lists and the guard means nothing. Very old volumes have the four fields in front with
 * their highest byte first; `admitIndexPage` turns those of the page in memory round, so that nobody else has to
 * know. A page is looked at only after that: then its lists lie within it, whatever is in them.
 */
import { equalsWords, readU16, readU64, writeU16, writeU32, writeU64 } from '../base/bytes.js'
import { chapterAddress, chapterList } from '../format/record-name.js'
import {
  deltaLength,
  equalsName,
  NAME_BITS,
  NAME_BYTES,
  NO_DELTA,
  readBits,
  readDelta,
} from './delta-code.js'
import { type IndexGeometry, PAGE_BYTES } from './geometry.js'
import type { VolumeNonce } from './volume-index-save.js'

const CHAPTER_OFFSET = 8
const FIRST_LIST_OFFSET = 16
const LIST_COUNT_OFFSET = 18
export const PAGE_HEADER_BITS = 160
export const LIST_START_BITS = 19
const PAGE_GUARD_BYTES = 7
/** Bits of a page that are not the guard. */
export const PAGE_LIST_END = (PAGE_BYTES - PAGE_GUARD_BYTES) * 8
const MAX_PAGE_LISTS = Math.floor(((PAGE_BYTES - PAGE_HEADER_BITS / 8) * 8) / LIST_START_BITS)

/** What `findInIndexPage` says of a name that the chapter does not hold, and of a list that is damaged. */
export const NO_RECORD_PAGE = -1
export const DAMAGED_LIST = -2

/**
 * Whether the bytes at `at` are a page of an index of this volume, which everything else here takes for granted.
 * One with its fields the other way round is turned.
 */
export function admitIndexPage(page: Uint8Array, at: number, nonce: VolumeNonce): boolean {
  if (isIndexPage(page, at, nonce)) return true
  turnHeader(page, at)
  if (isIndexPage(page, at, nonce)) return true
  turnHeader(page, at)
  return false
}

/** The chapter of a page. A number that is no chapter is rounded, and still none. */
export function chapterOfPage(page: Uint8Array, at: number): number {
  return readU64(page, at + CHAPTER_OFFSET)
}

export function firstListOfPage(page: Uint8Array, at: number): number {
  return readU16(page, at + FIRST_LIST_OFFSET)
}

export function listCountOfPage(page: Uint8Array, at: number): number {
  return readU16(page, at + LIST_COUNT_OFFSET)
}

/** The bit where list `list` of those on the page begins; that of the count is where the last one ends. */
export function listStart(page: Uint8Array, at: number, list: number): number {
  return readBits(page, at, PAGE_HEADER_BITS + LIST_START_BITS * list, LIST_START_BITS)
}

/** Writes what stands before the lists, but for their places. */
export function writePageHeader(
  page: Uint8Array,
  at: number,
  nonce: VolumeNonce,
  chapter: number,
  firstList: number,
  lists: number,
): void {
  writeU32(page, at, nonce.low)
  writeU32(page, at + 4, nonce.high)
  writeU64(page, at + CHAPTER_OFFSET, chapter)
  writeU16(page, at + FIRST_LIST_OFFSET, firstList)
  writeU16(page, at + LIST_COUNT_OFFSET, lists)
  page.fill(0xff, at + PAGE_BYTES - PAGE_GUARD_BYTES, at + PAGE_BYTES)
}

/** The record page of a name, `NO_RECORD_PAGE`, or `DAMAGED_LIST`. The page has the name's list. */
export function findInIndexPage(
  geometry: IndexGeometry,
  page: Uint8Array,
  at: number,
  names: Uint8Array,
  nameAt: number,
): number {
  const list = chapterList(names, nameAt, geometry.listsPerChapter) - firstListOfPage(page, at)
  if (list < 0 || list >= listCountOfPage(page, at)) return DAMAGED_LIST
  const coding = geometry.chapterCoding
  const { payloadBits, minBits, minKeys, incrKeys } = coding
  const codeMask = (1 << minBits) - 1
  const key = chapterAddress(names, nameAt)
  const start = listStart(page, at, list)
  const end = listStart(page, at, list + 1)
  let reached = 0
  let found = NO_RECORD_PAGE
  for (let bit = start; bit < end; ) {
    const codeBit = bit + payloadBits
    const byte = at + (codeBit >>> 3)
    const word =
      (page[byte] | (page[byte + 1] << 8) | (page[byte + 2] << 16) | (page[byte + 3] << 24)) >>> (codeBit & 7)
    let delta = word & codeMask
    let behind = codeBit + minBits
    if (delta >= minKeys) {
      const rest = word >>> minBits
      if (rest !== 0) {
        const zeros = 31 - Math.clz32(rest & -rest)
        delta += zeros * incrKeys
        behind += zeros + 1
      } else {
        // More zeros than a word has room for.
        delta = readDelta(coding, page, at, codeBit, end)
        if (delta === NO_DELTA) return DAMAGED_LIST
        behind = codeBit + deltaLength(coding, delta)
      }
    }
    if (delta === 0 && bit !== start) {
      // A collision: it has the key of the entry before it, and a name of its own.
      if (behind + NAME_BITS > end) return DAMAGED_LIST
      if (reached === key && equalsName(page, at, behind, names, nameAt)) {
        return recordPage(geometry, readBits(page, at, bit, payloadBits))
      }
      bit = behind + NAME_BITS
      continue
    }
    if (behind > end) return DAMAGED_LIST
    reached += delta
    if (reached > key) break
    if (reached === key) found = recordPage(geometry, readBits(page, at, bit, payloadBits))
    bit = behind
  }
  return found
}

/** Calls `visit` for every entry of a page; only a collision has a name. False at the first thing that is wrong. */
export function walkIndexPage(
  geometry: IndexGeometry,
  page: Uint8Array,
  at: number,
  visit?: (list: number, key: number, recordPage: number, name: Uint8Array | undefined) => void,
): boolean {
  const coding = geometry.chapterCoding
  const { payloadBits } = coding
  const first = firstListOfPage(page, at)
  const lists = listCountOfPage(page, at)
  for (let list = 0; list < lists; list++) {
    const start = listStart(page, at, list)
    const end = listStart(page, at, list + 1)
    let key = 0
    for (let bit = start; bit < end; ) {
      const delta = readDelta(coding, page, at, bit + payloadBits, end)
      if (delta === NO_DELTA) return false
      const payload = readBits(page, at, bit, payloadBits)
      if (payload >= geometry.recordPagesPerChapter) return false
      const isCollision = delta === 0 && bit !== start
      bit += payloadBits + deltaLength(coding, delta) + (isCollision ? NAME_BITS : 0)
      if (bit > end) return false
      key += delta
      visit?.(first + list, key, payload, isCollision ? nameBefore(page, at, bit) : undefined)
    }
  }
  return true
}

function isIndexPage(page: Uint8Array, at: number, nonce: VolumeNonce): boolean {
  if (!equalsWords(page, at, nonce.low, nonce.high)) return false
  const lists = listCountOfPage(page, at)
  if (lists > MAX_PAGE_LISTS) return false
  let place = listStart(page, at, 0)
  if (place !== PAGE_HEADER_BITS + LIST_START_BITS * (lists + 1)) return false
  for (let list = 1; list <= lists; list++) {
    const next = listStart(page, at, list)
    if (next < place) return false
    place = next
  }
  if (place > PAGE_LIST_END) return false
  for (let i = PAGE_BYTES - PAGE_GUARD_BYTES; i < PAGE_BYTES; i++) if (page[at + i] !== 0xff) return false
  return true
}

/** Turns the bytes of each field in front round. */
function turnHeader(page: Uint8Array, at: number): void {
  turn(page, at, 8)
  turn(page, at + CHAPTER_OFFSET, 8)
  turn(page, at + FIRST_LIST_OFFSET, 2)
  turn(page, at + LIST_COUNT_OFFSET, 2)
}

function turn(page: Uint8Array, at: number, count: number): void {
  for (let i = at, j = at + count - 1; i < j; i++, j--) {
    const byte = page[i]
    page[i] = page[j]
    page[j] = byte
  }
}

function recordPage(geometry: IndexGeometry, payload: number): number {
  return payload < geometry.recordPagesPerChapter ? payload : DAMAGED_LIST
}

function nameBefore(page: Uint8Array, at: number, bit: number): Uint8Array {
  const name = new Uint8Array(NAME_BYTES)
  for (let i = 0; i < NAME_BYTES; i++) name[i] = readBits(page, at, bit - NAME_BITS + 8 * i, 8)
  return name
}
