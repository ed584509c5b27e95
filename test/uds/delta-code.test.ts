import { expect } from 'chai'
import fc from 'fast-check'
import { fromHex, toHex } from '../../src/base/bytes.js'
import {
  copyBits,
  deltaCoding,
  deltaLength,
  equalsName,
  GUARD_BYTES,
  NAME_BITS,
  NO_DELTA,
  readBits,
  readDelta,
  writeBits,
  writeDelta,
} from '../../src/uds/delta-code.js'

const VOLUME = deltaCoding(4080, 10)
const CHAPTER = deltaCoding(65536, 6)

/** Bits as people write them, first to last. */
function bitsOf(bytes: Uint8Array, count: number, from = 0): string {
  let text = ''
  for (let i = from; i < from + count; i++) text += (bytes[i >>> 3]! >>> (i & 7)) & 1
  return text
}

function codeOf(delta: number): string {
  const bytes = new Uint8Array(64)
  const length = writeDelta(VOLUME, bytes, 0, 0, delta)
  expect(length).to.equal(deltaLength(VOLUME, delta))
  return bitsOf(bytes, length)
}

describe('the delta code', () => {
  it('has the parameters that follow from the mean', () => {
    expect(VOLUME).to.deep.equal({ payloadBits: 10, minBits: 12, minKeys: 1268, incrKeys: 2828 })
    expect(CHAPTER).to.deep.equal({ payloadBits: 6, minBits: 16, minKeys: 20110, incrKeys: 45426 })
  })

  it('writes a delta as its lowest bit first, then zeros that a one ends', () => {
    expect(codeOf(0)).to.equal('000000000000')
    expect(codeOf(1)).to.equal('100000000000')
    expect(codeOf(1267)).to.equal('110011110010')
    expect(codeOf(1268)).to.equal('0010111100101')
    expect(codeOf(4095)).to.equal('1111111111111')
    expect(codeOf(4096)).to.equal('00101111001001')
    expect(codeOf(6924)).to.equal('001011110010001')
    expect(codeOf(20000)).to.equal('0001101111010000001')
  })

  it('writes a list as the format has it', () => {
    const bytes = new Uint8Array(32)
    const name = Uint8Array.from({ length: 16 }, (_, i) => i)
    let bit = 0
    const writeEntry = (payload: number, delta: number): void => {
      writeBits(bytes, 0, bit, VOLUME.payloadBits, payload)
      bit += VOLUME.payloadBits
      bit += writeDelta(VOLUME, bytes, 0, bit, delta)
    }
    writeEntry(3, 5)
    writeEntry(9, 0)
    copyBits(bytes, 0, bit, name, 0, 0, NAME_BITS)
    expect(equalsName(bytes, 0, bit, name, 0)).to.equal(true)
    bit += NAME_BITS
    writeEntry(1, 4096)
    expect(bit).to.equal(196)
    expect(toHex(bytes.subarray(0, 25))).to.equal('031440020000102030405060708090a0b0c0d0e0f010003d09')
  })

  it('reads every delta back from any bit and touches no other', () => {
    const place = fc.integer({ min: 0, max: 70 })
    const delta = fc.oneof(fc.nat(9000), fc.nat(2 ** 20), fc.nat(2 ** 22))
    const coding = fc.constantFrom(VOLUME, CHAPTER, deltaCoding(4096, 5), deltaCoding(1, 1))
    const fill = fc.constantFrom(0, 0xff, 0xa5)
    fc.assert(
      fc.property(coding, place, delta, fill, (code, bit, value, background) => {
        const small = code.incrKeys === 1 ? value % 3000 : value
        const bytes = new Uint8Array(1024).fill(background)
        const length = writeDelta(code, bytes, 1, bit, small)
        expect(length).to.equal(deltaLength(code, small))
        expect(readDelta(code, bytes, 1, bit, bit + length)).to.equal(small)
        expect(readDelta(code, bytes, 1, bit, bit + length - 1)).to.equal(NO_DELTA)
        const clean = new Uint8Array(1024).fill(background)
        copyBits(clean, 1, bit, bytes, 1, bit, length)
        expect(clean).to.deep.equal(bytes)
      }),
      { seed: 301, numRuns: 2000 },
    )
  })

  it('finds no delta where zeros never end', () => {
    const bytes = new Uint8Array(2000 + GUARD_BYTES)
    writeBits(bytes, 0, 0, 12, 4095)
    expect(readDelta(VOLUME, bytes, 0, 0, 16000)).to.equal(NO_DELTA)
    expect(readDelta(VOLUME, bytes, 0, 0, 12)).to.equal(NO_DELTA)
    expect(readDelta(VOLUME, bytes, 0, 0, 11)).to.equal(NO_DELTA)
    expect(readDelta(VOLUME, bytes, 0, 12, 24)).to.equal(0)
  })
})

describe('bits in bytes', () => {
  it('read back what was written, and leave what is beside', () => {
    const run = fc.property(
      fc.nat(60),
      fc.integer({ min: 1, max: 25 }),
      fc.nat(2 ** 25 - 1),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (bit, count, value, background) => {
        const wanted = value & ((1 << count) - 1)
        const bytes = background.slice()
        writeBits(bytes, 1, bit, count, wanted)
        expect(readBits(bytes, 1, bit, count)).to.equal(wanted)
        expect(bitsOf(bytes, 8 + bit)).to.equal(bitsOf(background, 8 + bit))
        const end = 8 + bit + count
        expect(bitsOf(bytes, 128 - end, end)).to.equal(bitsOf(background, 128 - end, end))
      },
    )
    fc.assert(run, { seed: 302, numRuns: 2000 })
  })

  it('are copied between arrays and over themselves as one naive twin does', () => {
    const run = fc.property(
      fc.uint8Array({ minLength: 24, maxLength: 24 }),
      fc.nat(192),
      fc.nat(192),
      fc.nat(192),
      fc.boolean(),
      (content, a, b, size, apart) => {
        const count = Math.min(size, 192 - a, 192 - b)
        const from = content.slice()
        const to = apart ? content.map((byte) => byte ^ 0x5a) : from
        const source = bitsOf(from, count, b)
        const wanted = bitsOf(to, a) + source + bitsOf(to, 192 - a - count, a + count)
        copyBits(to, 0, a, from, 0, b, count)
        expect(bitsOf(to, 192)).to.equal(wanted)
      },
    )
    fc.assert(run, { seed: 303, numRuns: 5000 })
  })

  it('compare names at every bit', () => {
    const name = fromHex('00112233445566778899aabbccddeeff')!
    for (let bit = 0; bit < 16; bit++) {
      const bytes = new Uint8Array(20).fill(0xff)
      copyBits(bytes, 0, bit, name, 0, 0, NAME_BITS)
      expect(equalsName(bytes, 0, bit, name, 0)).to.equal(true)
      for (let i = 0; i < NAME_BITS; i++) {
        bytes[(bit + i) >>> 3]! ^= 1 << ((bit + i) & 7)
        expect(equalsName(bytes, 0, bit, name, 0)).to.equal(false)
        bytes[(bit + i) >>> 3]! ^= 1 << ((bit + i) & 7)
      }
    }
  })
})
