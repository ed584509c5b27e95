/**
 * The header of a save slot, its first block: whether the slot holds a save, of when, and where its parts are. A
 * region table and this payload:
 *
 * | offset     | size | field                                                                              |
 * |------------|------|------------------------------------------------------------------------------------|
 * | 0          | 8    | time of the save in ms since 1970; 0 if there is none                              |
 * | 8          | 8    | nonce of the save                                                                  |
 * | 16, 20     | 4, 4 | version: 1; 0                                                                      |
 * |            |      | only if there is a save:                                                           |
 * | 24, 28     | 4, 4 | version of the state: -1, 301                                                      |
 * | 32, 40     | 8, 8 | newest and oldest chapter                                                          |
 * | 48         | 8    | last chapter that was closed, or 2^64 - 1                                          |
 * | 56         | 8    | 0                                                                                  |
 *
 * The regions: header (1 block), page map, volume index of each zone, open chapter, what is free. Without a save:
 * header, page map, what is free.
 */
import { assert } from '../base/assert.js'
import { readBig64, readU32, writeBig64, writeU32 } from '../base/bytes.js'
import { MAX_INDEX_ZONES } from '../format/index-region.js'
import { IndexError, indexCorrupt } from './index-error.js'
import { saveNonceOf } from './index-nonces.js'
import {
  decodeRegionTable,
  encodeRegionTable,
  expectRegions,
  type Region,
  RegionKind,
  SOLE_INSTANCE,
  TableType,
} from './region-table.js'
import type { Area } from './volume-index-save.js'

const UNSAVED_PAYLOAD_BYTES = 24
const SAVED_PAYLOAD_BYTES = 64
const SAVE_VERSION = 1
const STATE_SIGNATURE = 0xffff_ffff
const STATE_VERSION = 301
const NO_CHAPTER = 0xffff_ffff_ffff_ffffn

/** A place for a save. Blocks are counted as the tables do. */
export interface SaveSlot {
  readonly number: number
  readonly start: number
  readonly blocks: number
}

/** The parts of a save. */
export interface SaveAreas {
  readonly pageMap: Area
  /** Of each zone that saved. */
  readonly volumeIndex: readonly Area[]
  readonly openChapter: Area
}

export interface SaveHeader {
  /** In ms since 1970. */
  readonly time: bigint
  readonly nonce: bigint
  /** Chapters as they are stored: whether they make sense shows when the save is loaded. */
  readonly newest: bigint
  readonly oldest: bigint
  /** The last chapter that was closed, `NO_CHAPTER` if none was. */
  readonly lastSave: bigint
  readonly areas: SaveAreas
}

/** The header of a save of an index whose open chapter is `newest`. */
export function saveHeaderOf(
  slot: SaveSlot,
  areas: SaveAreas,
  volumeNonce: bigint,
  time: bigint,
  newest: number,
  oldest: number,
): SaveHeader {
  return {
    time,
    nonce: saveNonceOf(volumeNonce, time, slot.start),
    newest: BigInt(newest),
    oldest: BigInt(oldest),
    lastSave: newest === 0 ? NO_CHAPTER : BigInt(newest - 1),
    areas,
  }
}

/** Divides a slot for a save by so many zones. */
export function divideSlot(
  slot: SaveSlot,
  zones: number,
  pageMapBlocks: number,
  openChapterBlocks: number,
): SaveAreas {
  assert(zones >= 1 && zones <= MAX_INDEX_ZONES, 'up to 16 zones save an index')
  const perZone = Math.floor((slot.blocks - 1 - pageMapBlocks - openChapterBlocks) / zones)
  assert(perZone >= 1, 'a save slot has room for a save')
  const pageMap = { block: slot.start + 1, blocks: pageMapBlocks }
  const first = pageMap.block + pageMapBlocks
  return {
    pageMap,
    volumeIndex: Array.from({ length: zones }, (_, i) => ({ block: first + i * perZone, blocks: perZone })),
    openChapter: { block: first + zones * perZone, blocks: openChapterBlocks },
  }
}

/** Encodes the header of a slot that holds no save. */
export function encodeUnsavedHeader(slot: SaveSlot, pageMapBlocks: number): Uint8Array {
  const free = slot.start + 1 + pageMapBlocks
  return encodeRegionTable({
    type: TableType.Unsaved,
    blocks: slot.blocks,
    regions: [
      sole(RegionKind.Header, { block: slot.start, blocks: 1 }),
      sole(RegionKind.PageMap, { block: slot.start + 1, blocks: pageMapBlocks }),
      sole(RegionKind.Empty, { block: free, blocks: slot.start + slot.blocks - free }),
    ],
    payload: new Uint8Array(UNSAVED_PAYLOAD_BYTES),
  })
}

/** Encodes the header that makes what a slot holds a save. */
export function encodeSaveHeader(slot: SaveSlot, header: SaveHeader): Uint8Array {
  const payload = new Uint8Array(SAVED_PAYLOAD_BYTES)
  writeBig64(payload, 0, header.time)
  writeBig64(payload, 8, header.nonce)
  writeU32(payload, 16, SAVE_VERSION)
  writeU32(payload, 24, STATE_SIGNATURE)
  writeU32(payload, 28, STATE_VERSION)
  writeBig64(payload, 32, header.newest)
  writeBig64(payload, 40, header.oldest)
  writeBig64(payload, 48, header.lastSave)
  const regions = regionsOf(slot, header.areas)
  return encodeRegionTable({ type: TableType.Save, blocks: slot.blocks, regions, payload })
}

/**
 * Decodes the header of a slot: undefined if it says that there is no save. Throws if it is damaged, or says that
 * there is a save which is not of this index.
 */
export function decodeSaveHeader(
  bytes: Uint8Array,
  slot: SaveSlot,
  volumeNonce: bigint,
): SaveHeader | undefined {
  const what = `header of save ${slot.number}`
  const table = decodeRegionTable(bytes, what)
  const expect = (name: string, found: number | bigint, wanted: number | bigint): void => {
    if (found !== wanted) throw indexCorrupt(what, `its ${name} is ${found}, wanted ${wanted}`)
  }
  expect('count of blocks', table.blocks, slot.blocks)
  if (table.type === TableType.Unsaved) return undefined
  expect('type', table.type, TableType.Save)
  const { payload } = table
  expect('payload', payload.length, SAVED_PAYLOAD_BYTES)
  const version = readU32(payload, 16)
  const signature = readU32(payload, 24)
  const stateVersion = readU32(payload, 28)
  if (version !== SAVE_VERSION || signature !== STATE_SIGNATURE || stateVersion !== STATE_VERSION) {
    throw new IndexError(
      'VDO_INDEX_UNSUPPORTED',
      `Cannot read the ${what}: its versions are ${version}, ${signature | 0} and ${stateVersion}, ` +
        `wanted ${SAVE_VERSION}, -1 and ${STATE_VERSION}`,
    )
  }
  const areas = areasOf(table.regions, what)
  const wanted = regionsOf(slot, areas)
  expectRegions(table, wanted, what)
  expect(
    'sum of regions',
    wanted.reduce((sum, { blocks }) => sum + blocks, 0),
    slot.blocks,
  )
  const time = readBig64(payload, 0)
  if (time === 0n) throw indexCorrupt(what, 'it has no time')
  const nonce = readBig64(payload, 8)
  expect('nonce', nonce, saveNonceOf(volumeNonce, time, slot.start))
  return {
    time,
    nonce,
    newest: readBig64(payload, 32),
    oldest: readBig64(payload, 40),
    lastSave: readBig64(payload, 48),
    areas,
  }
}

/** The areas that the regions of a save name; what is between and behind them is for others to judge. */
function areasOf(regions: readonly Region[], what: string): SaveAreas {
  const hasFree = regions.at(-1)?.kind === RegionKind.Empty
  const zones = regions.length - (hasFree ? 4 : 3)
  if (zones < 1 || zones > MAX_INDEX_ZONES) {
    throw indexCorrupt(
      what,
      `it has ${regions.length} regions, wanted those of 1 to ${MAX_INDEX_ZONES} zones`,
    )
  }
  const areaOf = ({ start, blocks }: Region): Area => ({ block: start, blocks })
  return {
    pageMap: areaOf(regions[1]!),
    volumeIndex: regions.slice(2, 2 + zones).map(areaOf),
    openChapter: areaOf(regions[2 + zones]!),
  }
}

/** The regions of a save whose areas have these sizes, each behind the other. */
function regionsOf(slot: SaveSlot, { pageMap, volumeIndex, openChapter }: SaveAreas): Region[] {
  const regions = [sole(RegionKind.Header, { block: slot.start, blocks: 1 })]
  let next = slot.start + 1
  const add = (kind: RegionKind, blocks: number, instance = SOLE_INSTANCE): void => {
    regions.push({ start: next, blocks, kind, instance })
    next += blocks
  }
  add(RegionKind.PageMap, pageMap.blocks)
  for (const [zone, { blocks }] of volumeIndex.entries()) add(RegionKind.VolumeIndex, blocks, zone)
  add(RegionKind.OpenChapter, openChapter.blocks)
  const free = slot.start + slot.blocks - next
  if (free > 0) add(RegionKind.Empty, free)
  return regions
}

function sole(kind: RegionKind, { block, blocks }: Area): Region {
  return { start: block, blocks, kind, instance: SOLE_INSTANCE }
}
