import { expect } from 'chai'
import fc from 'fast-check'
import { writeU16 } from '../../src/base/bytes.js'
import * as compressed from '../../src/format/compressed-block.js'
import { BLOCK_SIZE, MAXIMUM_FRAGMENTS } from '../../src/format/constants.js'
import { expectedOf, goldenBlock, inSharedMemory, PLACE, takeBlock } from './golden.js'

const { fragments } = expectedOf<{ fragments: [number, number, string][] }>('clean-compressed-block')

describe('compressed block', () => {
  it('finds all 14 fragments that the kernel packed', () => {
    const bytes = inSharedMemory(goldenBlock('clean-compressed-block'))
    expect(fragments.length).to.equal(MAXIMUM_FRAGMENTS)
    for (const [slot, [start, size]] of fragments.entries()) {
      expect(compressed.findFragment(bytes, PLACE, slot)).to.equal(start)
      expect(compressed.readFragmentSize(bytes, PLACE, slot)).to.equal(size)
    }
  })

  it('writes the same header as the kernel', () => {
    const golden = goldenBlock('clean-compressed-block')
    const bytes = inSharedMemory(golden)
    compressed.openCompressedBlock(bytes, PLACE)
    for (const [slot, [, size]] of fragments.entries()) compressed.writeFragmentSize(bytes, PLACE, slot, size)
    expect(takeBlock(bytes)).to.deep.equal(golden)
  })

  it('finds nothing in a block of another version, in an unused slot, beyond the block or its slots', () => {
    const bytes = new Uint8Array(BLOCK_SIZE)
    compressed.openCompressedBlock(bytes, 0)
    compressed.writeFragmentSize(bytes, 0, 0, 4059)
    compressed.writeFragmentSize(bytes, 0, 1, 1)
    expect(compressed.findFragment(bytes, 0, 0)).to.equal(36)
    expect(compressed.findFragment(bytes, 0, 1)).to.equal(36 + 4059)
    expect(compressed.findFragment(bytes, 0, 2), 'starts at the end').to.equal(-1)
    compressed.writeFragmentSize(bytes, 0, 1, 2)
    expect(compressed.findFragment(bytes, 0, 1), 'one byte too many').to.equal(-1)
    compressed.writeFragmentSize(bytes, 0, 1, 0)
    expect(compressed.findFragment(bytes, 0, 1), 'unused').to.equal(-1)
    expect(compressed.findFragment(bytes, 0, -1)).to.equal(-1)
    expect(compressed.findFragment(bytes, 0, 14)).to.equal(-1)
    for (const at of [0, 1, 4]) {
      bytes[at]++
      expect(compressed.findFragment(bytes, 0, 0)).to.equal(-1)
      bytes[at]--
    }
  })

  it('never leads outside the payload, whatever the sizes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(0xffff), { minLength: 14, maxLength: 14 }),
        fc.boolean(),
        (sizes, small) => {
          const bytes = new Uint8Array(BLOCK_SIZE)
          compressed.openCompressedBlock(bytes, 0)
          const stored = sizes.map((size) => (small ? size % 400 : size))
          for (const [slot, size] of stored.entries()) writeU16(bytes, 8 + 2 * slot, size)
          let start = 36
          for (const [slot, size] of stored.entries()) {
            const found = compressed.findFragment(bytes, 0, slot)
            expect(found).to.equal(size > 0 && start + size <= BLOCK_SIZE ? start : -1)
            start += size
          }
        },
      ),
      { seed: 6 },
    )
  })

  it('names fragments by state', () => {
    expect(compressed.stateOfFragment(0)).to.equal(2)
    expect(compressed.stateOfFragment(13)).to.equal(15)
    expect(compressed.fragmentOfState(15)).to.equal(13)
    expect(compressed.fragmentOfState(1)).to.be.below(0)
  })
})
