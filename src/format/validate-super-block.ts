/**
 * Whether a volume with a super block can be loaded: its sizes agree with each other, with the geometry, and with the
 * limits of the format. What is stored is judged, never recomputed.
 *
 * The kernel takes much of this for granted. But a checksum only says that the bytes are what some program wrote; a
 * size that breaks a rule here comes from a faulty or hostile one, and must not lead an engine to write out of bounds,
 * to wait for ever, or to take memory that the volume cannot need.
 */
import {
  MAXIMUM_LOGICAL_BLOCKS,
  MAXIMUM_PHYSICAL_BLOCKS,
  MAXIMUM_PHYSICAL_ZONES,
  MAXIMUM_RECOVERIES,
  MAXIMUM_SEQUENCE,
  MAXIMUM_SLAB_BITS,
  MAXIMUM_SLAB_JOURNAL_BLOCKS,
  MAXIMUM_SLABS,
  RECOVERY_JOURNAL_BLOCKS,
  REFERENCES_PER_BLOCK,
  ROOT_COUNT,
  SLAB_SUMMARY_BLOCKS,
} from './constants.js'
import { FormatError } from './format-error.js'
import type { Geometry } from './geometry-block.js'
import {
  type Partition,
  PartitionId,
  partitionOf,
  type SuperBlock,
  slabCountOf,
  VolumeState,
} from './super-block.js'

const LAST_STATE = VolumeState.RebuildForUpgrade
const FLAT_PAGE_ORIGIN = 1

/** Throws a FormatError for the first thing that is wrong. */
export function validateSuperBlock(superBlock: SuperBlock, geometry: Geometry): void {
  if (superBlock.state > LAST_STATE) refuse(`state is ${superBlock.state}, wanted 0 to ${LAST_STATE}`)
  validateSpan(superBlock, geometry)
  if (superBlock.flatPageOrigin !== FLAT_PAGE_ORIGIN || superBlock.flatPageCount !== 0) {
    refuse(
      `flat pages are ${superBlock.flatPageCount} from ${superBlock.flatPageOrigin}, ` +
        `wanted 0 from ${FLAT_PAGE_ORIGIN}`,
    )
  }
  if (superBlock.nonce !== geometry.nonce) {
    throw new FormatError(
      'VDO_BAD_NONCE',
      `Cannot use super block: nonce is 0x${superBlock.nonce.toString(16)}, ` +
        `the geometry's is 0x${geometry.nonce.toString(16)}`,
    )
  }
  validateSizes(superBlock)
  validateSlabs(superBlock)
  validateDepot(superBlock)
  validatePartitions(superBlock, geometry)
}

/** The partitions, with nothing between them, are all of the data region. */
function validateSpan(superBlock: SuperBlock, geometry: Geometry): void {
  const start = geometry.dataRegionStart + 1
  let end = start
  for (let id: PartitionId = 0; id < superBlock.partitions.length; id++) {
    end += partitionOf(superBlock, id).blockCount
  }
  if (end === superBlock.physicalBlocks) return
  misconfigured(
    `partitions from ${start} end at ${end}, physical size is ${superBlock.physicalBlocks} blocks`,
  )
}

function validateSizes(superBlock: SuperBlock): void {
  const { slabSize, recoveryJournalSize, zoneCount } = superBlock
  if (!isPowerOfTwo(slabSize) || slabSize > 2 ** MAXIMUM_SLAB_BITS) {
    misconfigured(`slab size is ${slabSize} blocks, wanted a power of two up to 2^${MAXIMUM_SLAB_BITS}`)
  }
  requireWithin('physical size', superBlock.physicalBlocks, 1, MAXIMUM_PHYSICAL_BLOCKS)
  requireWithin('logical size', superBlock.logicalBlocks, 1, MAXIMUM_LOGICAL_BLOCKS)
  // No tool makes another size, only simulators smaller ones; a recovery has all of it in memory.
  if (!isPowerOfTwo(recoveryJournalSize) || recoveryJournalSize > RECOVERY_JOURNAL_BLOCKS) {
    misconfigured(
      `recovery journal has ${recoveryJournalSize} blocks, wanted a power of two up to ${RECOVERY_JOURNAL_BLOCKS}`,
    )
  }
  if (zoneCount > MAXIMUM_PHYSICAL_ZONES) {
    refuse(`zone count is ${zoneCount}, wanted at most ${MAXIMUM_PHYSICAL_ZONES}`)
  }
  requireWithin('count of recoveries', superBlock.completeRecoveries, 0, MAXIMUM_RECOVERIES)
  requireWithin('count of rebuilds', superBlock.readOnlyRecoveries, 0, MAXIMUM_RECOVERIES)
  requireWithin('start of the journal', superBlock.journalStart, 1, MAXIMUM_SEQUENCE + 1)
}

/** How a slab is divided. */
function validateSlabs({ slabConfig, slabSize, slabJournalBlocks: journal }: SuperBlock): void {
  const { slabBlocks, dataBlocks, referenceCountBlocks, slabJournalBlocks } = slabConfig
  const most = Math.min(slabSize - 1, MAXIMUM_SLAB_JOURNAL_BLOCKS)
  if (journal < 2 || journal > most) {
    misconfigured(`slab journal has ${journal} blocks, wanted 2 to ${most}`)
  }
  if (dataBlocks < 1) misconfigured('slabs have no data blocks, wanted at least 1')
  if (slabBlocks !== slabSize || slabJournalBlocks !== journal) {
    misconfigured(
      `depot's slabs have ${slabBlocks} blocks with ${slabJournalBlocks} of journal, ` +
        `wanted ${slabSize} with ${journal}`,
    )
  }
  if (dataBlocks + referenceCountBlocks + slabJournalBlocks > slabBlocks) {
    misconfigured(
      `${dataBlocks} data, ${referenceCountBlocks} reference and ${slabJournalBlocks} journal blocks ` +
        `exceed a slab of ${slabBlocks}`,
    )
  }
  // Some slabs have one more than their data blocks need: they are counted before the reference blocks are taken off.
  const least = Math.ceil(dataBlocks / REFERENCES_PER_BLOCK)
  const enough = Math.ceil((slabBlocks - slabJournalBlocks) / REFERENCES_PER_BLOCK)
  requireWithin(
    `count of reference blocks for ${dataBlocks} data blocks`,
    referenceCountBlocks,
    least,
    enough,
  )
  const { flushingThreshold, blockingThreshold, scrubbingThreshold } = slabConfig
  requireWithin('flushing threshold', flushingThreshold, 1, slabJournalBlocks)
  requireWithin('blocking threshold', blockingThreshold, 1, slabJournalBlocks)
  requireWithin('scrubbing threshold', scrubbingThreshold, 1, slabJournalBlocks)
}

/** Where the slabs are. */
function validateDepot(superBlock: SuperBlock): void {
  const { firstBlock, lastBlock } = superBlock
  const depot = partitionOf(superBlock, PartitionId.SlabDepot)
  const slabs = slabCountOf(superBlock)
  if (
    firstBlock !== depot.start ||
    !Number.isInteger(slabs) ||
    slabs < 1 ||
    lastBlock > depot.start + depot.blockCount
  ) {
    misconfigured(
      `slabs lie from ${firstBlock} to ${lastBlock}, the depot from ${depot.start} to ` +
        `${depot.start + depot.blockCount}`,
    )
  }
  requireWithin('count of slabs', slabs, 1, MAXIMUM_SLABS)
}

/** Each partition has what is to be in it, and lies apart from the others. */
function validatePartitions(superBlock: SuperBlock, geometry: Geometry): void {
  const { rootCount, rootOrigin, physicalBlocks, recoveryJournalSize } = superBlock
  if (rootCount !== ROOT_COUNT) misconfigured(`block map has ${rootCount} trees, wanted ${ROOT_COUNT}`)
  const roots = partitionOf(superBlock, PartitionId.BlockMap)
  if (rootOrigin !== roots.start) {
    misconfigured(`block map's roots lie from ${rootOrigin}, wanted them from ${roots.start}`)
  }
  requireBlocks(roots, ROOT_COUNT)
  requireBlocks(partitionOf(superBlock, PartitionId.RecoveryJournal), recoveryJournalSize)
  requireBlocks(partitionOf(superBlock, PartitionId.SlabSummary), SLAB_SUMMARY_BLOCKS)
  // Together they have as many blocks as there are: they overlap, or leave something out, or follow each other.
  let end = geometry.dataRegionStart + 1
  for (const { id, start, blockCount } of superBlock.partitions.toSorted((a, b) => a.start - b.start)) {
    if (start + blockCount > physicalBlocks)
      misconfigured(`partition ${id} ends beyond the physical size of ${physicalBlocks} blocks`)
    if (start !== end) misconfigured(`partition ${id} starts at ${start}, wanted ${end}`)
    end += blockCount
  }
}

function requireBlocks({ id, blockCount }: Partition, wanted: number): void {
  if (blockCount === wanted) return
  misconfigured(`partition ${id} (${PartitionId[id]}) has ${blockCount} blocks, wanted ${wanted}`)
}

function requireWithin(what: string, value: number, least: number, most: number): void {
  if (value < least || value > most) misconfigured(`${what} is ${value}, wanted ${least} to ${most}`)
}

function isPowerOfTwo(value: number): boolean {
  // The logarithm of a large number is rounded.
  return value >= 1 && 2 ** Math.round(Math.log2(value)) === value
}

function refuse(reason: string): never {
  throw new FormatError('VDO_BAD_SUPER_BLOCK', `Cannot decode super block: ${reason}`)
}

function misconfigured(reason: string): never {
  throw new FormatError('VDO_BAD_CONFIGURATION', `Cannot use super block: ${reason}`)
}
