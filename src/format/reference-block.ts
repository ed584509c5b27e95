/**
 * A reference count block: eight sectors, each with its own commit point, so that a torn write is eight sectors
 * that are each true by their own point.
 *
 * | offset in sector | size | field                                                     |
 * |------------------|------|-----------------------------------------------------------|
 * | 0                | 2    | commit point: entry index in the slab journal block       |
 * | 2                | 6    | commit point: sequence number of the slab journal block   |
 * | 8                | 504  | counters, a byte each                                     |
 *
 * The commit point is the slab journal position of the last entry applied to any counter of the slab when the
 * block was written; 0 before the first. A counter is 0 (free), 1 to 254, or 255: provisional, a mark of memory
 * that may be caught on disk and is read as free. Everything works in place and allocates nothing; `block` is
 * where the block starts in `bytes`.
 */

import { assert } from '../base/assert.js'
import { readU16, readU48, writeU16, writeU48 } from '../base/bytes.js'
import {
  REFERENCE_FREE,
  REFERENCE_PROVISIONAL,
  REFERENCES_PER_BLOCK,
  REFERENCES_PER_SECTOR,
  SECTOR_SIZE,
  SECTORS_PER_BLOCK,
} from './constants.js'

const COMMIT_INDEX_AT = 0
const COMMIT_SEQUENCE_AT = 2
const COUNTERS_AT = 8

assert(COUNTERS_AT + REFERENCES_PER_SECTOR === SECTOR_SIZE, 'a reference sector is exactly full')

/** Which reference block of its slab holds the counter of `sbn`. */
export function referenceBlockOf(sbn: number): number {
  return Math.floor(sbn / REFERENCES_PER_BLOCK)
}

/** Which sector of its reference block holds the counter of `sbn`. */
export function referenceSectorOf(sbn: number): number {
  return Math.floor((sbn % REFERENCES_PER_BLOCK) / REFERENCES_PER_SECTOR)
}

/**
 * Fills a block with the counters from `first` on, and gives each sector the same commit point. Where
 * `counters` ends before the block does, the rest is 0.
 */
export function packReferenceBlock(
  bytes: Uint8Array,
  block: number,
  counters: Uint8Array,
  first: number,
  commitSequence: number,
  commitIndex: number,
): void {
  let from = first
  for (let sector = 0; sector < SECTORS_PER_BLOCK; sector++) {
    const at = block + sector * SECTOR_SIZE
    writeU16(bytes, at + COMMIT_INDEX_AT, commitIndex)
    writeU48(bytes, at + COMMIT_SEQUENCE_AT, commitSequence)
    const start = at + COUNTERS_AT
    const count = Math.max(0, Math.min(REFERENCES_PER_SECTOR, counters.length - from))
    for (let i = 0; i < count; i++) bytes[start + i] = counters[from + i]
    if (count < REFERENCES_PER_SECTOR)
      bytes.fill(REFERENCE_FREE, start + count, start + REFERENCES_PER_SECTOR)
    from += REFERENCES_PER_SECTOR
  }
}

/** Copies a block's counters into `counters` from `first` on, as many as there is room for; returns how many of them are free. */
export function unpackReferenceBlock(
  bytes: Uint8Array,
  block: number,
  counters: Uint8Array,
  first: number,
): number {
  let to = first
  let free = 0
  for (let sector = 0; sector < SECTORS_PER_BLOCK; sector++) {
    const start = block + sector * SECTOR_SIZE + COUNTERS_AT
    const count = Math.max(0, Math.min(REFERENCES_PER_SECTOR, counters.length - to))
    for (let i = 0; i < count; i++) {
      const stored = bytes[start + i]
      const counter = stored === REFERENCE_PROVISIONAL ? REFERENCE_FREE : stored
      if (counter === REFERENCE_FREE) free++
      counters[to + i] = counter
    }
    to += REFERENCES_PER_SECTOR
  }
  return free
}

/** Sequence part of a sector's commit point. */
export function readCommitSequence(bytes: Uint8Array, block: number, sector: number): number {
  return readU48(bytes, block + sector * SECTOR_SIZE + COMMIT_SEQUENCE_AT)
}

/** Index part of a sector's commit point. */
export function readCommitIndex(bytes: Uint8Array, block: number, sector: number): number {
  return readU16(bytes, block + sector * SECTOR_SIZE + COMMIT_INDEX_AT)
}

/** Whether a sector was written before slab journal entry `index` of block `sequence` was applied. */
export function isCommittedBefore(
  bytes: Uint8Array,
  block: number,
  sector: number,
  sequence: number,
  index: number,
): boolean {
  const committed = readCommitSequence(bytes, block, sector)
  return committed < sequence || (committed === sequence && readCommitIndex(bytes, block, sector) < index)
}
