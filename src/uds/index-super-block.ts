/**
 * The super block of an index, the first block of its region: how the region is divided. A region table with these
 * seven regions, and the payload below.
 *
 * ```
 * header │ configuration │ index: volume of chapters │ save slot 0 │ save slot 1 │ seal
 *   1           1                                                                 1      blocks
 * ```
 *
 * | offset   | size   | field                                                                             |
 * |----------|--------|-----------------------------------------------------------------------------------|
 * | 0        | 32     | label: `*ALBIREO*SINGLE*FILE*LAYOUT*001*`                                         |
 * | 32       | 32     | what the nonces are made of                                                       |
 * | 64       | 8      | primary nonce                                                                     |
 * | 72       | 4      | version: 3, or 7 of an index that was reduced                                     |
 * | 76       | 4      | bytes per block: 4096                                                             |
 * | 80, 82   | 2, 2   | indexes: 1; save slots: 2                                                         |
 * | 84       | 4      | 0                                                                                 |
 * | 88, 96   | 8, 8   | blocks of an open chapter and of a page map in a save                             |
 * | 104, 112 | 8, 8   | version 7 only: the two offsets below                                             |
 *
 * An index was reduced to make room in front of its volume: the chapter of slot 0 was given up, super block and
 * configuration were written again behind it (`volumeOffset` blocks farther on), and the device now starts
 * `startOffset` blocks later. The table keeps the old numbers of all regions, so it has a gap of `volumeOffset`
 * blocks between the volume and the first save, which the volume, moved up, fills.
 */
import { assert } from '../base/assert.js'
import {
  readBig64,
  readU16,
  readU32,
  readU64,
  writeBig64,
  writeU16,
  writeU32,
  writeU64,
} from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { IndexError, indexCorrupt } from './index-error.js'
import { primaryNonce } from './index-nonces.js'
import {
  decodeRegionTable,
  encodeRegionTable,
  expectRegions,
  type Region,
  RegionKind,
  SOLE_INSTANCE,
  TableType,
} from './region-table.js'

const WHAT = 'index super block'
const LABEL = Uint8Array.from('*ALBIREO*SINGLE*FILE*LAYOUT*001*', (letter) => letter.charCodeAt(0))
const VERSION = 3
const REDUCED_VERSION = 7
const INDEX_COUNT = 1
export const SAVE_SLOTS = 2

const NONCE_INFO_AT = 32
const NONCE_AT = 64
const VERSION_AT = 72
const BLOCK_SIZE_AT = 76
const INDEX_COUNT_AT = 80
const SAVE_SLOTS_AT = 82
const OPEN_CHAPTER_AT = 88
const PAGE_MAP_AT = 96
const PAYLOAD_BYTES = 104
const REDUCED_PAYLOAD_BYTES = 120

export interface IndexSuperBlock {
  /** The block of the super block as its table counts, which is not where it lies in an index that was reduced. */
  readonly start: number
  readonly volumeBlocks: number
  /** Blocks of each save slot, and of two areas in it. */
  readonly saveBlocks: number
  readonly openChapterBlocks: number
  readonly pageMapBlocks: number
  readonly nonceInfo: Uint8Array
  readonly nonce: bigint
  /** In blocks, both 0 unless the index was reduced. */
  readonly volumeOffset: number
  readonly startOffset: number
  readonly reduced: boolean
}

/** Blocks of the region of such an index. */
export function blocksOf({ volumeBlocks, saveBlocks }: IndexSuperBlock): number {
  return 3 + volumeBlocks + SAVE_SLOTS * saveBlocks
}

/** The first block of the region that holds volume and saves, as the table counts. */
export function indexStartOf({ start }: IndexSuperBlock): number {
  return start + 2
}

/** The first block of a save slot, as the table counts. */
export function slotStartOf(block: IndexSuperBlock, slot: number): number {
  return indexStartOf(block) + block.volumeBlocks + block.volumeOffset + slot * block.saveBlocks
}

function regionsOf(block: IndexSuperBlock): readonly Region[] {
  const { start, volumeBlocks, saveBlocks } = block
  const index = indexStartOf(block)
  const sole = (kind: RegionKind, at: number, blocks: number): Region => ({
    start: at,
    blocks,
    kind,
    instance: SOLE_INSTANCE,
  })
  return [
    sole(RegionKind.Header, start, 1),
    sole(RegionKind.Config, start + 1, 1),
    { start: index, blocks: blocksOf(block) - 3, kind: RegionKind.Index, instance: 0 },
    sole(RegionKind.Volume, index, volumeBlocks),
    { start: slotStartOf(block, 0), blocks: saveBlocks, kind: RegionKind.Save, instance: 0 },
    { start: slotStartOf(block, 1), blocks: saveBlocks, kind: RegionKind.Save, instance: 1 },
    sole(RegionKind.Seal, slotStartOf(block, SAVE_SLOTS), 1),
  ]
}

export function encodeIndexSuperBlock(block: IndexSuperBlock): Uint8Array {
  const payload = new Uint8Array(block.reduced ? REDUCED_PAYLOAD_BYTES : PAYLOAD_BYTES)
  payload.set(LABEL)
  payload.set(block.nonceInfo, NONCE_INFO_AT)
  writeBig64(payload, NONCE_AT, block.nonce)
  writeU32(payload, VERSION_AT, block.reduced ? REDUCED_VERSION : VERSION)
  writeU32(payload, BLOCK_SIZE_AT, BLOCK_SIZE)
  writeU16(payload, INDEX_COUNT_AT, INDEX_COUNT)
  writeU16(payload, SAVE_SLOTS_AT, SAVE_SLOTS)
  writeU64(payload, OPEN_CHAPTER_AT, block.openChapterBlocks)
  writeU64(payload, PAGE_MAP_AT, block.pageMapBlocks)
  if (block.reduced) {
    writeU64(payload, PAYLOAD_BYTES, block.volumeOffset)
    writeU64(payload, PAYLOAD_BYTES + 8, block.startOffset)
  } else {
    assert(block.volumeOffset === 0 && block.startOffset === 0, 'only a reduced index was moved')
  }
  return encodeRegionTable({
    type: TableType.SuperBlock,
    blocks: blocksOf(block),
    regions: regionsOf(block),
    payload,
  })
}

/** Decodes the super block that lies at block `at` of the device. Throws unless every region follows from it. */
export function decodeIndexSuperBlock(bytes: Uint8Array, at: number): IndexSuperBlock {
  const table = decodeRegionTable(bytes, WHAT)
  const { type, payload, regions } = table
  const expect = (name: string, found: number | bigint, wanted: number | bigint): void => {
    if (found !== wanted) throw indexCorrupt(WHAT, `its ${name} is ${found}, wanted ${wanted}`)
  }
  expect('type', type, TableType.SuperBlock)
  if (payload.length < PAYLOAD_BYTES) {
    throw indexCorrupt(WHAT, `its payload has ${payload.length} bytes, wanted ${PAYLOAD_BYTES}`)
  }
  if (LABEL.some((byte, i) => payload[i] !== byte)) throw indexCorrupt(WHAT, 'its label is another')
  const version = readU32(payload, VERSION_AT)
  if (version !== VERSION && version !== REDUCED_VERSION) {
    throw new IndexError(
      'VDO_INDEX_UNSUPPORTED',
      `Cannot read the ${WHAT}: its version is ${version}, wanted ${VERSION} or ${REDUCED_VERSION}`,
    )
  }
  const reduced = version === REDUCED_VERSION
  expect('payload', payload.length, reduced ? REDUCED_PAYLOAD_BYTES : PAYLOAD_BYTES)
  expect('size of a block', readU32(payload, BLOCK_SIZE_AT), BLOCK_SIZE)
  expect('count of indexes', readU16(payload, INDEX_COUNT_AT), INDEX_COUNT)
  expect('count of save slots', readU16(payload, SAVE_SLOTS_AT), SAVE_SLOTS)
  const nonceInfo = payload.slice(NONCE_INFO_AT, NONCE_AT)
  const nonce = readBig64(payload, NONCE_AT)
  expect('nonce', nonce, primaryNonce(nonceInfo))
  expect('count of regions', regions.length, 5 + SAVE_SLOTS)
  const volumeOffset = reduced ? readU64(payload, PAYLOAD_BYTES) : 0
  const startOffset = reduced ? readU64(payload, PAYLOAD_BYTES + 8) : 0
  if (volumeOffset < startOffset) {
    throw indexCorrupt(WHAT, `it starts ${startOffset} blocks later and lies ${volumeOffset} farther on`)
  }
  const block: IndexSuperBlock = {
    start: at - (volumeOffset - startOffset),
    volumeBlocks: regions[3]!.blocks,
    saveBlocks: regions[4]!.blocks,
    openChapterBlocks: readU64(payload, OPEN_CHAPTER_AT),
    pageMapBlocks: readU64(payload, PAGE_MAP_AT),
    nonceInfo,
    nonce,
    volumeOffset,
    startOffset,
    reduced,
  }
  expectRegions(table, regionsOf(block), WHAT)
  expect('count of blocks', table.blocks, blocksOf(block))
  return block
}
