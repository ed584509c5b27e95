/** What a block of a disk is of: by where it lies, and in the data blocks of slabs by what it holds. */
import type { EngineConfig } from '../engine/assemble.js'
import { isPageOf } from '../format/block-map-page.js'
import { isCompressedBlock, readFragmentSize } from '../format/compressed-block.js'
import { SLAB_SUMMARY_BLOCKS } from '../format/constants.js'
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
