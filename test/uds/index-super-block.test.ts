import { expect } from 'chai'
import fc from 'fast-check'
import { toHex, writeU32 } from '../../src/base/bytes.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { IndexError } from '../../src/uds/index-error.js'
import { nonceInfoOf, primaryNonce, volumeNonceOf } from '../../src/uds/index-nonces.js'
import {
  blocksOf,
  decodeIndexSuperBlock,
  encodeIndexSuperBlock,
  type IndexSuperBlock,
  indexStartOf,
  slotStartOf,
} from '../../src/uds/index-super-block.js'
import { HEADS, headOf } from './index-heads.js'
import { indexRefusal } from './index-refusal.js'

describe('the super block of an index', () => {
  for (const { facts, superBlock, volumeNonce } of HEADS) {
    it(`of ${facts.name} is decoded and encoded byte for byte`, () => {
      const block = decodeIndexSuperBlock(superBlock, 1)
      expect(blocksOf(block)).to.equal(facts.blocks)
      expect(block.reduced).to.equal(false)
      expect(volumeNonceOf(block.nonce, indexStartOf(block))).to.equal(volumeNonce)
      expect(toHex(encodeIndexSuperBlock(block))).to.equal(toHex(superBlock))
    })
  }

  it('begins as the format has it', () => {
    const { superBlock } = headOf('kernel-clean1')
    expect(toHex(superBlock.subarray(0, 24))).to.equal(
      '31306e6752626c41d75c0a0000000000010001000700' + '6800',
    )
    expect(slotStartOf(decodeIndexSuperBlock(superBlock, 1), 0)).to.equal(573_451)
  })

  describe('of an index that was reduced', () => {
    const info = nonceInfoOf(5n, 6)
    // A chapter of 0.25 GB has 560 blocks; the device begins 500 blocks later than it did.
    const reduced: IndexSuperBlock = {
      start: 1,
      volumeBlocks: 572_888,
      saveBlocks: 52_838,
      openChapterBlocks: 513,
      pageMapBlocks: 3,
      nonceInfo: info,
      nonce: primaryNonce(info),
      volumeOffset: 560,
      startOffset: 500,
      reduced: true,
    }

    it('keeps the old numbers of its regions', () => {
      const bytes = encodeIndexSuperBlock(reduced)
      expect(decodeIndexSuperBlock(bytes, 61)).to.deep.equal(reduced)
      expect(blocksOf(reduced)).to.equal(678_567)
      expect(slotStartOf(reduced, 0)).to.equal(573_451)
      expect(slotStartOf(reduced, 1)).to.equal(626_289)
      expect(indexRefusal(() => decodeIndexSuperBlock(bytes, 1)).message).to.match(/region 0 is .* wanted/)
    })

    it('is refused if it lies before its start', () => {
      const bytes = encodeIndexSuperBlock({ ...reduced, startOffset: 600 })
      const { code, message } = indexRefusal(() => decodeIndexSuperBlock(bytes, 61))
      expect(code).to.equal('VDO_INDEX_CORRUPT')
      expect(message).to.equal(
        'Cannot read the index super block: it starts 600 blocks later and lies 560 farther on',
      )
    })
  })

  it('is refused for what is wrong with it', () => {
    const { superBlock } = headOf('dense1-clean')
    const payload = 24 + 7 * 24
    const judge = (change: (bytes: Uint8Array) => void) => {
      const bytes = superBlock.slice()
      change(bytes)
      const { code, message } = indexRefusal(() => decodeIndexSuperBlock(bytes, 1))
      return `${code} ${message.replace('Cannot read the index super block: ', '')}`
    }
    expect(judge((bytes) => bytes.fill(0))).to.equal(
      'VDO_INDEX_MISSING Cannot open the index super block: no region table is there',
    )
    expect(judge((bytes) => writeU32(bytes, 18, 0x0007_0002))).to.equal(
      'VDO_INDEX_UNSUPPORTED its region table has version 2, wanted 1',
    )
    expect(judge((bytes) => bytes.fill(2, 16, 17))).to.equal('VDO_INDEX_CORRUPT its type is 2, wanted 1')
    expect(judge((bytes) => bytes.fill(255, 22, 24))).to.equal(
      'VDO_INDEX_CORRUPT 7 regions and 65535 bytes more are too much for a block',
    )
    expect(judge((bytes) => bytes.fill(0, payload, payload + 1))).to.equal(
      'VDO_INDEX_CORRUPT its label is another',
    )
    for (const version of [2, 4, 6, 8]) {
      expect(judge((bytes) => writeU32(bytes, payload + 72, version))).to.equal(
        `VDO_INDEX_UNSUPPORTED its version is ${version}, wanted 3 or 7`,
      )
    }
    expect(judge((bytes) => writeU32(bytes, payload + 76, 512))).to.equal(
      'VDO_INDEX_CORRUPT its size of a block is 512, wanted 4096',
    )
    expect(judge((bytes) => bytes.fill(9, payload + 32, payload + 33))).to.match(
      /^VDO_INDEX_CORRUPT its nonce is \d+, wanted \d+$/,
    )
    expect(judge((bytes) => bytes.fill(9, 24 + 3 * 24, 24 + 3 * 24 + 1))).to.match(
      /^VDO_INDEX_CORRUPT region 3 is 1128 blocks of kind 201 from block 9 on, wanted 1128 .* block 3 on$/,
    )
    expect(judge((bytes) => bytes.fill(9, 8, 9))).to.equal(
      'VDO_INDEX_CORRUPT its count of blocks is 1801, wanted 1879',
    )
    expect(indexRefusal(() => decodeIndexSuperBlock(superBlock.subarray(0, 100), 1)).message).to.equal(
      'Cannot read the index super block: there are 100 bytes of it, wanted 4096',
    )
    expect(indexRefusal(() => decodeIndexSuperBlock(superBlock, 2)).message).to.match(
      /from block 1 on, wanted/,
    )
  })

  it('with any bits flipped is refused, or says the same', () => {
    const flips = fc.array(fc.tuple(fc.nat(319), fc.nat(7)), { minLength: 1, maxLength: 4 })
    const run = fc.property(fc.constantFrom(...HEADS), flips, ({ superBlock }, changes) => {
      const bytes = superBlock.slice()
      for (const [at, bit] of changes) bytes[at]! ^= 1 << bit
      try {
        expect(decodeIndexSuperBlock(bytes, 1)).to.deep.include(sizesOf(decodeIndexSuperBlock(superBlock, 1)))
      } catch (error) {
        if (!(error instanceof IndexError)) throw error
      }
    })
    fc.assert(run, { seed: 311, numRuns: 3000 })
  })

  it('of any other bytes is refused', () => {
    const run = fc.property(fc.uint8Array({ minLength: 0, maxLength: 5000 }), (bytes) => {
      expect(indexRefusal(() => decodeIndexSuperBlock(bytes, 1))).to.be.instanceOf(IndexError)
      const block = new Uint8Array(BLOCK_SIZE)
      block.set(headOf('dense1-clean').superBlock.subarray(0, 24))
      block.set(bytes.subarray(0, BLOCK_SIZE - 24), 24)
      expect(indexRefusal(() => decodeIndexSuperBlock(block, 1))).to.be.instanceOf(IndexError)
    })
    fc.assert(run, { seed: 312, numRuns: 300 })
  })
})

/** What a flip cannot change unseen, since other fields repeat it. */
function sizesOf({ start, volumeBlocks, saveBlocks, nonce }: IndexSuperBlock): Partial<IndexSuperBlock> {
  return { start, volumeBlocks, saveBlocks, nonce }
}
