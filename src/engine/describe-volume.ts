/**
 * From the decoded geometry and super block to the plain numbers that zones know.
 */
import { VdoError } from '../base/errors.js'
import type { Geometry } from '../format/geometry-block.js'
import { PartitionId, type SuperBlock, VolumeState } from '../format/super-block.js'
import { LoadKind, type Volume } from '../vio/volume.js'

/** What a load has to do first, by the state on disk. */
const LOAD_KINDS: Readonly<Record<VolumeState, LoadKind>> = {
  [VolumeState.New]: LoadKind.Normal,
  [VolumeState.Clean]: LoadKind.Normal,
  [VolumeState.Recovering]: LoadKind.Normal,
  [VolumeState.Dirty]: LoadKind.Recovery,
  [VolumeState.Replaying]: LoadKind.Recovery,
  [VolumeState.ForceRebuild]: LoadKind.Rebuild,
  [VolumeState.RebuildForUpgrade]: LoadKind.Upgrade,
  [VolumeState.ReadOnly]: LoadKind.ReadOnly,
}

/** `superBlockPbn` is the start of the data region. */
export function describeVolume(
  geometry: Pick<Geometry, 'nonce' | 'bioOffset'>,
  superBlock: SuperBlock,
  superBlockPbn: number,
): Volume {
  const partition = (id: PartitionId) => {
    const found = superBlock.partitions.find((p) => p.id === id)
    if (found === undefined)
      throw new VdoError('VDO_BAD_SUPER_BLOCK', `Cannot open volume: partition ${id} is missing`)
    return found
  }
  const { slabConfig } = superBlock
  const journal = partition(PartitionId.RecoveryJournal)
  return {
    nonceLow: Number(geometry.nonce & 0xffffffffn),
    nonceHigh: Number(geometry.nonce >> 32n),
    bioOffset: geometry.bioOffset,
    logicalBlocks: superBlock.logicalBlocks,
    physicalBlocks: superBlock.physicalBlocks,
    superBlockPbn,
    rootOrigin: superBlock.rootOrigin,
    rootCount: superBlock.rootCount,
    journalOrigin: journal.start,
    journalBlocks: superBlock.recoveryJournalSize,
    journalStart: superBlock.journalStart,
    recoveryCount: superBlock.completeRecoveries % 256,
    completeRecoveries: superBlock.completeRecoveries,
    readOnlyRecoveries: superBlock.readOnlyRecoveries,
    depotOrigin: superBlock.firstBlock,
    slabCount: (superBlock.lastBlock - superBlock.firstBlock) / slabConfig.slabBlocks,
    slabBlocks: slabConfig.slabBlocks,
    slabDataBlocks: slabConfig.dataBlocks,
    slabReferenceBlocks: slabConfig.referenceCountBlocks,
    slabJournalBlocks: slabConfig.slabJournalBlocks,
    slabJournalFlushing: slabConfig.flushingThreshold,
    slabJournalBlocking: slabConfig.blockingThreshold,
    slabJournalScrubbing: slabConfig.scrubbingThreshold,
    summaryOrigin: partition(PartitionId.SlabSummary).start,
    savedPhysicalZones: superBlock.zoneCount,
    isNew: superBlock.state === VolumeState.New,
    load: LOAD_KINDS[superBlock.state],
    logicalBlocksUsed: superBlock.logicalBlocksUsed,
    blockMapDataBlocks: superBlock.blockMapDataBlocks,
  }
}
