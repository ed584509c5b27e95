/**
 * Where everything is on a volume of a given size:
 *
 *     PBN 0                   geometry block
 *     PBN 1 .. D-1            index region
 *     PBN D                   super block; D is the start of the data region
 *     PBN D+1 .. D+60         block map partition: the root pages
 *     PBN D+61 ..             slab depot partition: slabs, then what is left of a slab
 *     PBN P-64-J .. P-65      recovery journal partition of J blocks; P is the physical size
 *     PBN P-64 .. P-1         slab summary partition
 */

import {
  BLOCK_SIZE,
  ENTRIES_PER_PAGE,
  MAXIMUM_SLABS,
  ROOT_COUNT,
  SLAB_SUMMARY_BLOCKS,
  TREE_HEIGHT,
} from './constants.js'
import { FormatError } from './format-error.js'
import { type Partition, PartitionId } from './super-block.js'

/** Blocks of the geometry block and the super block. */
const SINGLE_BLOCKS = 2

export interface Layout {
  readonly dataRegionStart: number
  /** In the order in which a new volume lists them. */
  readonly partitions: readonly Partition[]
  /** PBN at which the free space between the partitions begins and ends: there is none. */
  readonly firstFree: number
  readonly lastFree: number
  /** PBN of root page 0. */
  readonly rootOrigin: number
  /** PBN of slab 0. */
  readonly firstBlock: number
  /** PBN behind the last slab. */
  readonly lastBlock: number
  readonly slabCount: number
}

/** Size of the smallest volume, with a single slab. */
export function minimumPhysicalBlocks(
  indexBlocks: number,
  slabBlocks: number,
  journalBlocks: number,
): number {
  return indexBlocks + SINGLE_BLOCKS + ROOT_COUNT + slabBlocks + journalBlocks + SLAB_SUMMARY_BLOCKS
}

/** Lays out a volume of `physicalBlocks`, new or grown. */
export function layOut(
  dataRegionStart: number,
  physicalBlocks: number,
  slabBlocks: number,
  journalBlocks: number,
): Layout {
  const rootOrigin = dataRegionStart + 1
  const depotStart = rootOrigin + ROOT_COUNT
  const summaryStart = physicalBlocks - SLAB_SUMMARY_BLOCKS
  const journalStart = summaryStart - journalBlocks
  const slabCount = Math.floor((journalStart - depotStart) / slabBlocks)
  if (slabCount < 1) {
    const minimum = minimumPhysicalBlocks(dataRegionStart - 1, slabBlocks, journalBlocks)
    throw new FormatError(
      'VDO_TOO_SMALL',
      `Cannot lay out the volume: it needs at least ${minimum * BLOCK_SIZE} bytes, this is ` +
        `${physicalBlocks * BLOCK_SIZE}. Use a larger device, a smaller index or smaller slabs.`,
    )
  }
  if (slabCount > MAXIMUM_SLABS) {
    throw new FormatError(
      'VDO_TOO_MANY_SLABS',
      `Cannot lay out the volume: it would have ${slabCount} slabs of ${slabBlocks * BLOCK_SIZE} bytes, ` +
        `at most ${MAXIMUM_SLABS} are possible. Use larger slabs.`,
    )
  }
  return {
    dataRegionStart,
    partitions: [
      { id: PartitionId.SlabDepot, start: depotStart, base: 0, blockCount: journalStart - depotStart },
      { id: PartitionId.RecoveryJournal, start: journalStart, base: 0, blockCount: journalBlocks },
      { id: PartitionId.SlabSummary, start: summaryStart, base: 0, blockCount: SLAB_SUMMARY_BLOCKS },
      { id: PartitionId.BlockMap, start: rootOrigin, base: 0, blockCount: ROOT_COUNT },
    ],
    firstFree: journalStart,
    lastFree: journalStart,
    rootOrigin,
    firstBlock: depotStart,
    lastBlock: depotStart + slabCount * slabBlocks,
    slabCount,
  }
}

/** How many leaves the block map has for this many logical blocks. */
export function leafCount(logicalBlocks: number): number {
  return Math.ceil(logicalBlocks / ENTRIES_PER_PAGE)
}

/**
 * The logical size of a volume that was given none: every data block, less the pages of the block map that it
 * takes to map them. Negative when the pages above the leaves alone exceed the data blocks.
 */
export function defaultLogicalBlocks(dataBlocks: number): number {
  const leaves = Math.max(leafCount(dataBlocks), 1)
  let level = Math.ceil(leaves / ROOT_COUNT)
  let interior = 0
  // The heights between leaf and root: root pages do not come from the slabs.
  for (let height = 1; height < TREE_HEIGHT - 1; height++) {
    level = Math.ceil(level / ENTRIES_PER_PAGE)
    interior += level * ROOT_COUNT
  }
  const mapped = dataBlocks - interior
  return mapped - leafCount(mapped)
}
