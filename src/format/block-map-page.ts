/**
 * A block map page: the same at all five heights of a tree, exactly full.
 *
 * | offset | size    | field                                                     |
 * |--------|---------|-----------------------------------------------------------|
 * | 0      | 8       | version 4.1 (two u32)                                     |
 * | 8      | 8       | nonce of the volume                                       |
 * | 16     | 8       | PBN of this page                                          |
 * | 24     | 8       | unused: written 0, old volumes may hold something         |
 * | 32     | 1       | initialized: 0 or 1                                       |
 * | 33     | 3       | unused: written 0                                         |
 * | 36     | 5 × 812 | entries (block-map-entry.ts)                              |
 *
 * There is no checksum. A page's first write happens twice, first with `initialized` 0, so that a torn first
 * write never leaves a valid header over stale entries. Functions take the bytes, where the page starts in them,
 * and the nonce as two unsigned words; they allocate nothing.
 */

import { assert } from '../base/assert.js'
import { equalsWords, readU32, readU64, writeU32, writeU64 } from '../base/bytes.js'
import { readLocationPbn, readLocationState, writeLocation } from './block-map-entry.js'
import { BLOCK_SIZE, ENTRIES_PER_PAGE, MAP_ENTRY_SIZE } from './constants.js'

const MAJOR_VERSION = 4
const MINOR_VERSION = 1

const MINOR_AT = 4
const NONCE_AT = 8
const PBN_AT = 16
const INITIALIZED_AT = 32
const ENTRIES_AT = 36

assert(ENTRIES_AT + ENTRIES_PER_PAGE * MAP_ENTRY_SIZE === BLOCK_SIZE, 'a block map page is exactly full')

/** What a page read from the disk is worth. */
export enum PageVerdict {
  Valid = 0,
  /** Never written by this volume, or torn in its first write: stands for 812 unmapped entries. */
  Invalid = 1,
  /** Written by this volume, but for another place: an error in a leaf, an empty page elsewhere. */
  Bad = 2,
}

export function readEntryPbn(bytes: Uint8Array, page: number, slot: number): number {
  return readLocationPbn(bytes, page + ENTRIES_AT + slot * MAP_ENTRY_SIZE)
}

export function readEntryState(bytes: Uint8Array, page: number, slot: number): number {
  return readLocationState(bytes, page + ENTRIES_AT + slot * MAP_ENTRY_SIZE)
}

export function writeEntry(bytes: Uint8Array, page: number, slot: number, pbn: number, state: number): void {
  writeLocation(bytes, page + ENTRIES_AT + slot * MAP_ENTRY_SIZE, pbn, state)
}

/** Makes an empty page: a header for `pbn`, and 812 unmapped entries. */
export function formatPage(
  bytes: Uint8Array,
  page: number,
  nonceLow: number,
  nonceHigh: number,
  pbn: number,
  initialized: boolean,
): void {
  bytes.fill(0, page, page + BLOCK_SIZE)
  writeU32(bytes, page, MAJOR_VERSION)
  writeU32(bytes, page + MINOR_AT, MINOR_VERSION)
  writeU32(bytes, page + NONCE_AT, nonceLow)
  writeU32(bytes, page + NONCE_AT + 4, nonceHigh)
  writeU64(bytes, page + PBN_AT, pbn)
  bytes[page + INITIALIZED_AT] = initialized ? 1 : 0
}

/** Judges a page that was read from `pbn`. */
export function judgePage(
  bytes: Uint8Array,
  page: number,
  nonceLow: number,
  nonceHigh: number,
  pbn: number,
): PageVerdict {
  if (!isPageOf(bytes, page, nonceLow, nonceHigh) || !isPageInitialized(bytes, page))
    return PageVerdict.Invalid
  return readPagePbn(bytes, page) === pbn ? PageVerdict.Valid : PageVerdict.Bad
}

/** Whether the header is that of a page of this volume, be it initialized or not. */
export function isPageOf(bytes: Uint8Array, page: number, nonceLow: number, nonceHigh: number): boolean {
  return (
    readU32(bytes, page) === MAJOR_VERSION &&
    readU32(bytes, page + MINOR_AT) === MINOR_VERSION &&
    equalsWords(bytes, page + NONCE_AT, nonceLow, nonceHigh)
  )
}

export function readPagePbn(bytes: Uint8Array, page: number): number {
  return readU64(bytes, page + PBN_AT)
}

export function isPageInitialized(bytes: Uint8Array, page: number): boolean {
  return bytes[page + INITIALIZED_AT] !== 0
}

export function setPageInitialized(bytes: Uint8Array, page: number, initialized: boolean): void {
  bytes[page + INITIALIZED_AT] = initialized ? 1 : 0
}
