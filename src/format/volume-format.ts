/**
 * Formatting as a plan: from what a volume should be to the blocks that must be written, in order. Everything is
 * checked here, before anything is written; who carries the plan out only writes.
 */

import { assert } from '../base/assert.js'
import type { Crc32 } from './checksum.js'
import {
  BLOCK_SIZE,
  MAXIMUM_LOGICAL_BLOCKS,
  MAXIMUM_PHYSICAL_BLOCKS,
  MAXIMUM_SLAB_BITS,
  MAXIMUM_SLABS,
  RECOVERY_JOURNAL_BLOCKS,
  ROOT_COUNT,
  SLAB_JOURNAL_BLOCKS,
} from './constants.js'
import { FormatError } from './format-error.js'
import { encodeGeometry, type Geometry } from './geometry-block.js'
import { indexMemoryText } from './index-memory.js'
import { indexRegionOf } from './index-region.js'
import { defaultLogicalBlocks, layOut, minimumPhysicalBlocks } from './layout.js'
import { configureSlab } from './slab-config.js'
import { encodeSuperBlock, PartitionId, partitionOf, type SuperBlock, VolumeState } from './super-block.js'

const GEOMETRY_PBN = 0
const INDEX_PBN = 1
const FIRST_SEQUENCE = 1

export interface VolumeParameters {
  readonly physicalBlocks: number
  /** Left out: what surely fits, were no block ever a duplicate. */
  readonly logicalBlocks?: number | undefined
  /** A slab has 2 to this power of blocks. */
  readonly slabBits: number
  /** Index memory as the geometry stores it (index-memory.ts). */
  readonly indexMemory: number
  readonly indexSparse: boolean
  readonly nonce: bigint
  /** 16 bytes. */
  readonly uuid: Uint8Array
  /** Smaller journals and a smaller index region, for volumes that live and die in a simulator. */
  readonly recoveryJournalBlocks?: number | undefined
  readonly slabJournalBlocks?: number | undefined
  readonly indexBlocks?: number | undefined
}

/** A run of blocks to write. Without `bytes` they are zeros. */
export interface FormatWrite {
  readonly pbn: number
  readonly blockCount: number
  readonly bytes?: Uint8Array
}

export interface FormatPlan {
  readonly geometry: Geometry
  readonly superBlock: SuperBlock
  readonly slabCount: number
  /** Whether the logical size is the default. */
  readonly logicalDefaulted: boolean
  /** Bytes of slabs that the volume may at most grow to. */
  readonly maximumSlabBytes: number
  /**
   * In the order in which they must reach the device. The old index and volume are gone first, the geometry block,
   * without which there is no volume, comes last.
   */
  readonly writes: readonly FormatWrite[]
}

/** Plans a new volume, or throws a `FormatError` that says what does not fit. */
export function planFormat(parameters: VolumeParameters, crc32: Crc32): FormatPlan {
  const { physicalBlocks, slabBits, nonce, uuid } = parameters
  const journalBlocks = parameters.recoveryJournalBlocks ?? RECOVERY_JOURNAL_BLOCKS
  assert(uuid.length === 16, 'a UUID has 16 bytes')
  if (nonce <= 0n || nonce >= 1n << 64n) refuse(`nonce is ${nonce}, wanted 1 to 2^64 - 1`)
  if (!Number.isInteger(slabBits) || slabBits < 1 || slabBits > MAXIMUM_SLAB_BITS) {
    refuse(`slab bits are ${slabBits}, wanted at most ${MAXIMUM_SLAB_BITS}`)
  }
  if (!Number.isInteger(Math.log2(journalBlocks))) {
    refuse(`recovery journal has ${journalBlocks} blocks, wanted a power of two`)
  }
  if (physicalBlocks > MAXIMUM_PHYSICAL_BLOCKS) {
    refuse(`physical size is ${physicalBlocks} blocks, wanted at most ${MAXIMUM_PHYSICAL_BLOCKS}`)
  }
  const slabBlocks = 2 ** slabBits
  const slabConfig = configureSlab(slabBlocks, parameters.slabJournalBlocks ?? SLAB_JOURNAL_BLOCKS)
  const { indexMemory, indexSparse } = parameters
  const indexBlocks = parameters.indexBlocks ?? indexRegionOf(indexMemory, indexSparse).blockCount
  const minimum = minimumPhysicalBlocks(indexBlocks, slabBlocks, journalBlocks)
  if (physicalBlocks < minimum) {
    const index = `${indexSparse ? 'a sparse' : 'an'} index of ${indexMemoryText(indexMemory)} GiB`
    throw new FormatError(
      'VDO_TOO_SMALL',
      `Cannot format: ${index} and slabs of ${slabBlocks * BLOCK_SIZE} bytes need a device of at least ` +
        `${minimum * BLOCK_SIZE} bytes, this one has ${physicalBlocks * BLOCK_SIZE}. ` +
        'Use a larger device, a smaller index or smaller slabs.',
    )
  }
  const layout = layOut(INDEX_PBN + indexBlocks, physicalBlocks, slabBlocks, journalBlocks)
  const logicalBlocks =
    parameters.logicalBlocks ?? defaultLogicalBlocks(layout.slabCount * slabConfig.dataBlocks)
  if (parameters.logicalBlocks === undefined && logicalBlocks < 1) {
    refuse('the block map alone would fill the slabs; give a logical size or a larger device')
  }
  if (!Number.isInteger(logicalBlocks) || logicalBlocks < 1 || logicalBlocks > MAXIMUM_LOGICAL_BLOCKS) {
    refuse(`logical size is ${logicalBlocks} blocks, wanted 1 to ${MAXIMUM_LOGICAL_BLOCKS}`)
  }

  const geometry: Geometry = {
    version: 5,
    releaseVersion: 0,
    nonce,
    uuid,
    bioOffset: 0,
    indexRegionId: 0,
    indexRegionStart: INDEX_PBN,
    dataRegionId: 1,
    dataRegionStart: layout.dataRegionStart,
    indexMemory,
    unusedIndexField: 0,
    indexSparse: indexSparse ? 1 : 0,
  }
  const superBlock: SuperBlock = {
    releaseVersion: 0,
    state: VolumeState.New,
    completeRecoveries: 0,
    readOnlyRecoveries: 0,
    logicalBlocks,
    physicalBlocks,
    slabSize: slabBlocks,
    recoveryJournalSize: journalBlocks,
    slabJournalBlocks: slabConfig.slabJournalBlocks,
    nonce,
    firstFree: layout.firstFree,
    lastFree: layout.lastFree,
    partitions: layout.partitions,
    journalStart: FIRST_SEQUENCE,
    logicalBlocksUsed: 0,
    blockMapDataBlocks: 0,
    slabConfig,
    firstBlock: layout.firstBlock,
    lastBlock: layout.lastBlock,
    zoneCount: 0,
    flatPageOrigin: 1,
    flatPageCount: 0,
    rootOrigin: layout.rootOrigin,
    rootCount: ROOT_COUNT,
  }
  return {
    geometry,
    superBlock,
    slabCount: layout.slabCount,
    logicalDefaulted: parameters.logicalBlocks === undefined,
    maximumSlabBytes: MAXIMUM_SLABS * slabBlocks * BLOCK_SIZE,
    writes: [
      { pbn: INDEX_PBN, blockCount: 1 },
      { pbn: GEOMETRY_PBN, blockCount: 1 },
      zerosOver(superBlock, PartitionId.BlockMap),
      zerosOver(superBlock, PartitionId.RecoveryJournal),
      { pbn: layout.dataRegionStart, blockCount: 1, bytes: encodeSuperBlock(superBlock, crc32) },
      { pbn: GEOMETRY_PBN, blockCount: 1, bytes: encodeGeometry(geometry, crc32) },
    ],
  }
}

function zerosOver(superBlock: SuperBlock, id: PartitionId): FormatWrite {
  const { start, blockCount } = partitionOf(superBlock, id)
  return { pbn: start, blockCount }
}

function refuse(reason: string): never {
  throw new FormatError('VDO_BAD_CONFIGURATION', `Cannot format: ${reason}`)
}
