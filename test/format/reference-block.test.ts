import { expect } from 'chai'
import fc from 'fast-check'
import { fromHex, toHex } from '../../src/base/bytes.js'
import { BLOCK_SIZE, REFERENCE_PROVISIONAL, REFERENCES_PER_BLOCK } from '../../src/format/constants.js'
import * as reference from '../../src/format/reference-block.js'
import {
  type ExpectedReferenceBlock,
  expectedOf,
  goldenBlock,
  inSharedMemory,
  PLACE,
  takeBlock,
} from './golden.js'

describe('reference block', () => {
  for (const [index, name] of ['clean-reference-block-0', 'clean-reference-block-1'].entries()) {
    const block = expectedOf<ExpectedReferenceBlock>(name)
    const first = index * REFERENCES_PER_BLOCK

    it(`reads what the kernel wrote: ${name}`, () => {
      const bytes = inSharedMemory(goldenBlock(name))
      const counters = new Uint8Array(block.total)
      const free = reference.unpackReferenceBlock(bytes, PLACE, counters, first)
      const found = counters.subarray(first, first + REFERENCES_PER_BLOCK)
      expect(toHex(found)).to.equal(block.counters)
      expect(free).to.equal(found.filter((counter) => counter === 0).length)
      for (const [sector, [sequence, entry]] of block.points.entries()) {
        expect(reference.readCommitSequence(bytes, PLACE, sector)).to.equal(sequence)
        expect(reference.readCommitIndex(bytes, PLACE, sector)).to.equal(entry)
      }
    })

    it(`writes the same bytes as the kernel: ${name}`, () => {
      const counters = new Uint8Array(block.total)
      counters.set(fromHex(block.counters) ?? [], first)
      const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
      const [sequence, entry] = block.points[0]
      reference.packReferenceBlock(bytes, PLACE, counters, first, sequence, entry)
      expect(takeBlock(bytes)).to.deep.equal(goldenBlock(name))
    })
  }

  it('finds the block and the sector of a counter', () => {
    expect([0, 4031, 4032, 7965].map(reference.referenceBlockOf)).to.deep.equal([0, 0, 1, 1])
    expect([0, 503, 504, 4031, 4032].map(reference.referenceSectorOf)).to.deep.equal([0, 0, 1, 7, 0])
  })

  it('reads a provisional counter as free', () => {
    const bytes = new Uint8Array(BLOCK_SIZE)
    const counters = new Uint8Array(REFERENCES_PER_BLOCK).fill(REFERENCE_PROVISIONAL)
    reference.packReferenceBlock(bytes, 0, counters, 0, 1, 0)
    expect(reference.unpackReferenceBlock(bytes, 0, counters, 0)).to.equal(REFERENCES_PER_BLOCK)
    expect(counters.every((counter) => counter === 0)).to.equal(true)
  })

  it('orders commit points by sequence, then by entry', () => {
    const bytes = new Uint8Array(BLOCK_SIZE)
    reference.packReferenceBlock(bytes, 0, new Uint8Array(0), 0, 2 ** 40, 7)
    expect(reference.isCommittedBefore(bytes, 0, 3, 2 ** 40, 8)).to.equal(true)
    expect(reference.isCommittedBefore(bytes, 0, 3, 2 ** 40, 7)).to.equal(false)
    expect(reference.isCommittedBefore(bytes, 0, 3, 2 ** 40 + 1, 0)).to.equal(true)
    expect(reference.isCommittedBefore(bytes, 0, 3, 2 ** 40 - 1, 1352)).to.equal(false)
  })

  it('keeps any counters, and zeros behind the last', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 2 * REFERENCES_PER_BLOCK, size: 'max' }),
        fc.nat(1),
        (counters, index) => {
          const clean = counters.map((counter) => (counter === REFERENCE_PROVISIONAL ? 0 : counter))
          const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
          const first = index * REFERENCES_PER_BLOCK
          reference.packReferenceBlock(bytes, PLACE, clean, first, 2 ** 48 - 1, 0xffff)
          takeBlock(bytes)
          const found = new Uint8Array(2 * REFERENCES_PER_BLOCK)
          reference.unpackReferenceBlock(bytes, PLACE, found, first)
          return found
            .subarray(first, first + REFERENCES_PER_BLOCK)
            .every((counter, at) => counter === (clean[first + at] ?? 0))
        },
      ),
      { seed: 4, numRuns: 50 },
    )
  })
})
