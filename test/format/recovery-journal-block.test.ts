import { expect } from 'chai'
import fc from 'fast-check'
import { BLOCK_SIZE, JOURNAL_ENTRIES_PER_BLOCK, SECTOR_SIZE } from '../../src/format/constants.js'
import * as journal from '../../src/format/recovery-journal-block.js'
import {
  type ExpectedJournalBlock,
  expectedOf,
  goldenBlock,
  highOf,
  inSharedMemory,
  lowOf,
  PLACE,
  takeBlock,
} from './golden.js'

const JOURNAL_BLOCKS = 32768
const PHYSICAL_BLOCKS = 896000

describe('recovery journal block', () => {
  for (const name of [
    'clean-journal-block-5',
    'clean-journal-block-12',
    'crash-journal-block-8',
    'crash-journal-block-12',
  ]) {
    const block = expectedOf<ExpectedJournalBlock>(name)

    it(`reads what the kernel wrote: ${name}`, () => {
      const bytes = inSharedMemory(goldenBlock(name))
      expect(journal.readJournalBlockMapHead(bytes, PLACE)).to.equal(block.blockMapHead)
      expect(journal.readJournalSlabJournalHead(bytes, PLACE)).to.equal(block.slabJournalHead)
      expect(journal.readJournalSequence(bytes, PLACE)).to.equal(block.sequence)
      expect(journal.readJournalType(bytes, PLACE)).to.equal(block.type)
      expect(journal.readJournalEntryCount(bytes, PLACE)).to.equal(block.count)
      expect(journal.readJournalLogicalBlocksUsed(bytes, PLACE)).to.equal(block.logicalUsed)
      expect(journal.readJournalBlockMapDataBlocks(bytes, PLACE)).to.equal(block.dataBlocks)
      expect(journal.readJournalCheckByte(bytes, PLACE)).to.equal(block.check)
      expect(journal.readJournalRecoveryCount(bytes, PLACE)).to.equal(block.recoveryCount)
      const entries = []
      for (let index = 0; index < block.count; index++) {
        const entry = journal.journalEntryAt(PLACE, index)
        expect(journal.isJournalEntryWellFormed(bytes, entry, PHYSICAL_BLOCKS)).to.equal(true)
        entries.push([
          journal.readJournalOperation(bytes, entry),
          journal.readJournalPagePbn(bytes, entry),
          journal.readJournalSlot(bytes, entry),
          journal.readJournalMappingPbn(bytes, entry),
          journal.readJournalMappingState(bytes, entry),
          journal.readJournalUnmappingPbn(bytes, entry),
          journal.readJournalUnmappingState(bytes, entry),
        ])
      }
      expect(entries).to.deep.equal(block.entries)
      let inSectors = 0
      for (let sector = 1; sector <= 7; sector++) {
        const count = journal.readJournalSectorEntryCount(bytes, PLACE, sector)
        expect(journal.isJournalSectorValid(bytes, PLACE, sector)).to.equal(count > 0)
        inSectors += count
      }
      expect(inSectors).to.equal(block.count)
    })

    it(`writes the same bytes as the kernel: ${name}`, () => {
      const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
      const check = journal.journalCheckByte(block.sequence, JOURNAL_BLOCKS)
      journal.openJournalBlock(
        bytes,
        PLACE,
        block.sequence,
        lowOf(block.nonce),
        highOf(block.nonce),
        block.logicalUsed,
        block.dataBlocks,
        check,
        block.recoveryCount,
      )
      for (const [index, entry] of block.entries.entries()) {
        journal.writeJournalEntry(bytes, PLACE, index, ...entry)
      }
      journal.writeJournalHeader(bytes, PLACE, block.blockMapHead, block.slabJournalHead, block.count)
      expect(takeBlock(bytes)).to.deep.equal(goldenBlock(name))
    })

    it(`is a candidate at its ring position and for its volume and recovery count only: ${name}`, () => {
      const bytes = goldenBlock(name)
      const low = lowOf(block.nonce)
      const high = highOf(block.nonce)
      const judge = (position: number, nonceLow: number, nonceHigh: number, recoveries: number) =>
        journal.isJournalCandidate(bytes, 0, position, JOURNAL_BLOCKS, nonceLow, nonceHigh, recoveries)
      expect(judge(block.ringPosition, low, high, 0)).to.equal(true)
      expect(judge(block.ringPosition + 1, low, high, 0)).to.equal(false)
      expect(judge(block.ringPosition, low ^ 1, high, 0)).to.equal(false)
      expect(judge(block.ringPosition, low, high ^ 1, 0)).to.equal(false)
      expect(judge(block.ringPosition, low, high, 1)).to.equal(false)
      for (const type of [0, 2, 4, 255]) {
        bytes[32] = type
        expect(judge(block.ringPosition, low, high, 0)).to.equal(false)
      }
      bytes[32] = 1
      bytes[33] = 311 & 255
      bytes[34] = 311 >> 8
      expect(judge(block.ringPosition, low, high, 0)).to.equal(true)
      bytes[33]++
      expect(judge(block.ringPosition, low, high, 0)).to.equal(false)
      bytes[32] = 3
      bytes[33] = JOURNAL_ENTRIES_PER_BLOCK + 1
      bytes[34] = 0
      expect(judge(block.ringPosition, low, high, 0)).to.equal(false)
    })
  }

  it('gives each trip around the ring another check byte, never 0', () => {
    expect(journal.journalCheckByte(1, JOURNAL_BLOCKS)).to.equal(0x80)
    expect(journal.journalCheckByte(JOURNAL_BLOCKS - 1, JOURNAL_BLOCKS)).to.equal(0x80)
    expect(journal.journalCheckByte(JOURNAL_BLOCKS, JOURNAL_BLOCKS)).to.equal(0x81)
    expect(journal.journalCheckByte(127 * JOURNAL_BLOCKS, JOURNAL_BLOCKS)).to.equal(0xff)
    expect(journal.journalCheckByte(128 * JOURNAL_BLOCKS, JOURNAL_BLOCKS)).to.equal(0x80)
    expect(journal.journalCheckByte(2 ** 48 - 1, JOURNAL_BLOCKS)).to.equal(0xff)
  })

  it('refuses a sector of another trip, another recovery, or with an impossible count', () => {
    const bytes = goldenBlock('clean-journal-block-5')
    for (const [at, value] of [
      [0, 0x81],
      [1, 1],
      [2, 32],
    ] as const) {
      const was = bytes[3 * SECTOR_SIZE + at]
      bytes[3 * SECTOR_SIZE + at] = value
      expect(journal.isJournalSectorValid(bytes, 0, 3)).to.equal(false)
      expect(journal.isJournalSectorValid(bytes, 0, 2)).to.equal(true)
      bytes[3 * SECTOR_SIZE + at] = was
    }
    expect(journal.isJournalSectorValid(bytes, 0, 3)).to.equal(true)
  })

  it('keeps any entries, and asks for their order', () => {
    const entry = fc.tuple(
      fc.nat(1),
      fc.integer({ min: 0, max: 2 ** 36 - 1 }),
      fc.nat(811),
      fc.integer({ min: 0, max: 2 ** 36 - 1 }),
      fc.nat(15),
      fc.integer({ min: 0, max: 2 ** 36 - 1 }),
      fc.nat(15),
    )
    fc.assert(
      fc.property(fc.array(entry, { maxLength: JOURNAL_ENTRIES_PER_BLOCK, size: 'max' }), (entries) => {
        const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE))
        journal.openJournalBlock(bytes, PLACE, 2 ** 48 - 1, 1, 2, 2 ** 40, 2 ** 36, 0xff, 255)
        for (const [index, each] of entries.entries()) journal.writeJournalEntry(bytes, PLACE, index, ...each)
        for (const [index, each] of entries.entries()) {
          const at = journal.journalEntryAt(PLACE, index)
          const found = [
            journal.readJournalOperation(bytes, at),
            journal.readJournalPagePbn(bytes, at),
            journal.readJournalSlot(bytes, at),
            journal.readJournalMappingPbn(bytes, at),
            journal.readJournalMappingState(bytes, at),
            journal.readJournalUnmappingPbn(bytes, at),
            journal.readJournalUnmappingState(bytes, at),
          ]
          if (found.some((value, field) => value !== each[field])) return false
        }
        takeBlock(bytes)
        return journal.readJournalSequence(bytes, PLACE) === 2 ** 48 - 1
      }),
      { seed: 2, numRuns: 30 },
    )
    const bytes = new Uint8Array(BLOCK_SIZE)
    expect(() => journal.writeJournalEntry(bytes, 0, 1, 0, 1, 0, 1, 1, 0, 0)).to.throw('in order')
  })

  it('tells well-formed entries from others', () => {
    const bytes = new Uint8Array(BLOCK_SIZE)
    const judge = (...entry: readonly [number, number, number, number, number, number, number]): boolean => {
      bytes.fill(0)
      journal.writeJournalEntry(bytes, 0, 0, ...entry)
      return journal.isJournalEntryWellFormed(bytes, journal.journalEntryAt(0, 0), 1000)
    }
    expect(judge(0, 999, 811, 5, 1, 0, 0)).to.equal(true)
    expect(judge(0, 999, 811, 0, 0, 5, 15)).to.equal(true)
    expect(judge(0, 999, 811, 0, 1, 0, 1)).to.equal(true)
    expect(judge(1, 999, 0, 5, 1, 0, 0)).to.equal(true)
    expect(judge(0, 1000, 811, 5, 1, 0, 0), 'page beyond the volume').to.equal(false)
    expect(judge(0, 999, 812, 5, 1, 0, 0), 'slot beyond the page').to.equal(false)
    expect(judge(0, 999, 0, 5, 0, 0, 0), 'unmapped with a PBN').to.equal(false)
    expect(judge(0, 999, 0, 5, 1, 0, 2), 'fragment of the zero block').to.equal(false)
    expect(judge(1, 999, 0, 5, 2, 0, 0), 'compressed page').to.equal(false)
    expect(judge(1, 999, 0, 0, 1, 0, 0), 'page at the zero block').to.equal(false)
    expect(judge(1, 999, 0, 5, 1, 6, 1), 'page replaced').to.equal(false)
    expect(judge(2, 999, 0, 5, 1, 0, 0), 'unknown operation').to.equal(false)
    expect(judge(3, 999, 0, 5, 1, 0, 0), 'unknown operation').to.equal(false)
  })

  it('finds legacy entries, 46 a sector and 35 in the last', () => {
    let entries = 0
    for (let sector = 1; sector <= 7; sector++) entries += journal.legacyEntriesInSector(sector)
    expect(entries).to.equal(journal.LEGACY_ENTRIES_PER_BLOCK)
    expect(journal.legacyJournalEntryAt(BLOCK_SIZE, 1, 0)).to.equal(BLOCK_SIZE + 515)
    expect(journal.legacyJournalEntryAt(BLOCK_SIZE, 7, 34)).to.equal(BLOCK_SIZE + 7 * 512 + 3 + 34 * 11)
  })
})
