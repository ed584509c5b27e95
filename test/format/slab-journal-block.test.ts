import { expect } from 'chai'
import fc from 'fast-check'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import * as slab from '../../src/format/slab-journal-block.js'
import {
  type ExpectedSlabJournalBlock,
  expectedOf,
  goldenBlock,
  highOf,
  inSharedMemory,
  lowOf,
  PLACE,
  takeBlock,
} from './golden.js'

describe('slab journal block', () => {
  for (const name of [
    'clean-slab-journal-block-1',
    'clean-slab-journal-block-2',
    'crash-slab-journal-block-1',
  ]) {
    const block = expectedOf<ExpectedSlabJournalBlock>(name)

    it(`reads what the kernel wrote: ${name}`, () => {
      const bytes = inSharedMemory(goldenBlock(name))
      expect(slab.isSlabJournalBlock(bytes, PLACE, lowOf(block.nonce), highOf(block.nonce))).to.equal(true)
      expect(slab.isSlabJournalBlock(bytes, PLACE, lowOf(block.nonce) ^ 1, highOf(block.nonce))).to.equal(
        false,
      )
      expect(slab.readSlabJournalHead(bytes, PLACE)).to.equal(block.head)
      expect(slab.readSlabJournalSequence(bytes, PLACE)).to.equal(block.sequence)
      expect(slab.readSlabJournalRecoverySequence(bytes, PLACE)).to.equal(block.recoverySequence)
      expect(slab.readSlabJournalRecoveryIndex(bytes, PLACE)).to.equal(block.recoveryIndex)
      expect(slab.readSlabJournalType(bytes, PLACE)).to.equal(block.type)
      expect(slab.hasMapIncrements(bytes, PLACE)).to.equal(block.hasMapIncrements === 1)
      expect(slab.readSlabJournalEntryCount(bytes, PLACE)).to.equal(block.count)
      const entries = []
      for (let index = 0; index < block.count; index++) {
        entries.push([
          slab.readSlabJournalEntrySbn(bytes, PLACE, index),
          slab.isSlabJournalIncrement(bytes, PLACE, index) ? 1 : 0,
          slab.isSlabJournalMapIncrement(bytes, PLACE, index) ? 1 : 0,
        ])
      }
      expect(entries).to.deep.equal(block.entries)
    })

    it(`writes the same bytes as the kernel: ${name}`, () => {
      const golden = goldenBlock(name)
      // Bytes behind the entries are unspecified: start from those that the kernel left there.
      const bytes = inSharedMemory(golden)
      slab.openSlabJournalBlock(bytes, PLACE, block.sequence, lowOf(block.nonce), highOf(block.nonce))
      for (const [index, [sbn, increment, map]] of block.entries.entries()) {
        const at = slab.appendSlabJournalEntry(
          bytes,
          PLACE,
          sbn,
          increment === 1,
          map === 1,
          block.recoverySequence,
          block.recoveryIndex,
        )
        expect(at).to.equal(index)
      }
      slab.writeSlabJournalHead(bytes, PLACE, block.head)
      expect(takeBlock(bytes)).to.deep.equal(golden)
    })
  }

  it('holds 1353 entries, or 1299 when one is a block map increment', () => {
    const bytes = new Uint8Array(BLOCK_SIZE)
    const fill = (mapIncrementAt: number): number => {
      slab.openSlabJournalBlock(bytes, 0, 1, 2, 3)
      let index = 0
      while (slab.slabJournalHasRoom(bytes, 0, index === mapIncrementAt)) {
        slab.appendSlabJournalEntry(bytes, 0, 2 ** 23 - 1, true, index === mapIncrementAt, 1, index)
        index++
      }
      return index
    }
    expect(fill(-1)).to.equal(slab.slabJournalCapacity(false))
    expect(bytes.subarray(36, 36 + 3 * 1353).every((byte) => byte === 0xff)).to.equal(true)
    expect(fill(0)).to.equal(slab.slabJournalCapacity(true))
    expect(fill(1298)).to.equal(1299)
    // The block is closed as it is: it has room for data, none for a block map increment.
    expect(fill(1299)).to.equal(1299)
    expect(slab.hasMapIncrements(bytes, 0)).to.equal(false)
    expect(slab.slabJournalHasRoom(bytes, 0, false)).to.equal(true)
    expect(slab.isSlabJournalBlock(bytes, 0, 2, 3)).to.equal(true)
    bytes[33] = 1
    expect(slab.isSlabJournalBlock(bytes, 0, 2, 3)).to.equal(true)
    bytes[34]++
    expect(slab.isSlabJournalBlock(bytes, 0, 2, 3)).to.equal(false)
    expect(() => slab.appendSlabJournalEntry(bytes, 0, 1, true, false, 1, 1)).to.throw('needs room')
    expect(() => {
      slab.openSlabJournalBlock(bytes, 0, 1, 2, 3)
      slab.appendSlabJournalEntry(bytes, 0, 1, false, true, 1, 1)
    }).to.throw('is an increment')
  })

  it('keeps any entries over whatever was there before', () => {
    const entry = fc.tuple(fc.nat(2 ** 23 - 1), fc.constantFrom('increment', 'decrement', 'map'))
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 1299, size: 'max' }),
        fc.nat(2 ** 31 - 1),
        (entries, sequence) => {
          const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
          const point = 2 ** 47 + sequence
          slab.openSlabJournalBlock(bytes, PLACE, point, 0xffff_ffff, 0)
          for (const [index, [sbn, kind]] of entries.entries()) {
            slab.appendSlabJournalEntry(bytes, PLACE, sbn, kind !== 'decrement', kind === 'map', point, index)
          }
          takeBlock(bytes)
          if (entries.length > 0) {
            expect(slab.readSlabJournalRecoverySequence(bytes, PLACE)).to.equal(point)
            expect(slab.readSlabJournalRecoveryIndex(bytes, PLACE)).to.equal(entries.length - 1)
          }
          return entries.every(
            ([sbn, kind], index) =>
              slab.readSlabJournalEntrySbn(bytes, PLACE, index) === sbn &&
              slab.isSlabJournalIncrement(bytes, PLACE, index) === (kind !== 'decrement') &&
              slab.isSlabJournalMapIncrement(bytes, PLACE, index) === (kind === 'map'),
          )
        },
      ),
      { seed: 3, numRuns: 30 },
    )
  })
})
