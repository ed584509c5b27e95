/**
 * The super block, first block of the data region: how the volume stands. All of it lies in the block's first
 * sector, so that it never tears; there is one copy.
 *
 * | offset | size | field                                                                       |
 * |--------|------|-----------------------------------------------------------------------------|
 * | 0      | 20   | component header: id 0, version 12.0, size 418                              |
 * | 20     | 4    | unused (release version of old volumes): kept as found                      |
 * | 24     | 8    | volume version: 67, 0                                                       |
 * | 32     | 8    | component data version: 41, 0                                               |
 * | 40     | 4    | state                                                                       |
 * | 44     | 8    | complete recoveries                                                         |
 * | 52     | 8    | read-only recoveries                                                        |
 * | 60     | 8    | logical blocks                                                              |
 * | 68     | 8    | physical blocks                                                             |
 * | 76     | 8    | slab size in blocks                                                         |
 * | 84     | 8    | recovery journal size in blocks                                             |
 * | 92     | 8    | slab journal blocks                                                         |
 * | 100    | 8    | nonce, as in the geometry                                                   |
 * | 108    | 20   | layout: header id 1, version 3.0, size 117                                  |
 * | 128    | 8    | first free block                                                            |
 * | 136    | 8    | last free block                                                             |
 * | 144    | 1    | partition count                                                             |
 * | 145    | 100  | partitions: id (1), start PBN (8), unused base (8), blocks (8)              |
 * | 245    | 20   | recovery journal: header id 2, version 7.0, size 24                         |
 * | 265    | 8    | journal start (a sequence number)                                           |
 * | 273    | 8    | logical blocks used                                                         |
 * | 281    | 8    | block map data blocks                                                       |
 * | 289    | 20   | slab depot: header id 3, version 2.0, size 73                               |
 * | 309    | 56   | slab config: slab, data, reference, journal blocks; flushing, blocking,     |
 * |        |      | scrubbing thresholds                                                        |
 * | 365    | 8    | first block of the depot (PBN of slab 0)                                    |
 * | 373    | 8    | last block (PBN behind the last slab)                                       |
 * | 381    | 1    | zone count at the last save                                                 |
 * | 382    | 20   | block map: header id 4, version 2.0, size 32                                |
 * | 402    | 8    | flat page origin: 1                                                         |
 * | 410    | 8    | flat page count: 0                                                          |
 * | 418    | 8    | root origin (PBN of root page 0)                                            |
 * | 426    | 8    | root count: 60                                                              |
 * | 434    | 4    | checksum of everything before it                                            |
 * | 438    | 3658 | written 0, ignored                                                          |
 */

import { assert } from '../base/assert.js'
import { readBig64, readU32, writeBig64, writeU32, writeU64 } from '../base/bytes.js'
import { CHECKSUM_SIZE, type Crc32, verifyChecksum, writeChecksum } from './checksum.js'
import {
  COMPONENT_HEADER_SIZE,
  type ComponentHeader,
  ComponentId,
  expectComponent,
  expectSize,
  expectVersion,
  readField,
  writeComponentHeader,
} from './component-header.js'
import { BLOCK_SIZE, SECTOR_SIZE } from './constants.js'
import { FormatError } from './format-error.js'
import type { SlabConfig } from './slab-config.js'

const SUPER_BLOCK_HEADER: ComponentHeader = { id: ComponentId.SuperBlock, major: 12, minor: 0, size: 418 }
const LAYOUT_HEADER: ComponentHeader = { id: ComponentId.Layout, major: 3, minor: 0, size: 117 }
const JOURNAL_HEADER: ComponentHeader = { id: ComponentId.RecoveryJournal, major: 7, minor: 0, size: 24 }
const DEPOT_HEADER: ComponentHeader = { id: ComponentId.SlabDepot, major: 2, minor: 0, size: 73 }
const BLOCK_MAP_HEADER: ComponentHeader = { id: ComponentId.BlockMap, major: 2, minor: 0, size: 32 }

const VOLUME_VERSION = 67
const COMPONENT_DATA_VERSION = 41

const RELEASE_VERSION_AT = 20
const VOLUME_VERSION_AT = 24
const COMPONENT_DATA_AT = 32
const STATE_AT = 40
const CONFIG_AT = 44
const LAYOUT_AT = 108
const PARTITION_COUNT_AT = 144
const PARTITIONS_AT = 145
const PARTITION_SIZE = 25
const PARTITION_COUNT = 4
const JOURNAL_AT = 245
const DEPOT_AT = 289
const ZONE_COUNT_AT = 381
const BLOCK_MAP_AT = 382
const CHECKSUM_AT = 434
const SUPER_BLOCK_SIZE = CHECKSUM_AT + CHECKSUM_SIZE
/** What the header's size may be at the least: room for the checksum. */
const MINIMUM_SIZE = CHECKSUM_SIZE
/** What the layout's size may be at the least: its fixed fields. */
const MINIMUM_LAYOUT_SIZE = 17

assert(COMPONENT_HEADER_SIZE + SUPER_BLOCK_HEADER.size === SUPER_BLOCK_SIZE, 'the super block fills its size')
assert(SUPER_BLOCK_SIZE <= SECTOR_SIZE, 'the super block lies in one sector')
assert(
  LAYOUT_AT + COMPONENT_HEADER_SIZE + LAYOUT_HEADER.size === JOURNAL_AT,
  'the journal follows the layout',
)
assert(PARTITIONS_AT + PARTITION_COUNT * PARTITION_SIZE === JOURNAL_AT, 'four partitions fill the layout')
assert(JOURNAL_AT + COMPONENT_HEADER_SIZE + JOURNAL_HEADER.size === DEPOT_AT, 'the depot follows the journal')
assert(DEPOT_AT + COMPONENT_HEADER_SIZE + DEPOT_HEADER.size === BLOCK_MAP_AT, 'the map follows the depot')
assert(
  BLOCK_MAP_AT + COMPONENT_HEADER_SIZE + BLOCK_MAP_HEADER.size === CHECKSUM_AT,
  'the checksum follows the map',
)

/** How a volume stands, as stored. */
export enum VolumeState {
  /** In use, or crashed in use. */
  Dirty = 0,
  /** Formatted, never loaded. */
  New = 1,
  /** Saved: the recovery journal holds nothing that is needed. */
  Clean = 2,
  /** Metadata are damaged: nothing changes any more. */
  ReadOnly = 3,
  /** Somebody asked for a rebuild of a read-only volume. */
  ForceRebuild = 4,
  /** Saved before all slabs were scrubbed after a crash. */
  Recovering = 5,
  /** No longer written; means dirty. */
  Replaying = 6,
  /** Set by old tools; means a rebuild. */
  RebuildForUpgrade = 7,
}

/** A state in the words of messages and documents: READ_ONLY. */
export function stateName(state: VolumeState): string {
  return VolumeState[state].replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

export enum PartitionId {
  BlockMap = 0,
  SlabDepot = 1,
  RecoveryJournal = 2,
  SlabSummary = 3,
}

export interface Partition {
  readonly id: PartitionId
  /** PBN of its first block. */
  readonly start: number
  /** Always 0. */
  readonly base: number
  readonly blockCount: number
}

export interface SuperBlock {
  readonly releaseVersion: number
  readonly state: VolumeState
  readonly completeRecoveries: number
  readonly readOnlyRecoveries: number
  readonly logicalBlocks: number
  readonly physicalBlocks: number
  readonly slabSize: number
  readonly recoveryJournalSize: number
  readonly slabJournalBlocks: number
  readonly nonce: bigint
  readonly firstFree: number
  readonly lastFree: number
  /** In the order of the disk (see `reversedPartitions`). */
  readonly partitions: readonly Partition[]
  /** The next sequence number of the recovery journal when saved; a lower bound of it when dirty. */
  readonly journalStart: number
  readonly logicalBlocksUsed: number
  readonly blockMapDataBlocks: number
  readonly slabConfig: SlabConfig
  /** PBN of slab 0. */
  readonly firstBlock: number
  /** PBN behind the last slab. */
  readonly lastBlock: number
  readonly zoneCount: number
  readonly flatPageOrigin: number
  readonly flatPageCount: number
  readonly rootOrigin: number
  readonly rootCount: number
}

/** Encodes a super block into a new block. */
export function encodeSuperBlock(superBlock: SuperBlock, crc32: Crc32): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE)
  encodeSuperBlockInto(bytes, superBlock, crc32)
  return bytes
}

/** Encodes a super block over a block of old bytes, all of which it replaces. */
export function encodeSuperBlockInto(bytes: Uint8Array, superBlock: SuperBlock, crc32: Crc32): void {
  assert(superBlock.partitions.length === PARTITION_COUNT, 'a volume has four partitions')
  bytes.fill(0, 0, BLOCK_SIZE)
  writeComponentHeader(bytes, 0, SUPER_BLOCK_HEADER)
  writeU32(bytes, RELEASE_VERSION_AT, superBlock.releaseVersion)
  writeU32(bytes, VOLUME_VERSION_AT, VOLUME_VERSION)
  writeU32(bytes, COMPONENT_DATA_AT, COMPONENT_DATA_VERSION)
  writeU32(bytes, STATE_AT, superBlock.state)
  let at = writeNumbers(bytes, CONFIG_AT, [
    superBlock.completeRecoveries,
    superBlock.readOnlyRecoveries,
    superBlock.logicalBlocks,
    superBlock.physicalBlocks,
    superBlock.slabSize,
    superBlock.recoveryJournalSize,
    superBlock.slabJournalBlocks,
  ])
  writeBig64(bytes, at, superBlock.nonce)

  writeComponentHeader(bytes, LAYOUT_AT, LAYOUT_HEADER)
  at = writeNumbers(bytes, LAYOUT_AT + COMPONENT_HEADER_SIZE, [superBlock.firstFree, superBlock.lastFree])
  bytes[at] = superBlock.partitions.length
  at = PARTITIONS_AT
  for (const partition of superBlock.partitions) {
    bytes[at] = partition.id
    at = writeNumbers(bytes, at + 1, [partition.start, partition.base, partition.blockCount])
  }

  writeComponentHeader(bytes, JOURNAL_AT, JOURNAL_HEADER)
  writeNumbers(bytes, JOURNAL_AT + COMPONENT_HEADER_SIZE, [
    superBlock.journalStart,
    superBlock.logicalBlocksUsed,
    superBlock.blockMapDataBlocks,
  ])

  writeComponentHeader(bytes, DEPOT_AT, DEPOT_HEADER)
  const { slabConfig } = superBlock
  at = writeNumbers(bytes, DEPOT_AT + COMPONENT_HEADER_SIZE, [
    slabConfig.slabBlocks,
    slabConfig.dataBlocks,
    slabConfig.referenceCountBlocks,
    slabConfig.slabJournalBlocks,
    slabConfig.flushingThreshold,
    slabConfig.blockingThreshold,
    slabConfig.scrubbingThreshold,
    superBlock.firstBlock,
    superBlock.lastBlock,
  ])
  bytes[at] = superBlock.zoneCount

  writeComponentHeader(bytes, BLOCK_MAP_AT, BLOCK_MAP_HEADER)
  writeNumbers(bytes, BLOCK_MAP_AT + COMPONENT_HEADER_SIZE, [
    superBlock.flatPageOrigin,
    superBlock.flatPageCount,
    superBlock.rootOrigin,
    superBlock.rootCount,
  ])
  writeChecksum(bytes, CHECKSUM_AT, crc32)
}

/**
 * Decodes a super block: checks that it is one, that it is whole, and that its components are of the known
 * versions. Whether its sizes make sense is `validateSuperBlock`'s to say (validate-super-block.ts). Bytes behind it
 * are ignored.
 */
export function decodeSuperBlock(bytes: Uint8Array, crc32: Crc32): SuperBlock {
  const what = 'super block'
  if (bytes.length < SUPER_BLOCK_SIZE) {
    throw new FormatError(
      'VDO_TRUNCATED',
      `Cannot decode ${what}: ${bytes.length} bytes, wanted ${SUPER_BLOCK_SIZE}`,
    )
  }
  const header = expectComponent(what, bytes, 0, SUPER_BLOCK_HEADER)
  if (header.size < MINIMUM_SIZE || header.size > SUPER_BLOCK_HEADER.size) {
    refuse(`size is ${header.size}, wanted ${MINIMUM_SIZE} to ${SUPER_BLOCK_HEADER.size}`)
  }
  verifyChecksum(what, bytes, CHECKSUM_AT, crc32)
  const volumeMinor = readU32(bytes, VOLUME_VERSION_AT + 4)
  expectVersion('volume', readU32(bytes, VOLUME_VERSION_AT), volumeMinor, VOLUME_VERSION, 0)
  const dataMinor = readU32(bytes, COMPONENT_DATA_AT + 4)
  expectVersion('component data', readU32(bytes, COMPONENT_DATA_AT), dataMinor, COMPONENT_DATA_VERSION, 0)

  const layout = expectComponent('layout', bytes, LAYOUT_AT, LAYOUT_HEADER)
  if (layout.size < MINIMUM_LAYOUT_SIZE) {
    refuse(`layout size is ${layout.size}, wanted at least ${MINIMUM_LAYOUT_SIZE}`)
  }
  const partitions = decodePartitions(bytes)

  const journal = expectComponent('recovery journal component', bytes, JOURNAL_AT, JOURNAL_HEADER)
  expectSize('recovery journal component', journal.size, JOURNAL_HEADER.size)
  const depot = expectComponent('slab depot component', bytes, DEPOT_AT, DEPOT_HEADER)
  expectSize('slab depot component', depot.size, DEPOT_HEADER.size)
  const blockMap = expectComponent('block map component', bytes, BLOCK_MAP_AT, BLOCK_MAP_HEADER)
  expectSize('block map component', blockMap.size, BLOCK_MAP_HEADER.size)

  const layoutFields = LAYOUT_AT + COMPONENT_HEADER_SIZE
  const journalFields = JOURNAL_AT + COMPONENT_HEADER_SIZE
  const depotFields = DEPOT_AT + COMPONENT_HEADER_SIZE
  const mapFields = BLOCK_MAP_AT + COMPONENT_HEADER_SIZE
  return {
    releaseVersion: readU32(bytes, RELEASE_VERSION_AT),
    state: readU32(bytes, STATE_AT),
    completeRecoveries: field(bytes, CONFIG_AT),
    readOnlyRecoveries: field(bytes, CONFIG_AT + 8),
    logicalBlocks: field(bytes, CONFIG_AT + 16),
    physicalBlocks: field(bytes, CONFIG_AT + 24),
    slabSize: field(bytes, CONFIG_AT + 32),
    recoveryJournalSize: field(bytes, CONFIG_AT + 40),
    slabJournalBlocks: field(bytes, CONFIG_AT + 48),
    nonce: readBig64(bytes, CONFIG_AT + 56),
    firstFree: field(bytes, layoutFields),
    lastFree: field(bytes, layoutFields + 8),
    partitions,
    journalStart: field(bytes, journalFields),
    logicalBlocksUsed: field(bytes, journalFields + 8),
    blockMapDataBlocks: field(bytes, journalFields + 16),
    slabConfig: {
      slabBlocks: field(bytes, depotFields),
      dataBlocks: field(bytes, depotFields + 8),
      referenceCountBlocks: field(bytes, depotFields + 16),
      slabJournalBlocks: field(bytes, depotFields + 24),
      flushingThreshold: field(bytes, depotFields + 32),
      blockingThreshold: field(bytes, depotFields + 40),
      scrubbingThreshold: field(bytes, depotFields + 48),
    },
    firstBlock: field(bytes, depotFields + 56),
    lastBlock: field(bytes, depotFields + 64),
    zoneCount: bytes[ZONE_COUNT_AT],
    flatPageOrigin: field(bytes, mapFields),
    flatPageCount: field(bytes, mapFields + 8),
    rootOrigin: field(bytes, mapFields + 16),
    rootCount: field(bytes, mapFields + 24),
  }
}

/** The partition with an id. Throws when there is none. */
export function partitionOf(superBlock: SuperBlock, id: PartitionId): Partition {
  const partition = superBlock.partitions.find((each) => each.id === id)
  if (partition === undefined) refuse(`partition ${id} (${PartitionId[id]}) is missing`)
  return partition
}

/**
 * The partitions as the next program to load the volume orders them. The real programs read the list onto a
 * stack, and write the stack: each that loads and writes turns it around, once, however often it writes. Whoever
 * wants the bytes that they would write does so too.
 */
export function reversedPartitions(superBlock: SuperBlock): readonly Partition[] {
  return superBlock.partitions.toReversed()
}

/** How many slabs the depot has. */
export function slabCountOf(superBlock: SuperBlock): number {
  return (superBlock.lastBlock - superBlock.firstBlock) / superBlock.slabConfig.slabBlocks
}

function decodePartitions(bytes: Uint8Array): Partition[] {
  const count = bytes[PARTITION_COUNT_AT]
  if (count !== PARTITION_COUNT) refuse(`partition count is ${count}, wanted ${PARTITION_COUNT}`)
  const partitions: Partition[] = []
  for (let index = 0; index < count; index++) {
    const at = PARTITIONS_AT + index * PARTITION_SIZE
    const id = bytes[at]
    if (id >= PARTITION_COUNT) refuse(`partition ${index} has id ${id}, wanted 0 to ${PARTITION_COUNT - 1}`)
    if (partitions.some((each) => each.id === id))
      refuse(`partition ${id} (${PartitionId[id]}) is listed twice`)
    partitions.push({
      id,
      start: field(bytes, at + 1),
      base: field(bytes, at + 9),
      blockCount: field(bytes, at + 17),
    })
  }
  return partitions
}

function field(bytes: Uint8Array, at: number): number {
  return readField('super block', bytes, at)
}

function writeNumbers(bytes: Uint8Array, at: number, values: readonly number[]): number {
  let next = at
  for (const value of values) {
    writeU64(bytes, next, value)
    next += 8
  }
  return next
}

function refuse(reason: string): never {
  throw new FormatError('VDO_BAD_SUPER_BLOCK', `Cannot decode super block: ${reason}`)
}
