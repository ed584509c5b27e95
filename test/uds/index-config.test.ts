import { expect } from 'chai'
import fc from 'fast-check'
import { toHex, writeU32, writeU64 } from '../../src/base/bytes.js'
import { indexShapeOf } from '../../src/format/index-region.js'
import { IndexGeometry } from '../../src/uds/geometry.js'
import { decodeIndexConfig, encodeIndexConfig } from '../../src/uds/index-config.js'
import { IndexError } from '../../src/uds/index-error.js'
import { HEADS, headOf } from './index-heads.js'
import { indexRefusal } from './index-refusal.js'

describe('the configuration of an index', () => {
  for (const { facts, config, shape, nonce } of HEADS) {
    it(`of ${facts.name} is decoded and encoded byte for byte`, () => {
      const geometry = decodeIndexConfig(config, shape, nonce)
      expect(geometry.region.blockCount).to.equal(facts.blocks)
      expect(toHex(encodeIndexConfig(geometry, nonce))).to.equal(toHex(config))
    })
  }

  it('says which chapter was moved where in an index that was reduced', () => {
    const shape = indexShapeOf(-1280, false)
    const bytes = encodeIndexConfig(new IndexGeometry(shape, 1024, 2), 77n, true)
    const text = '414c42494330382e3032' + '40000000ff03000000000000'
    expect(toHex(bytes.subarray(0, 22))).to.equal(text)
    expect(toHex(bytes.subarray(50, 66))).to.equal('00040000000000000200000000000000')
    const geometry = decodeIndexConfig(bytes, shape, 77n)
    expect([geometry.remappedVirtual, geometry.remappedPhysical]).to.deep.equal([1024, 2])
    writeU64(bytes, 58, 1023)
    expect(indexRefusal(() => decodeIndexConfig(bytes, shape, 77n)).message).to.equal(
      'Cannot read the index configuration: chapter 1024 was moved to slot 1023 of 1023',
    )
  })

  it('is refused if it is of another index', () => {
    const { config, shape, nonce } = headOf('kernel-clean1')
    const judge = (change: (bytes: Uint8Array) => void, wanted = shape, wantedNonce = nonce) => {
      const bytes = config.slice()
      change(bytes)
      const { code, message } = indexRefusal(() => decodeIndexConfig(bytes, wanted, wantedNonce))
      return `${code} ${message}`
    }
    const nothing = () => {}
    expect(judge(nothing, shape, nonce + 1n)).to.equal(
      `VDO_INDEX_MISSING Cannot open the index configuration: it is of the volume with nonce ${nonce}, wanted ${nonce + 1n}`,
    )
    expect(judge(nothing, indexShapeOf(-512, false))).to.equal(
      'VDO_INDEX_MISSING Cannot open the index configuration: record pages per chapter: it has 64, wanted 128',
    )
    expect(judge(nothing, indexShapeOf(-256, true))).to.match(/chapters: it has 1024, wanted 10240$/)
    const fields: [at: number, name: string][] = [
      [22, 'cached chapters'],
      [30, 'mean delta'],
      [34, 'bytes per page'],
      [38, 'rate of samples'],
    ]
    for (const [at, name] of fields) {
      expect(judge((bytes) => writeU32(bytes, at, 9))).to.contain(`${name}: it has 9, wanted`)
    }
    expect(judge((bytes) => bytes.fill(0))).to.equal(
      'VDO_INDEX_MISSING Cannot open the index configuration: none is there',
    )
    expect(judge((bytes) => bytes.set([0x30, 0x37], 5))).to.equal(
      'VDO_INDEX_UNSUPPORTED Cannot read the index configuration: its version is "07.02", wanted 06.02 or 08.02',
    )
  })

  it('does not care for the field that means nothing', () => {
    const { config, shape, nonce } = headOf('kernel-clean1')
    const bytes = config.slice()
    writeU32(bytes, 26, 12345)
    expect(decodeIndexConfig(bytes, shape, nonce).chapters).to.equal(1024)
  })

  it('with any bit flipped is refused', () => {
    const run = fc.property(fc.constantFrom(...HEADS), fc.nat(49), fc.nat(7), (head, at, bit) => {
      fc.pre(at < 26 || at >= 30)
      const bytes = head.config.slice()
      bytes[at]! ^= 1 << bit
      expect(indexRefusal(() => decodeIndexConfig(bytes, head.shape, head.nonce))).to.be.instanceOf(
        IndexError,
      )
    })
    fc.assert(run, { seed: 313, numRuns: 1000 })
  })
})
