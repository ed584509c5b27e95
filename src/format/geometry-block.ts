/**
 * The geometry block, block 0 of the device: which volume this is, and where its two regions start. Written once,
 * when the volume is formatted.
 *
 * | offset | size | field                                                      |
 * |--------|------|------------------------------------------------------------|
 * | 0      | 8    | magic: "dmvdo001"                                          |
 * | 8      | 20   | component header: id 5, version 5.0, size 101              |
 * | 28     | 4    | unused (release version of old volumes): kept as found     |
 * | 32     | 8    | nonce                                                      |
 * | 40     | 16   | UUID                                                       |
 * | 56     | 8    | bio offset in blocks (a PBN less this is a device block)   |
 * | 64     | 12   | region 0: id 0, start of the index region (a PBN)          |
 * | 76     | 12   | region 1: id 1, start of the data region (a PBN)           |
 * | 88     | 4    | index memory code, signed (index-memory.ts)                |
 * | 92     | 4    | unused: kept as found                                      |
 * | 96     | 1    | index is sparse: 0 or 1                                    |
 * | 97     | 4    | checksum of everything before it                           |
 * | 101    | 3995 | written 0, ignored                                         |
 *
 * Version 4.0, of older volumes, has size 93 and no bio offset: all behind the UUID lies 8 bytes earlier.
 */

import { assert } from '../base/assert.js'
import { readBig64, readU32, toHex, writeBig64, writeU32, writeU64 } from '../base/bytes.js'
import { CHECKSUM_SIZE, type Crc32, verifyChecksum, writeChecksum } from './checksum.js'
import {
  ComponentId,
  expectComponent,
  expectSize,
  readComponentHeader,
  readField,
  writeComponentHeader,
} from './component-header.js'
import { BLOCK_SIZE, MAXIMUM_PHYSICAL_BLOCKS } from './constants.js'
import { FormatError } from './format-error.js'

const MAGIC = Uint8Array.from('dmvdo001', (letter) => letter.charCodeAt(0))

const HEADER_AT = 8
const UNUSED_AT = 28
const NONCE_AT = 32
const UUID_AT = 40
const BIO_OFFSET_AT = 56
const BIO_OFFSET_SIZE = 8
const UUID_SIZE = 16
const REGION_SIZE = 12
const GEOMETRY_SIZE = 101
const OLD_GEOMETRY_SIZE = 93

assert(UUID_AT + UUID_SIZE === BIO_OFFSET_AT, 'the bio offset follows the UUID')
assert(
  BIO_OFFSET_AT + BIO_OFFSET_SIZE + 2 * REGION_SIZE + 9 + CHECKSUM_SIZE === GEOMETRY_SIZE,
  'the fields of a geometry block fill its size',
)
assert(OLD_GEOMETRY_SIZE + BIO_OFFSET_SIZE === GEOMETRY_SIZE, 'an old geometry lacks just the bio offset')

export interface Geometry {
  /** Major version: 5, or 4 for a volume of old. */
  readonly version: 4 | 5
  /** Field at offset 28. */
  readonly releaseVersion: number
  readonly nonce: bigint
  /** 16 bytes. */
  readonly uuid: Uint8Array
  /** Blocks that were cut away in front of the volume: a PBN less this is a device block. */
  readonly bioOffset: number
  /** Ids and PBNs of the starts of the index region and of the data region. The ids are kept, not judged. */
  readonly indexRegionId: number
  readonly indexRegionStart: number
  readonly dataRegionId: number
  readonly dataRegionStart: number
  readonly indexMemory: number
  /** Field before the sparse flag, of a checkpoint setting that is gone. */
  readonly unusedIndexField: number
  /** 0 or 1; any other byte counts as 1 and is kept. */
  readonly indexSparse: number
}

/** Encodes a geometry into a new block. */
export function encodeGeometry(geometry: Geometry, crc32: Crc32): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE)
  bytes.set(MAGIC)
  const size = geometry.version === 5 ? GEOMETRY_SIZE : OLD_GEOMETRY_SIZE
  writeComponentHeader(bytes, HEADER_AT, {
    id: ComponentId.Geometry,
    major: geometry.version,
    minor: 0,
    size,
  })
  writeU32(bytes, UNUSED_AT, geometry.releaseVersion)
  writeBig64(bytes, NONCE_AT, geometry.nonce)
  assert(geometry.uuid.length === UUID_SIZE, 'a UUID has 16 bytes')
  bytes.set(geometry.uuid, UUID_AT)
  let at = BIO_OFFSET_AT
  if (geometry.version === 5) {
    writeU64(bytes, at, geometry.bioOffset)
    at += BIO_OFFSET_SIZE
  } else {
    assert(geometry.bioOffset === 0, 'an old geometry has no bio offset')
  }
  writeU32(bytes, at, geometry.indexRegionId)
  writeU64(bytes, at + 4, geometry.indexRegionStart)
  writeU32(bytes, at + 12, geometry.dataRegionId)
  writeU64(bytes, at + 16, geometry.dataRegionStart)
  writeU32(bytes, at + 24, geometry.indexMemory)
  writeU32(bytes, at + 28, geometry.unusedIndexField)
  bytes[at + 32] = geometry.indexSparse
  writeChecksum(bytes, size - CHECKSUM_SIZE, crc32)
  return bytes
}

/**
 * Decodes a geometry block. Whether its places make sense is `validateGeometry`'s to say; whatever follows the
 * geometry in `bytes` is ignored.
 */
export function decodeGeometry(bytes: Uint8Array, crc32: Crc32): Geometry {
  const what = 'geometry block'
  if (bytes.length < GEOMETRY_SIZE) {
    throw new FormatError(
      'VDO_TRUNCATED',
      `Cannot decode ${what}: ${bytes.length} bytes, wanted ${GEOMETRY_SIZE}`,
    )
  }
  if (!hasGeometryMagic(bytes)) {
    throw new FormatError(
      'VDO_BAD_MAGIC',
      `Cannot decode ${what}: magic is ${toHex(bytes.subarray(0, 8))}, wanted ${toHex(MAGIC)} (dmvdo001)`,
    )
  }
  const { major } = readComponentHeader(bytes, HEADER_AT)
  const version = major <= 4 ? 4 : 5
  const size = version === 5 ? GEOMETRY_SIZE : OLD_GEOMETRY_SIZE
  const header = expectComponent(what, bytes, HEADER_AT, {
    id: ComponentId.Geometry,
    major: version,
    minor: 0,
    size,
  })
  expectSize(what, header.size, size)
  verifyChecksum(what, bytes, size - CHECKSUM_SIZE, crc32)
  const at = version === 5 ? BIO_OFFSET_AT + BIO_OFFSET_SIZE : BIO_OFFSET_AT
  return {
    version,
    releaseVersion: readU32(bytes, UNUSED_AT),
    nonce: readBig64(bytes, NONCE_AT),
    uuid: bytes.slice(UUID_AT, UUID_AT + UUID_SIZE),
    bioOffset: version === 5 ? readField(what, bytes, BIO_OFFSET_AT) : 0,
    indexRegionId: readU32(bytes, at),
    indexRegionStart: readField(what, bytes, at + 4),
    dataRegionId: readU32(bytes, at + 12),
    dataRegionStart: readField(what, bytes, at + 16),
    indexMemory: readU32(bytes, at + 24) | 0,
    unusedIndexField: readU32(bytes, at + 28),
    indexSparse: bytes[at + 32],
  }
}

/** Throws unless the regions can be found by it: first the index, behind the geometry block itself, then the data. */
export function validateGeometry({ bioOffset, indexRegionStart, dataRegionStart }: Geometry): void {
  const refuse = (what: string) => {
    throw new FormatError('VDO_BAD_CONFIGURATION', `Cannot use geometry block: ${what}`)
  }
  if (indexRegionStart <= bioOffset) {
    refuse(`index region starts at ${indexRegionStart}, wanted more than the bio offset of ${bioOffset}`)
  }
  if (dataRegionStart <= indexRegionStart || dataRegionStart >= MAXIMUM_PHYSICAL_BLOCKS) {
    refuse(
      `data region starts at ${dataRegionStart}, wanted ${indexRegionStart + 1} to ${MAXIMUM_PHYSICAL_BLOCKS - 1}`,
    )
  }
}

/** Whether a device starts like a VDO volume, sound or not. */
export function hasGeometryMagic(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, at) => bytes[at] === byte)
}
