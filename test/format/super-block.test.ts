import { expect } from 'chai'
import fc from 'fast-check'
import { toHex, writeU64 } from '../../src/base/bytes.js'
import { writeChecksum } from '../../src/format/checksum.js'
import { FormatError } from '../../src/format/format-error.js'
import { decodeGeometry } from '../../src/format/geometry-block.js'
import {
  decodeSuperBlock,
  encodeSuperBlock,
  PartitionId,
  partitionOf,
  reversedPartitions,
  type SuperBlock,
  slabCountOf,
  VolumeState,
} from '../../src/format/super-block.js'
import { validateSuperBlock } from '../../src/format/validate-super-block.js'
import { crc32, expectedOf, goldenBlock } from './golden.js'
import { refusal } from './refusal.js'

const SUPER_BLOCK_SIZE = 438
const CHECKSUM_AT = 434

interface Expected {
  readonly state: number
  readonly complete_recoveries: number
  readonly logical_blocks: number
  readonly physical_blocks: number
  readonly slab_size: number
  readonly nonce: string
  readonly first_free: number
  readonly parts: Readonly<Record<string, readonly [number, number]>>
  readonly part_order: readonly number[]
  readonly journal_start: number
  readonly logical_blocks_used: number
  readonly block_map_data_blocks: number
  readonly slab_blocks: number
  readonly data_blocks: number
  readonly ref_blocks: number
  readonly sj_blocks: number
  readonly flushing: number
  readonly blocking: number
  readonly scrubbing: number
  readonly first_block: number
  readonly last_block: number
  readonly zone_count: number
  readonly root_origin: number
}

const IMAGES = ['formatted', 'clean', 'crash']

/** The super block with `edit` applied to its bytes and a checksum that fits again. */
function edited(edit: (bytes: Uint8Array) => void): SuperBlock {
  const bytes = goldenBlock('clean-super-block')
  edit(bytes)
  writeChecksum(bytes, CHECKSUM_AT, crc32)
  return decodeSuperBlock(bytes, crc32)
}

const cleanGeometry = decodeGeometry(goldenBlock('clean-geometry'), crc32)

function validated(edit: (bytes: Uint8Array) => void): FormatError {
  return refusal(() => validateSuperBlock(edited(edit), cleanGeometry))
}

describe('super block', () => {
  for (const image of IMAGES) {
    it(`reads what the real programs wrote, and writes the same bytes: ${image}`, () => {
      const golden = goldenBlock(`${image}-super-block`)
      const superBlock = decodeSuperBlock(golden, crc32)
      const wanted = expectedOf<Expected>(`${image}-super-block`)
      expect(superBlock.state).to.equal(wanted.state)
      expect(superBlock.completeRecoveries).to.equal(wanted.complete_recoveries)
      expect(superBlock.logicalBlocks).to.equal(wanted.logical_blocks)
      expect(superBlock.physicalBlocks).to.equal(wanted.physical_blocks)
      expect(superBlock.slabSize).to.equal(wanted.slab_size)
      expect(superBlock.nonce).to.equal(BigInt(wanted.nonce))
      expect(superBlock.firstFree).to.equal(wanted.first_free)
      expect(superBlock.partitions.map((each) => each.id)).to.deep.equal(wanted.part_order)
      for (const [id, [start, blockCount]] of Object.entries(wanted.parts)) {
        expect(partitionOf(superBlock, Number(id))).to.deep.equal({
          id: Number(id),
          start,
          base: 0,
          blockCount,
        })
      }
      expect(superBlock.journalStart).to.equal(wanted.journal_start)
      expect(superBlock.logicalBlocksUsed).to.equal(wanted.logical_blocks_used)
      expect(superBlock.blockMapDataBlocks).to.equal(wanted.block_map_data_blocks)
      expect(superBlock.slabConfig).to.deep.equal({
        slabBlocks: wanted.slab_blocks,
        dataBlocks: wanted.data_blocks,
        referenceCountBlocks: wanted.ref_blocks,
        slabJournalBlocks: wanted.sj_blocks,
        flushingThreshold: wanted.flushing,
        blockingThreshold: wanted.blocking,
        scrubbingThreshold: wanted.scrubbing,
      })
      expect(superBlock.firstBlock).to.equal(wanted.first_block)
      expect(superBlock.lastBlock).to.equal(wanted.last_block)
      expect(slabCountOf(superBlock)).to.equal(22)
      expect(superBlock.zoneCount).to.equal(wanted.zone_count)
      expect(superBlock.rootOrigin).to.equal(wanted.root_origin)
      validateSuperBlock(superBlock, decodeGeometry(goldenBlock(`${image}-geometry`), crc32))
      expect(encodeSuperBlock(superBlock, crc32)).to.deep.equal(golden)
    })
  }

  it('becomes what the kernel writes when it loads a formatted volume', () => {
    const formatted = decodeSuperBlock(goldenBlock('formatted-super-block'), crc32)
    const loaded: SuperBlock = {
      ...formatted,
      nonce: decodeGeometry(goldenBlock('crash-geometry'), crc32).nonce,
      state: VolumeState.Dirty,
      zoneCount: 1,
      partitions: reversedPartitions(formatted),
    }
    expect(encodeSuperBlock(loaded, crc32)).to.deep.equal(goldenBlock('crash-super-block'))
  })

  it('refuses every block with one bit changed', () => {
    const bytes = goldenBlock('clean-super-block')
    for (let bit = 0; bit < 8 * SUPER_BLOCK_SIZE; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7)
      refusal(() => decodeSuperBlock(bytes, crc32))
      bytes[bit >> 3] ^= 1 << (bit & 7)
    }
    decodeSuperBlock(bytes, crc32)
  })

  it('refuses every cut of the block, and ignores what follows', () => {
    const bytes = goldenBlock('clean-super-block')
    for (let size = 0; size < SUPER_BLOCK_SIZE; size++) {
      expect(refusal(() => decodeSuperBlock(bytes.subarray(0, size), crc32)).code).to.equal('VDO_TRUNCATED')
    }
    const superBlock = decodeSuperBlock(bytes.subarray(0, SUPER_BLOCK_SIZE), crc32)
    bytes.fill(0xff, SUPER_BLOCK_SIZE)
    expect(decodeSuperBlock(bytes, crc32)).to.deep.equal(superBlock)
  })

  it('survives any damage under a good checksum', () => {
    const damage = fc.array(fc.tuple(fc.nat(CHECKSUM_AT - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(damage, (edits) => {
        try {
          const superBlock = edited((bytes) => {
            for (const [at, value] of edits) bytes[at] = value
          })
          validateSuperBlock(superBlock, cleanGeometry)
          expect(encodeSuperBlock(superBlock, crc32).length).to.equal(4096)
        } catch (error) {
          if (!(error instanceof FormatError)) throw error
        }
      }),
      { seed: 9, numRuns: 2000 },
    )
  })

  it('refuses components of another kind, version or size', () => {
    const cases: [number, number, string, string][] = [
      [0, 1, 'VDO_BAD_SUPER_BLOCK', 'component id is 1, wanted 0'],
      [4, 13, 'VDO_UNSUPPORTED_VERSION', 'super block: version is 13.0, wanted 12.0'],
      [12, 0xa3, 'VDO_BAD_SUPER_BLOCK', 'size is 419, wanted 4 to 418'],
      [24, 68, 'VDO_UNSUPPORTED_VERSION', 'volume: version is 68.0, wanted 67.0'],
      [28, 1, 'VDO_UNSUPPORTED_VERSION', 'volume: version is 67.1'],
      [32, 40, 'VDO_UNSUPPORTED_VERSION', 'component data: version is 40.0, wanted 41.0'],
      [112, 2, 'VDO_UNSUPPORTED_VERSION', 'layout: version is 2.0, wanted 3.0'],
      [120, 16, 'VDO_BAD_SUPER_BLOCK', 'layout size is 16, wanted at least 17'],
      [144, 3, 'VDO_BAD_SUPER_BLOCK', 'partition count is 3, wanted 4'],
      [145, 4, 'VDO_BAD_SUPER_BLOCK', 'partition 0 has id 4'],
      [145, 1, 'VDO_BAD_SUPER_BLOCK', 'partition 1 (SlabDepot) is listed twice'],
      [249, 8, 'VDO_UNSUPPORTED_VERSION', 'recovery journal component: version is 8.0, wanted 7.0'],
      [257, 25, 'VDO_BAD_SUPER_BLOCK', 'size is 25, wanted 24'],
      [293, 3, 'VDO_UNSUPPORTED_VERSION', 'slab depot component: version is 3.0, wanted 2.0'],
      [301, 72, 'VDO_BAD_SUPER_BLOCK', 'size is 72, wanted 73'],
      [386, 1, 'VDO_UNSUPPORTED_VERSION', 'block map component: version is 1.0, wanted 2.0'],
      [394, 33, 'VDO_BAD_SUPER_BLOCK', 'size is 33, wanted 32'],
      [51, 0xff, 'VDO_BAD_CONFIGURATION', 'wanted less than 2^53'],
    ]
    for (const [at, value, code, text] of cases) {
      const error = refusal(() =>
        edited((bytes) => {
          bytes[at] = value
        }),
      )
      expect(error.message).to.contain(text)
      expect(error.code).to.equal(code)
    }
  })

  it('refuses sizes that contradict each other, the geometry or the limits', () => {
    const put = (at: number, value: number) => (bytes: Uint8Array) => writeU64(bytes, at, value)
    const cases: [(bytes: Uint8Array) => void, string, string][] = [
      [(bytes) => bytes.fill(8, 40, 41), 'VDO_BAD_SUPER_BLOCK', 'state is 8, wanted 0 to 7'],
      [put(68, 896001), 'VDO_BAD_CONFIGURATION', 'end at 896000, physical size is 896001'],
      [put(402, 2), 'VDO_BAD_SUPER_BLOCK', 'flat pages are 0 from 2'],
      [put(410, 1), 'VDO_BAD_SUPER_BLOCK', 'flat pages are 1 from 1'],
      [put(100, 5), 'VDO_BAD_NONCE', 'nonce is 0x5'],
      [put(76, 8193), 'VDO_BAD_CONFIGURATION', 'slab size is 8193 blocks'],
      [put(76, 2 ** 24), 'VDO_BAD_CONFIGURATION', 'slab size is 16777216 blocks'],
      [put(92, 1), 'VDO_BAD_CONFIGURATION', 'slab journal has 1 blocks'],
      [put(92, 8192), 'VDO_BAD_CONFIGURATION', 'slab journal has 8192 blocks'],
      [put(317, 0), 'VDO_BAD_CONFIGURATION', 'no data blocks'],
      [put(60, 2 ** 40 + 1), 'VDO_BAD_CONFIGURATION', 'logical size is 1099511627777'],
      [put(84, 32767), 'VDO_BAD_CONFIGURATION', 'recovery journal has 32767 blocks'],
      [(bytes) => bytes.fill(17, 381, 382), 'VDO_BAD_SUPER_BLOCK', 'zone count is 17'],
      [put(309, 4096), 'VDO_BAD_CONFIGURATION', "depot's slabs have 4096 blocks"],
      [put(309, 8191), 'VDO_BAD_CONFIGURATION', "depot's slabs have 8191 blocks"],
      [put(333, 223), 'VDO_BAD_CONFIGURATION', '223 of journal'],
      [put(317, 7967), 'VDO_BAD_CONFIGURATION', 'exceed a slab of 8192'],
      [put(365, 679190), 'VDO_BAD_CONFIGURATION', 'slabs lie from 679190'],
      [put(373, 679189), 'VDO_BAD_CONFIGURATION', 'slabs lie from 679189 to 679189'],
      [put(373, 859413 + 8192), 'VDO_BAD_CONFIGURATION', 'slabs lie from 679189 to 867605'],
      [put(60, 0), 'VDO_BAD_CONFIGURATION', 'logical size is 0, wanted 1 to 1099511627776'],
      [put(44, 2 ** 48), 'VDO_BAD_CONFIGURATION', 'count of recoveries is 281474976710656, wanted 0 to'],
      [put(52, 2 ** 48), 'VDO_BAD_CONFIGURATION', 'count of rebuilds is 281474976710656, wanted 0 to'],
      [put(265, 2 ** 48 + 1), 'VDO_BAD_CONFIGURATION', 'start of the journal is 281474976710657, wanted'],
      [put(265, 0), 'VDO_BAD_CONFIGURATION', 'start of the journal is 0, wanted 1 to 281474976710656'],
      [put(92, 257), 'VDO_BAD_CONFIGURATION', 'slab journal has 257 blocks, wanted 2 to 256'],
      [put(84, 2 ** 48 - 1), 'VDO_BAD_CONFIGURATION', 'wanted a power of two'],
      [put(84, 2 ** 16), 'VDO_BAD_CONFIGURATION', 'has 65536 blocks, wanted a power of two up to 32768'],
      [put(84, 2 ** 14), 'VDO_BAD_CONFIGURATION', 'has 32768 blocks, wanted 16384'],
      [put(325, 1), 'VDO_BAD_CONFIGURATION', 'reference blocks for 7966 data blocks is 1, wanted 2 to 2'],
      [put(341, 0), 'VDO_BAD_CONFIGURATION', 'flushing threshold is 0, wanted 1 to 224'],
      [put(349, 0), 'VDO_BAD_CONFIGURATION', 'blocking threshold is 0, wanted 1 to 224'],
      [put(357, 225), 'VDO_BAD_CONFIGURATION', 'scrubbing threshold is 225, wanted 1 to 224'],
      [put(426, 2 ** 16), 'VDO_BAD_CONFIGURATION', 'block map has 65536 trees, wanted 60'],
      [put(418, 0), 'VDO_BAD_CONFIGURATION', 'roots lie from 0, wanted them from 679129'],
    ]
    for (const [edit, code, text] of cases) {
      const error = validated(edit)
      expect(error.message).to.contain(text)
      expect(error.code).to.equal(code)
    }
    // Nothing but a physical size beyond the limit: the depot grows with it.
    expect(
      validated((bytes) => {
        writeU64(bytes, 68, 2 ** 36 + 1)
        writeU64(bytes, 145 + 3 * 25 + 17, 183979 + 2 ** 36 + 1 - 896000)
      }).message,
    ).to.contain('physical size is 68719476737')
    // A partition that lies beyond the volume: the sum of the sizes does not show it.
    expect(validated(put(145 + 25 + 1, 896000)).message).to.contain('partition 3 ends beyond')
    // One that lies over another.
    expect(validated(put(145 + 25 + 1, 679129)).message).to.contain(
      'partition 3 starts at 679129, wanted 679189',
    )
  })

  it('finds partitions by id, whatever their order', () => {
    const superBlock = decodeSuperBlock(goldenBlock('clean-super-block'), crc32)
    const turned = { ...superBlock, partitions: reversedPartitions(superBlock) }
    expect(turned.partitions.map((each) => each.id)).to.deep.equal([1, 2, 3, 0])
    for (const id of [0, 1, 2, 3]) expect(partitionOf(turned, id)).to.deep.equal(partitionOf(superBlock, id))
    const lacking = { ...superBlock, partitions: superBlock.partitions.slice(0, 3) }
    expect(refusal(() => partitionOf(lacking, PartitionId.SlabDepot)).message).to.contain('SlabDepot')
  })

  it('keeps every super block', () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    const order = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 })
    const partitions = fc
      .tuple(
        order,
        fc.array(fc.record({ start: number, base: number, blockCount: number }), {
          minLength: 4,
          maxLength: 4,
        }),
      )
      .map(([ids, rest]) => ids.map((id, index) => ({ id, ...rest[index] })))
    const superBlocks: fc.Arbitrary<SuperBlock> = fc.record({
      releaseVersion: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      state: fc.nat(7),
      completeRecoveries: number,
      readOnlyRecoveries: number,
      logicalBlocks: number,
      physicalBlocks: number,
      slabSize: number,
      recoveryJournalSize: number,
      slabJournalBlocks: number,
      nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      firstFree: number,
      lastFree: number,
      partitions,
      journalStart: number,
      logicalBlocksUsed: number,
      blockMapDataBlocks: number,
      slabConfig: fc.record({
        slabBlocks: number,
        dataBlocks: number,
        referenceCountBlocks: number,
        slabJournalBlocks: number,
        flushingThreshold: number,
        blockingThreshold: number,
        scrubbingThreshold: number,
      }),
      firstBlock: number,
      lastBlock: number,
      zoneCount: fc.nat(255),
      flatPageOrigin: number,
      flatPageCount: number,
      rootOrigin: number,
      rootCount: number,
    })
    fc.assert(
      fc.property(superBlocks, (superBlock) => {
        const bytes = encodeSuperBlock(superBlock, crc32)
        expect(decodeSuperBlock(bytes, crc32)).to.deep.equal(superBlock)
        expect(toHex(encodeSuperBlock(decodeSuperBlock(bytes, crc32), crc32))).to.equal(toHex(bytes))
      }),
      { seed: 10 },
    )
  })
})
