/**
 * The region table: what lies where in an index, or in one of its saves. It stands at the start of a block, with a
 * payload of its owner behind it. Nothing of it has a checksum, so its owner compares every region with what it
 * has to be.
 *
 * | offset       | size | field                                                                       |
 * |--------------|------|-----------------------------------------------------------------------------|
 * | 0            | 8    | magic: "10ngRblA"                                                           |
 * | 8            | 8    | blocks that the whole table spans                                           |
 * | 16           | 2    | type: 1 super block, 2 save, 4 slot without a save                          |
 * | 18           | 2    | version: 1                                                                  |
 * | 20           | 2    | count n of regions                                                          |
 * | 22           | 2    | bytes of the payload                                                        |
 * | 24           | 24 n | regions: first block (8), blocks (8), 0 (4), kind (2), instance (2)         |
 * | 24 + 24 n    |      | payload                                                                     |
 */
import { assert } from '../base/assert.js'
import { readU16, readU64, writeU16, writeU64 } from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { IndexError, indexCorrupt, indexMissing } from './index-error.js'

const MAGIC = Uint8Array.from('10ngRblA', (letter) => letter.charCodeAt(0))
const VERSION = 1
const HEADER_BYTES = 24
const REGION_BYTES = 24

export enum TableType {
  SuperBlock = 1,
  Save = 2,
  Unsaved = 4,
}

export enum RegionKind {
  Empty = 0,
  Header = 1,
  Config = 100,
  Index = 101,
  Seal = 102,
  Volume = 201,
  Save = 202,
  PageMap = 301,
  /** Its instance is the number of the zone. */
  VolumeIndex = 302,
  OpenChapter = 303,
}

/** The instance of what there is one of. */
export const SOLE_INSTANCE = 65535

/** Where something lies. Blocks are counted from the start of the device, as it was when the index was made. */
export interface Region {
  readonly start: number
  readonly blocks: number
  readonly kind: RegionKind
  readonly instance: number
}

export interface RegionTable {
  readonly type: TableType
  readonly blocks: number
  readonly regions: readonly Region[]
  readonly payload: Uint8Array
}

/** Encodes a table into a block of its own. */
export function encodeRegionTable({ type, blocks, regions, payload }: RegionTable): Uint8Array {
  const size = HEADER_BYTES + regions.length * REGION_BYTES
  assert(size + payload.length <= BLOCK_SIZE, 'a region table fits its block')
  const bytes = new Uint8Array(BLOCK_SIZE)
  bytes.set(MAGIC)
  writeU64(bytes, 8, blocks)
  writeU16(bytes, 16, type)
  writeU16(bytes, 18, VERSION)
  writeU16(bytes, 20, regions.length)
  writeU16(bytes, 22, payload.length)
  for (const [i, region] of regions.entries()) {
    const at = HEADER_BYTES + i * REGION_BYTES
    writeU64(bytes, at, region.start)
    writeU64(bytes, at + 8, region.blocks)
    writeU16(bytes, at + 20, region.kind)
    writeU16(bytes, at + 22, region.instance)
  }
  bytes.set(payload, size)
  return bytes
}

/** Decodes the table of a block. `what` is how an error calls it. */
export function decodeRegionTable(bytes: Uint8Array, what: string): RegionTable {
  if (bytes.length < BLOCK_SIZE) {
    throw indexCorrupt(what, `there are ${bytes.length} bytes of it, wanted ${BLOCK_SIZE}`)
  }
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw indexMissing(what, 'no region table is there')
  const version = readU16(bytes, 18)
  if (version !== VERSION) {
    throw new IndexError(
      'VDO_INDEX_UNSUPPORTED',
      `Cannot read the ${what}: its region table has version ${version}, wanted ${VERSION}`,
    )
  }
  const count = readU16(bytes, 20)
  const payloadBytes = readU16(bytes, 22)
  const payloadAt = HEADER_BYTES + count * REGION_BYTES
  if (payloadAt + payloadBytes > BLOCK_SIZE) {
    throw indexCorrupt(what, `${count} regions and ${payloadBytes} bytes more are too much for a block`)
  }
  const regions = Array.from({ length: count }, (_, i) => {
    const at = HEADER_BYTES + i * REGION_BYTES
    return {
      start: readU64(bytes, at),
      blocks: readU64(bytes, at + 8),
      kind: readU16(bytes, at + 20),
      instance: readU16(bytes, at + 22),
    }
  })
  return {
    type: readU16(bytes, 16),
    blocks: readU64(bytes, 8),
    regions,
    payload: bytes.slice(payloadAt, payloadAt + payloadBytes),
  }
}

/** Throws unless the regions of a table are these, in this order. */
export function expectRegions(table: RegionTable, wanted: readonly Region[], what: string): void {
  const { regions } = table
  if (regions.length !== wanted.length) {
    throw indexCorrupt(what, `it has ${regions.length} regions, wanted ${wanted.length}`)
  }
  for (const [i, region] of wanted.entries()) {
    const found = regions[i]!
    const isSame =
      found.start === region.start &&
      found.blocks === region.blocks &&
      found.kind === region.kind &&
      found.instance === region.instance
    if (!isSame) throw indexCorrupt(what, `region ${i} is ${describe(found)}, wanted ${describe(region)}`)
  }
}

function describe({ start, blocks, kind, instance }: Region): string {
  const number = instance === SOLE_INSTANCE ? '' : ` number ${instance}`
  return `${blocks} blocks of kind ${kind}${number} from block ${start} on`
}
