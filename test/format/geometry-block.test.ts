import { expect } from 'chai'
import fc from 'fast-check'
import { fromHex, toHex } from '../../src/base/bytes.js'
import { writeChecksum } from '../../src/format/checksum.js'
import { FormatError } from '../../src/format/format-error.js'
import {
  decodeGeometry,
  encodeGeometry,
  type Geometry,
  hasGeometryMagic,
  validateGeometry,
} from '../../src/format/geometry-block.js'
import { crc32, type ExpectedGeometry, expectedOf, goldenBlock } from './golden.js'
import { refusal } from './refusal.js'

const GEOMETRY_SIZE = 101

describe('geometry block', () => {
  for (const name of ['formatted-geometry', 'clean-geometry', 'crash-geometry']) {
    it(`reads what vdoformat wrote, and writes the same bytes: ${name}`, () => {
      const golden = goldenBlock(name)
      const geometry = decodeGeometry(golden, crc32)
      const wanted = expectedOf<ExpectedGeometry>(name)
      expect(geometry.version).to.equal(5)
      expect(geometry.nonce).to.equal(BigInt(wanted.nonce))
      expect(toHex(geometry.uuid)).to.equal(wanted.uuid)
      expect(geometry.bioOffset).to.equal(wanted.bioOffset)
      expect([
        [geometry.indexRegionId, geometry.indexRegionStart],
        [geometry.dataRegionId, geometry.dataRegionStart],
      ]).to.deep.equal(wanted.regions)
      expect(geometry.indexMemory).to.equal(wanted.memory)
      expect(geometry.indexSparse).to.equal(wanted.sparse)
      expect(encodeGeometry(geometry, crc32)).to.deep.equal(golden)
    })
  }

  it('writes the block of the worked example', () => {
    const geometry: Geometry = {
      version: 5,
      releaseVersion: 0,
      nonce: 0x000660dd401804ean,
      uuid: fromHex('ee13cc3d78874d31aa08db0e203a4b62') ?? new Uint8Array(),
      bioOffset: 0,
      indexRegionId: 0,
      indexRegionStart: 1,
      dataRegionId: 1,
      dataRegionStart: 0xa5cd8,
      indexMemory: -256,
      unusedIndexField: 0,
      indexSparse: 0,
    }
    const wanted =
      '646d76646f30303105000000050000000000000065000000000000000000' +
      '0000ea041840dd600600ee13cc3d78874d31aa08db0e203a4b6200000000' +
      '00000000000000000100000000000000' +
      '01000000d85c0a000000000000ffffff00000000005540ecfa'
    const bytes = encodeGeometry(geometry, crc32)
    expect(toHex(bytes.subarray(0, GEOMETRY_SIZE))).to.equal(wanted)
    expect(bytes.subarray(GEOMETRY_SIZE).every((byte) => byte === 0)).to.equal(true)
  })

  it('refuses every block with one bit changed', () => {
    const bytes = goldenBlock('clean-geometry')
    for (let bit = 0; bit < 8 * GEOMETRY_SIZE; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7)
      refusal(() => decodeGeometry(bytes, crc32))
      bytes[bit >> 3] ^= 1 << (bit & 7)
    }
    decodeGeometry(bytes, crc32)
  })

  it('refuses every cut of the block, and ignores what follows', () => {
    const bytes = goldenBlock('clean-geometry')
    for (let size = 0; size < GEOMETRY_SIZE; size++) {
      expect(refusal(() => decodeGeometry(bytes.subarray(0, size), crc32)).code).to.equal('VDO_TRUNCATED')
    }
    const geometry = decodeGeometry(bytes.subarray(0, GEOMETRY_SIZE), crc32)
    bytes.fill(0xff, GEOMETRY_SIZE)
    expect(decodeGeometry(bytes, crc32)).to.deep.equal(geometry)
  })

  it('says what it found and what it wanted', () => {
    const bytes = goldenBlock('clean-geometry')
    expect(refusal(() => decodeGeometry(new Uint8Array(4096), crc32))).to.include({ code: 'VDO_BAD_MAGIC' })
    expect(hasGeometryMagic(bytes)).to.equal(true)
    expect(hasGeometryMagic(new Uint8Array(4096))).to.equal(false)
    expect(hasGeometryMagic(new Uint8Array(3))).to.equal(false)

    const edited = (at: number, value: number): FormatError => {
      const copy = bytes.slice()
      copy[at] = value
      writeChecksum(copy, GEOMETRY_SIZE - 4, crc32)
      return refusal(() => decodeGeometry(copy, crc32))
    }
    expect(edited(12, 6)).to.include({
      code: 'VDO_UNSUPPORTED_VERSION',
      message: 'Cannot decode geometry block: version is 6.0, wanted 5.0',
    })
    expect(edited(12, 3).message).to.contain('version is 3.0, wanted 4.0')
    expect(edited(16, 1).message).to.contain('version is 5.1')
    expect(edited(8, 4).message).to.contain('component id is 4, wanted 5')
    expect(edited(20, 100).message).to.contain('size is 100, wanted 101')
    expect(edited(87, 0x20).message).to.contain('wanted less than 2^53')

    bytes[97] ^= 1
    const error = refusal(() => decodeGeometry(bytes, crc32))
    expect(error.code).to.equal('VDO_BAD_CHECKSUM')
    expect(error.message).to.match(
      /^Cannot decode geometry block: checksum is 0x[0-9a-f]{8}, contents give 0x/,
    )
  })

  it('is refused where its regions cannot be', () => {
    const geometry = decodeGeometry(goldenBlock('clean-geometry'), crc32)
    validateGeometry(geometry)
    const refused = (changed: Partial<Geometry>) =>
      refusal(() => validateGeometry({ ...geometry, ...changed }))
    expect(refused({ bioOffset: 1 })).to.include({
      code: 'VDO_BAD_CONFIGURATION',
      message: 'Cannot use geometry block: index region starts at 1, wanted more than the bio offset of 1',
    })
    expect(refused({ indexRegionStart: 0 }).message).to.contain('index region starts at 0')
    expect(refused({ dataRegionStart: 1 }).message).to.contain('data region starts at 1, wanted 2 to')
    expect(refused({ dataRegionStart: 2 ** 36 }).message).to.contain('wanted 2 to 68719476735')
  })

  it('keeps every geometry, of version 5 and of version 4', () => {
    const field = fc.integer({ min: 0, max: 2 ** 36 })
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    const geometries = fc
      .record({
        version: fc.constantFrom(4 as const, 5 as const),
        releaseVersion: word,
        nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        bioOffset: field,
        indexRegionId: word,
        indexRegionStart: field,
        dataRegionId: word,
        dataRegionStart: field,
        indexMemory: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        unusedIndexField: word,
        indexSparse: fc.nat(255),
      })
      .map((geometry) => (geometry.version === 4 ? { ...geometry, bioOffset: 0 } : geometry))
    fc.assert(
      fc.property(geometries, (geometry) => {
        const bytes = encodeGeometry(geometry, crc32)
        expect(decodeGeometry(bytes, crc32)).to.deep.equal(geometry)
        expect(bytes[20]).to.equal(geometry.version === 4 ? 93 : 101)
      }),
      { seed: 7 },
    )
  })
})
