/**
 * The configuration block of an index: what it was made as, and for which volume. It is compared, never obeyed.
 *
 * | offset | size | field                                                           |
 * |--------|------|-----------------------------------------------------------------|
 * | 0      | 5    | magic: "ALBIC"                                                  |
 * | 5      | 5    | version: "06.02", or "08.02" of an index that was reduced       |
 * | 10     | 4    | record pages per chapter                                        |
 * | 14     | 4    | chapters                                                        |
 * | 18     | 4    | sparse chapters among them                                      |
 * | 22     | 4    | chapters that are cached: 7                                     |
 * | 26     | 4    | 0, ignored                                                      |
 * | 30     | 4    | mean delta of the volume index: 4096                            |
 * | 34     | 4    | bytes per page: 32768                                           |
 * | 38     | 4    | rate of samples: 32, or 0 if dense                              |
 * | 42     | 8    | nonce of the VDO volume                                         |
 * | 50     | 8    | 08.02 only: the chapter that was moved                          |
 * | 58     | 8    | 08.02 only: the slot that it was moved to                       |
 */
import { readBig64, readU32, readU64, writeBig64, writeU32, writeU64 } from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { IndexShape } from '../format/index-region.js'
import { CACHE_CHAPTERS, IndexGeometry, PAGE_BYTES, VOLUME_INDEX_MEAN_DELTA } from './geometry.js'
import { IndexError, indexCorrupt, indexMissing } from './index-error.js'
import { CHAPTER_LIMIT } from './volume-index.js'

const WHAT = 'index configuration'
const MAGIC = 'ALBIC'
const VERSION = '06.02'
const REDUCED_VERSION = '08.02'
const FIELDS_AT = MAGIC.length + VERSION.length
const NONCE_AT = 42

/** Encodes the configuration of an index into a block. An index that was reduced says what was moved. */
export function encodeIndexConfig(geometry: IndexGeometry, nonce: bigint, reduced = false): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE)
  writeText(bytes, 0, MAGIC)
  writeText(bytes, MAGIC.length, reduced ? REDUCED_VERSION : VERSION)
  for (const [i, { value }] of fieldsOf(geometry).entries()) writeU32(bytes, FIELDS_AT + 4 * i, value)
  writeBig64(bytes, NONCE_AT, nonce)
  if (reduced) {
    writeU64(bytes, NONCE_AT + 8, geometry.remappedVirtual)
    writeU64(bytes, NONCE_AT + 16, geometry.remappedPhysical)
  }
  return bytes
}

/** The geometry of the index whose configuration this is. Throws unless it is of this shape and volume. */
export function decodeIndexConfig(bytes: Uint8Array, shape: IndexShape, nonce: bigint): IndexGeometry {
  if (bytes.length < BLOCK_SIZE) {
    throw indexCorrupt(WHAT, `there are ${bytes.length} bytes of it, wanted ${BLOCK_SIZE}`)
  }
  if (readText(bytes, 0, MAGIC.length) !== MAGIC) throw indexMissing(WHAT, 'none is there')
  const version = readText(bytes, MAGIC.length, VERSION.length)
  if (version !== VERSION && version !== REDUCED_VERSION) {
    throw new IndexError(
      'VDO_INDEX_UNSUPPORTED',
      `Cannot read the ${WHAT}: its version is ${JSON.stringify(version)}, wanted ${VERSION} or ${REDUCED_VERSION}`,
    )
  }
  const geometry = version === VERSION ? new IndexGeometry(shape) : remapped(bytes, shape)
  for (const [i, { name, value, matters }] of fieldsOf(geometry).entries()) {
    const found = readU32(bytes, FIELDS_AT + 4 * i)
    if (matters && found !== value) throw indexMissing(WHAT, `${name}: it has ${found}, wanted ${value}`)
  }
  const found = readBig64(bytes, NONCE_AT)
  if (found !== nonce) {
    throw indexMissing(WHAT, `it is of the volume with nonce ${found}, wanted ${nonce}`)
  }
  return geometry
}

function remapped(bytes: Uint8Array, shape: IndexShape): IndexGeometry {
  const virtual = readU64(bytes, NONCE_AT + 8)
  const physical = readU64(bytes, NONCE_AT + 16)
  const geometry = new IndexGeometry(shape)
  if (virtual >= CHAPTER_LIMIT || physical >= geometry.chapters) {
    throw indexCorrupt(WHAT, `chapter ${virtual} was moved to slot ${physical} of ${geometry.chapters}`)
  }
  return new IndexGeometry(shape, virtual, physical)
}

interface Field {
  readonly name: string
  readonly value: number
  readonly matters: boolean
}

function fieldsOf(geometry: IndexGeometry): readonly Field[] {
  const field = (name: string, value: number, matters = true): Field => ({ name, value, matters })
  return [
    field('record pages per chapter', geometry.recordPagesPerChapter),
    field('chapters', geometry.chapters),
    field('sparse chapters', geometry.sparseChapters),
    field('cached chapters', CACHE_CHAPTERS),
    field('unused', 0, false),
    field('mean delta', VOLUME_INDEX_MEAN_DELTA),
    field('bytes per page', PAGE_BYTES),
    field('rate of samples', geometry.sampleRate),
  ]
}

function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
}

function readText(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}
