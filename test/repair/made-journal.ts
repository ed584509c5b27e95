/** A recovery journal of eight blocks, made block by block: for cases that no fixture has. */

import { BLOCK_SIZE, JournalOperation, MetadataType, SECTOR_SIZE } from '../../src/format/constants.js'
import {
  journalCheckByte,
  openJournalBlock,
  writeJournalEntry,
  writeJournalHeader,
} from '../../src/format/recovery-journal-block.js'
import type { JournalRing } from '../../src/repair/journal-ring.js'

export const BLOCKS = 8
/** Two sectors and a third of one: blocks are full in the middle of a sector. */
export const CAPACITY = 70
/** Data blocks are those below this one, map pages those from it on. */
export const PAGES_FROM = 5000

const NONCE: readonly [number, number] = [0x1111_2222, 0x3333_4444]
const RECOVERIES = 3

export interface Heads {
  readonly map: number
  readonly slabs: number
}

export class MadeJournal {
  readonly bytes = new Uint8Array(BLOCKS * BLOCK_SIZE)
  start = 1

  /** Writes block `sequence` with `count` entries; entry i maps slot i of a page of its own to block 100 + i. */
  block(sequence: number, count: number, heads: Partial<Heads> = {}): this {
    const { bytes } = this
    const at = this.at(sequence)
    const check = journalCheckByte(sequence, BLOCKS)
    openJournalBlock(bytes, at, sequence, ...NONCE, 10 * sequence, sequence, check, RECOVERIES)
    for (let i = 0; i < count; i++) {
      const page = PAGES_FROM + (sequence % 1000)
      writeJournalEntry(bytes, at, i, JournalOperation.DataRemapping, page, i, 100 + i, 1, 0, 0)
    }
    writeJournalHeader(bytes, at, heads.map ?? 1, heads.slabs ?? 1, count)
    return this
  }

  /** Full blocks from `first` to `last`, both included. */
  full(first: number, last: number, heads: Partial<Heads> = {}): this {
    for (let sequence = first; sequence <= last; sequence++) this.block(sequence, CAPACITY, heads)
    return this
  }

  /** The super block names this sequence number. */
  from(start: number): this {
    this.start = start
    return this
  }

  erase(sequence: number): this {
    this.bytes.fill(0, this.at(sequence), this.at(sequence) + BLOCK_SIZE)
    return this
  }

  /** The sector was not written with the others. */
  tear(sequence: number, sector: number): this {
    const at = this.at(sequence) + sector * SECTOR_SIZE
    this.bytes.fill(0, at, at + SECTOR_SIZE)
    return this
  }

  /** Sets a byte of a block. */
  byte(sequence: number, offset: number, value: number): this {
    this.bytes[this.at(sequence) + offset] = value
    return this
  }

  /** Makes a block one of the format before version 8, as far as its header goes. */
  legacy(sequence: number): this {
    return this.byte(sequence, 32, MetadataType.LegacyRecoveryJournal)
  }

  ring(): JournalRing {
    return {
      bytes: this.bytes,
      blocks: BLOCKS,
      start: this.start,
      nonceLow: NONCE[0],
      nonceHigh: NONCE[1],
      recoveryCount: RECOVERIES,
      entriesPerBlock: CAPACITY,
      physicalBlocks: 10_000,
      isDataBlock: (pbn) => pbn > 0 && pbn < PAGES_FROM,
      isMapPage: (pbn) => pbn >= PAGES_FROM,
    }
  }

  private at(sequence: number): number {
    return (sequence % BLOCKS) * BLOCK_SIZE
  }
}
