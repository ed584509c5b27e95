/** What a block of a disk is of: by where it lies, and in the data blocks of slabs by what it holds. */
import type { EngineConfig } from '../engine/assemble.js'
import { isPageOf } from '../format/block-map-page.js'
import { isCompressedBlock, readFragmentSize } from '../format/compressed-block.js'
import {
  BLOCK_SIZE,
  SLAB_SUMMARY_BLOCKS,
  SLAB_SUMMARY_BLOCKS_PER_ZONE,
  SLAB_SUMMARY_ENTRY_SIZE,
} from '../format/constants.js'
import type { Volume } from '../vio/volume.js'

export enum Structure {
  /** A block of a client, as it is. */
  Data = 0,
  /** A block of fragments. */
  Packed,
  RecoveryJournal,
  SlabJournal,
  References,
  Summary,
  /** The top page of a tree of the block map. */
  Root,
  /** Any other page of the block map. */
  MapPage,
  SuperBlock,
  Index,
}

/** The structure that `block` is of when it holds `bytes`; null for one that the format leaves alone. */
export function structureOf(
  { volume, indexRegion }: EngineConfig,
  block: number,
  bytes: Uint8Array,
): Structure | null {
  const { superBlockPbn, rootOrigin, rootCount, depotOrigin, journalOrigin, summaryOrigin } = volume
  const isIn = (start: number, end: number) => block >= start && block < end
  if (isIn(indexRegion.block, indexRegion.block + indexRegion.blocks)) return Structure.Index
  if (block === superBlockPbn) return Structure.SuperBlock
  if (isIn(rootOrigin, rootOrigin + rootCount)) return Structure.Root
  if (isIn(depotOrigin, journalOrigin)) return structureInSlab(volume, block, bytes)
  if (isIn(journalOrigin, summaryOrigin)) return Structure.RecoveryJournal
  return isIn(summaryOrigin, summaryOrigin + SLAB_SUMMARY_BLOCKS) ? Structure.Summary : null
}

/**
 * How many of a block's bytes, from the first, may say something of a volume. A summary has entries of slabs that there
 * are not, and copies that nobody reads.
 */
export function meaningfulBytes({ volume, plan }: EngineConfig, block: number): number {
  const index = block - volume.summaryOrigin
  if (index < 0 || index >= SLAB_SUMMARY_BLOCKS) return BLOCK_SIZE
  const isRead = index % SLAB_SUMMARY_BLOCKS_PER_ZONE === 0
  const isOfZone = index / SLAB_SUMMARY_BLOCKS_PER_ZONE < plan.counts.physical
  return isRead && isOfZone ? SLAB_SUMMARY_ENTRY_SIZE * volume.slabCount : 0
}

function structureInSlab(volume: Volume, block: number, bytes: Uint8Array): Structure | null {
  const { depotOrigin, slabBlocks, slabDataBlocks, slabReferenceBlocks, slabJournalBlocks } = volume
  const sbn = (block - depotOrigin) % slabBlocks
  if (sbn < slabDataBlocks) {
    if (isPageOf(bytes, 0, volume.nonceLow, volume.nonceHigh)) return Structure.MapPage
    return isCompressedBlock(bytes, 0) && readFragmentSize(bytes, 0, 0) > 0
      ? Structure.Packed
      : Structure.Data
  }
  if (sbn < slabDataBlocks + slabReferenceBlocks) return Structure.References
  return sbn < slabDataBlocks + slabReferenceBlocks + slabJournalBlocks ? Structure.SlabJournal : null
}
