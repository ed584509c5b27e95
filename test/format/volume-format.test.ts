import { expect } from 'chai'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { decodeGeometry } from '../../src/format/geometry-block.js'
import { indexMemoryCode, indexMemoryOf, SMALL_INDEX_MEMORY } from '../../src/format/index-memory.js'
import { indexRegionOf } from '../../src/format/index-region.js'
import { defaultLogicalBlocks, minimumPhysicalBlocks } from '../../src/format/layout.js'
import { configureSlab } from '../../src/format/slab-config.js'
import { decodeSuperBlock, slabCountOf } from '../../src/format/super-block.js'
import { validateSuperBlock } from '../../src/format/validate-super-block.js'
import { planFormat, type VolumeParameters } from '../../src/format/volume-format.js'
import { crc32, goldenBlock } from './golden.js'
import { refusal } from './refusal.js'

const GIB = 2 ** 30
const MIB = 2 ** 20

const BASE: VolumeParameters = {
  physicalBlocks: 0,
  slabBits: 19,
  indexMemory: -256,
  indexSparse: false,
  nonce: 1n,
  uuid: new Uint8Array(16),
}

function plan(sizeBytes: number, rest: Partial<VolumeParameters> = {}) {
  return planFormat({ ...BASE, physicalBlocks: sizeBytes / BLOCK_SIZE, ...rest }, crc32)
}

describe('index region', () => {
  it('has the size that the index itself computes', () => {
    const table: [number, number, number][] = [
      [-256, 679127, 5822251],
      [-512, 1366399, 11726359],
      [-768, 2053669, 17630467],
      [1, 2732747, 23452645],
      [2, 5496229, 46928887],
      [4, 11058007, 93909179],
      [16, 44777475, 376068883],
      [1024, 2972616243, 24153506003],
    ]
    for (const [code, dense, sparse] of table) {
      expect(indexRegionOf(code, false).blockCount).to.equal(dense)
      expect(indexRegionOf(code, true).blockCount).to.equal(sparse)
    }
    expect(indexRegionOf(-1280, false).blockCount).to.equal(678567)
  })

  it('knows memory codes and no others', () => {
    expect(indexMemoryCode(0.25)).to.equal(-256)
    expect(indexMemoryCode(0.75)).to.equal(-768)
    expect(indexMemoryCode(1024)).to.equal(1024)
    expect(indexMemoryOf(-1792)).to.deep.equal({ quarters: 3, reduced: true })
    expect(indexMemoryOf(4096 + 7)).to.deep.equal({ quarters: 28, reduced: true })
    for (const code of [0, -255, -1024, -2048, 1025, 4096, 5121, 0.5]) {
      expect(indexMemoryOf(code), String(code)).to.equal(undefined)
      expect(refusal(() => indexRegionOf(code, false)).message).to.contain('unknown')
    }
    expect(indexMemoryOf(SMALL_INDEX_MEMORY), 'no memory at all').to.equal(undefined)
    expect(indexRegionOf(SMALL_INDEX_MEMORY, false).blockCount).to.equal(1879)
    for (const gib of [0, 0.3, 1.5, -1, 1025, Number.NaN]) {
      expect(refusal(() => indexMemoryCode(gib)).code).to.equal('VDO_BAD_CONFIGURATION')
    }
  })
})

describe('slab configuration', () => {
  it('divides a slab of each size as vdoformat does', () => {
    const table = [
      [8, 16, 1],
      [9, 256, 1],
      [10, 799, 1],
      [13, 7966, 2],
      [14, 16155, 5],
      [15, 32535, 9],
      [16, 65295, 17],
      [17, 130815, 33],
      [18, 261855, 65],
      [19, 523934, 130],
      [20, 1048091, 261],
      [21, 2096407, 521],
      [22, 4193039, 1041],
      [23, 8386303, 2081],
    ]
    for (const [bits, data, references] of table) {
      expect(configureSlab(2 ** bits, 224)).to.deep.equal({
        slabBlocks: 2 ** bits,
        dataBlocks: data,
        referenceCountBlocks: references,
        slabJournalBlocks: 224,
        flushingThreshold: 168,
        blockingThreshold: 208,
        scrubbingThreshold: 222,
      })
    }
  })

  it('refuses a slab that the journal fills', () => {
    expect(refusal(() => configureSlab(128, 224)).message).to.contain('its journal has 224 blocks')
    expect(refusal(() => configureSlab(225, 224)).message).to.contain('leave none for data')
  })
})

describe('default logical size', () => {
  it('leaves room for the block map', () => {
    expect(defaultLogicalBlocks(7966)).to.equal(7776)
    expect(defaultLogicalBlocks(73 * 7966)).to.equal(580622)
    expect(defaultLogicalBlocks(59 * 7966)).to.equal(469235)
    expect(defaultLogicalBlocks(523934)).to.equal(523108)
    expect(defaultLogicalBlocks(48 * 523934)).to.equal(25117680)
  })
})

describe('format plan', () => {
  it('gives the bytes that vdoformat wrote', () => {
    const geometry = decodeGeometry(goldenBlock('formatted-geometry'), crc32)
    const { nonce, uuid } = geometry
    const { writes } = plan(3_670_016_000, { slabBits: 13, logicalBlocks: 262144, nonce, uuid })
    expect(writes.map(({ pbn, blockCount, bytes }) => [pbn, blockCount, bytes !== undefined])).to.deep.equal([
      [1, 1, false],
      [0, 1, false],
      [679129, 60, false],
      [863168, 32768, false],
      [679128, 1, true],
      [0, 1, true],
    ])
    expect(writes[4].bytes).to.deep.equal(goldenBlock('formatted-super-block'))
    expect(writes[5].bytes).to.deep.equal(goldenBlock('formatted-geometry'))
  })

  it('lays out the reference volumes', () => {
    const table: [number, Partial<VolumeParameters>, number, number][] = [
      [5 * GIB, {}, 1, 523108],
      [5 * GIB, { slabBits: 17, logicalBlocks: 5242880 }, 4, 5242880],
      [5 * GIB, { slabBits: 13 }, 73, 580622],
      [5 * GIB, { slabBits: 12 }, 146, 564290],
      [4700 * MIB, { slabBits: 13 }, 59, 469235],
    ]
    for (const [size, rest, slabs, logical] of table) {
      const { superBlock, geometry, slabCount } = plan(size, rest)
      expect(slabCount).to.equal(slabs)
      expect(slabCountOf(superBlock)).to.equal(slabs)
      expect(superBlock.logicalBlocks).to.equal(logical)
      validateSuperBlock(superBlock, geometry)
    }
    const { superBlock, maximumSlabBytes } = plan(5 * GIB, { slabBits: 17 })
    expect(maximumSlabBytes).to.equal(4 * 2 ** 40)
    expect(superBlock.rootOrigin).to.equal(679129)
    expect(superBlock.firstBlock).to.equal(679189)
    expect(superBlock.firstBlock + superBlock.slabConfig.dataBlocks).to.equal(810004)
    expect(superBlock.firstFree).to.equal(1277888)
  })

  it('needs exactly the smallest size that vdoformat accepts', () => {
    const table: [number, Partial<VolumeParameters>][] = [
      [5_063_921_664, {}],
      [2_949_992_448, { slabBits: 13 }],
      [3_453_308_928, { slabBits: 17 }],
      [37_276_176_384, { slabBits: 23 }],
      [7_878_987_776, { indexMemory: -512 }],
      [10_694_045_696, { indexMemory: -768 }],
      [13_475_549_184, { indexMemory: 1 }],
      [26_130_157_568, { indexSparse: true }],
      [98_344_251_392, { indexMemory: 1, indexSparse: true }],
    ]
    for (const [size, rest] of table) {
      expect(plan(size, rest).slabCount).to.equal(1)
      const error = refusal(() => plan(size - BLOCK_SIZE, rest))
      expect(error.code).to.equal('VDO_TOO_SMALL')
      expect(error.message).to.contain(`at least ${size} bytes, this one has ${size - BLOCK_SIZE}`)
    }
    expect(refusal(() => plan(0)).code).to.equal('VDO_TOO_SMALL')
  })

  it('refuses more than 8192 slabs and suggests larger ones', () => {
    const overhead = minimumPhysicalBlocks(679127, 0, 32768)
    const most = (overhead + 8193 * 8192 - 1) * BLOCK_SIZE
    expect(plan(most, { slabBits: 13 }).slabCount).to.equal(8192)
    const error = refusal(() => plan(most + BLOCK_SIZE, { slabBits: 13 }))
    expect(error.code).to.equal('VDO_TOO_MANY_SLABS')
    expect(error.message).to.contain('8193 slabs').and.to.contain('Use larger slabs')
  })

  it('refuses what the format cannot hold', () => {
    const cases: [number, Partial<VolumeParameters>, string][] = [
      [2 ** 48 + BLOCK_SIZE, { slabBits: 23 }, 'physical size is 68719476737'],
      [8 * GIB, { logicalBlocks: 0 }, 'logical size is 0'],
      [8 * GIB, { logicalBlocks: 2 ** 40 + 1 }, 'logical size is 1099511627777'],
      [8 * GIB, { slabBits: 24 }, 'slab bits are 24'],
      [8 * GIB, { slabBits: 13.5 }, 'slab bits are 13.5'],
      [8 * GIB, { nonce: 0n }, 'nonce is 0'],
      [8 * GIB, { nonce: 2n ** 64n }, 'nonce is 18446744073709551616'],
      [8 * GIB, { indexMemory: 3000 }, 'memory code 3000'],
      [8 * GIB, { recoveryJournalBlocks: 100 }, 'recovery journal has 100 blocks'],
      [minimumPhysicalBlocks(679127, 256, 32768) * BLOCK_SIZE, { slabBits: 8 }, 'give a logical size'],
    ]
    for (const [size, rest, text] of cases) {
      const error = refusal(() => plan(size, rest))
      expect(error.message).to.contain(text)
      expect(error.code).to.equal('VDO_BAD_CONFIGURATION')
    }
  })

  it('plans a small volume for a simulator', () => {
    const { superBlock, geometry, slabCount } = planFormat(
      {
        ...BASE,
        physicalBlocks: 2048,
        logicalBlocks: 4096,
        slabBits: 8,
        recoveryJournalBlocks: 64,
        slabJournalBlocks: 16,
        indexBlocks: 1,
      },
      crc32,
    )
    validateSuperBlock(superBlock, geometry)
    expect(geometry.dataRegionStart).to.equal(2)
    expect(slabCount).to.equal(7)
    expect(superBlock.slabConfig.dataBlocks).to.equal(128)
    expect(decodeSuperBlock(planWrites(superBlock.physicalBlocks), crc32).physicalBlocks).to.equal(2048)
  })
})

function planWrites(physicalBlocks: number): Uint8Array {
  const { writes } = planFormat(
    { ...BASE, physicalBlocks, slabBits: 8, logicalBlocks: 1, recoveryJournalBlocks: 64, indexBlocks: 1 },
    crc32,
  )
  return writes[4].bytes ?? new Uint8Array()
}
