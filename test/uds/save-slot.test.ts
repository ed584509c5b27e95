import { expect } from 'chai'
import fc from 'fast-check'
import { toHex, writeU16, writeU32, writeU64 } from '../../src/base/bytes.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { IndexError } from '../../src/uds/index-error.js'
import { decodeIndexSuperBlock, slotStartOf } from '../../src/uds/index-super-block.js'
import {
  decodeSaveHeader,
  divideSlot,
  encodeSaveHeader,
  encodeUnsavedHeader,
  type SaveSlot,
  saveHeaderOf,
} from '../../src/uds/save-slot.js'
import { HEADS, type Head, headOf } from './index-heads.js'
import { indexRefusal } from './index-refusal.js'

function slotsOf(head: Head): readonly SaveSlot[] {
  const block = decodeIndexSuperBlock(head.superBlock, 1)
  return [0, 1].map((number) => ({ number, start: slotStartOf(block, number), blocks: block.saveBlocks }))
}

describe('the header of a save', () => {
  for (const head of HEADS) {
    const { facts, saves, volumeNonce } = head
    it(`of ${facts.name} is decoded and encoded byte for byte`, () => {
      const block = decodeIndexSuperBlock(head.superBlock, 1)
      for (const [i, slot] of slotsOf(head).entries()) {
        const header = decodeSaveHeader(saves[i]!, slot, volumeNonce)
        const saved = facts.saved[i]
        if (saved == null) {
          expect(header).to.equal(undefined)
          expect(toHex(encodeUnsavedHeader(slot, block.pageMapBlocks))).to.equal(toHex(saves[i]!))
          continue
        }
        expect(header!.areas.volumeIndex).to.have.length(saved.zones)
        expect(toHex(encodeSaveHeader(slot, header!))).to.equal(toHex(saves[i]!))
        // What we would write for the same save, at the same time.
        const areas = divideSlot(slot, saved.zones, block.pageMapBlocks, block.openChapterBlocks)
        const { time, newest, oldest } = saved
        expect(saveHeaderOf(slot, areas, volumeNonce, BigInt(time), newest, oldest)).to.deep.equal(header)
      }
    })
  }

  it('divides a slot among any number of zones, and fits its block', () => {
    const slot = { number: 0, start: 573_451, blocks: 52_838 }
    for (let zones = 1; zones <= 16; zones++) {
      const areas = divideSlot(slot, zones, 3, 513)
      const header = saveHeaderOf(slot, areas, 5n, 1000n, 0, 0)
      expect(areas.volumeIndex.every(({ blocks }) => blocks === Math.floor(52_321 / zones))).to.equal(true)
      expect(decodeSaveHeader(encodeSaveHeader(slot, header), slot, 5n)).to.deep.equal(header)
      expect(header.lastSave).to.equal(0xffff_ffff_ffff_ffffn)
    }
  })

  it('is refused for what is wrong with it', () => {
    const head = headOf('dense1-clean')
    const slot = slotsOf(head)[0]!
    const payload = 24 + 4 * 24
    const judge = (change: (bytes: Uint8Array) => void, nonce = head.volumeNonce) => {
      const bytes = head.saves[0]!.slice()
      change(bytes)
      const { code, message } = indexRefusal(() => decodeSaveHeader(bytes, slot, nonce))
      return `${code} ${message.replace('Cannot read the header of save 0: ', '')}`
    }
    expect(judge((bytes) => bytes.fill(0))).to.equal(
      'VDO_INDEX_MISSING Cannot open the header of save 0: no region table is there',
    )
    expect(judge((bytes) => writeU64(bytes, 8, 373))).to.equal(
      'VDO_INDEX_CORRUPT its count of blocks is 373, wanted 374',
    )
    expect(judge((bytes) => bytes.fill(1, 16, 17))).to.equal('VDO_INDEX_CORRUPT its type is 1, wanted 2')
    expect(judge((bytes) => bytes.fill(24, 22, 23))).to.equal(
      'VDO_INDEX_CORRUPT its payload is 24, wanted 64',
    )
    expect(judge((bytes) => writeU64(bytes, payload, 0))).to.equal('VDO_INDEX_CORRUPT it has no time')
    expect(judge((bytes) => writeU64(bytes, payload, 1))).to.match(/its nonce is \d+, wanted \d+$/)
    expect(judge(() => {}, head.volumeNonce + 1n)).to.match(/its nonce is \d+, wanted \d+$/)
    expect(judge((bytes) => writeU32(bytes, payload + 28, 300))).to.equal(
      'VDO_INDEX_UNSUPPORTED its versions are 1, -1 and 300, wanted 1, -1 and 301',
    )
    expect(judge((bytes) => writeU32(bytes, payload + 16, 2))).to.equal(
      'VDO_INDEX_UNSUPPORTED its versions are 2, -1 and 301, wanted 1, -1 and 301',
    )
    // A region that is free where the open chapter should be.
    expect(judge((bytes) => writeU16(bytes, 24 + 3 * 24 + 20, 0))).to.equal(
      'VDO_INDEX_CORRUPT it has 4 regions, wanted those of 1 to 16 zones',
    )
    expect(judge((bytes) => bytes.fill(1, 24 + 2 * 24 + 22, 24 + 2 * 24 + 23))).to.match(
      /^VDO_INDEX_CORRUPT region 2 is 115 blocks of kind 302 number 1 from block 1133 on, wanted/,
    )
    // An open chapter that goes on behind the slot.
    expect(judge((bytes) => writeU64(bytes, 24 + 3 * 24 + 8, 258))).to.equal(
      'VDO_INDEX_CORRUPT its sum of regions is 375, wanted 374',
    )
  })

  it('with any bits flipped is refused, or says the same of areas and time', () => {
    const flips = fc.array(fc.tuple(fc.nat(279), fc.nat(7)), { minLength: 1, maxLength: 4 })
    const run = fc.property(fc.constantFrom(...HEADS), flips, (head, changes) => {
      const slot = slotsOf(head)[0]!
      const bytes = head.saves[0]!.slice()
      for (const [at, bit] of changes) bytes[at]! ^= 1 << bit
      const whole = decodeSaveHeader(head.saves[0]!, slot, head.volumeNonce)!
      try {
        const { time, nonce } = decodeSaveHeader(bytes, slot, head.volumeNonce)!
        expect({ time, nonce }).to.deep.equal({ time: whole.time, nonce: whole.nonce })
      } catch (error) {
        if (!(error instanceof IndexError)) throw error
      }
    })
    fc.assert(run, { seed: 314, numRuns: 3000 })
  })

  it('of any other bytes is refused', () => {
    const slot = { number: 1, start: 10, blocks: 400 }
    const run = fc.property(fc.uint8Array({ minLength: 0, maxLength: 400 }), fc.nat(70), (bytes, count) => {
      const block = new Uint8Array(BLOCK_SIZE)
      block.set(headOf('dense1-clean').saves[0]!.subarray(0, 24))
      block[20] = count
      block.set(bytes, 24)
      writeU64(block, 8, slot.blocks)
      expect(indexRefusal(() => decodeSaveHeader(block, slot, 5n))).to.be.instanceOf(IndexError)
    })
    fc.assert(run, { seed: 315, numRuns: 500 })
  })
})
