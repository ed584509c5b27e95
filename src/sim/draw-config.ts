/**
 * Draws a small engine from a seed: a volume of a few slabs and a journal of a few blocks, tight pools and caches,
 * and any layout of zones on threads. Everything that is rare at VDO's sizes happens all the time at these.
 */
import type { Prng } from '../base/prng.js'
import type { EngineConfig } from '../engine/assemble.js'
import { blocksBeyondBlocking } from '../engine/check-shape.js'
import { allZones, type PlannedThread, type ThreadPlan } from '../engine/thread-plan.js'
import {
  REFERENCES_PER_BLOCK,
  SLAB_SUMMARY_BLOCKS,
  SLAB_SUMMARY_BLOCKS_PER_ZONE,
} from '../format/constants.js'
import { type IndexShape, regionOfShape } from '../format/index-region.js'
import { PartitionId, type SuperBlock, VolumeState } from '../format/super-block.js'
import { Room } from '../vio/opcodes.js'
import { LoadKind, type Volume, type ZoneCounts } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import { volumeOf } from './found-volume.js'

export const NONCE = 0x1122334455667788n
const INDEX_BLOCK = 1
const ROOTS = 60

/** A configuration for a volume that was never loaded, with an index of its own or the one that is wanted. */
export function drawConfig(prng: Prng, wanted?: IndexShape): EngineConfig {
  const plan = drawPlan(prng)
  const shape = { ...drawShape(prng, plan.counts), index: wanted ?? drawIndex(prng) }
  const blocks = shape.index === null ? 0 : regionOfShape(shape.index).blockCount
  const indexRegion = { block: INDEX_BLOCK, blocks }
  return { plan, shape, indexRegion, ...drawVolume(prng, plan.counts.physical, shape, INDEX_BLOCK + blocks) }
}

/** The same volume as another run finds it by its super block: of the same sizes, with other zones on other threads. */
export function redrawConfig(
  prng: Prng,
  { shape, indexRegion, volume: { superBlockPbn } }: EngineConfig,
  superBlock: SuperBlock,
): EngineConfig {
  const volume = volumeOf(superBlock, superBlockPbn)
  const plan = drawPlan(prng, volume.slabCount)
  const { logical } = plan.counts
  const cachePages = Math.ceil(shape.cachePages / logical) * logical
  return { plan, volume, superBlock, shape: { ...shape, cachePages }, indexRegion }
}

/** An index on disk of a few chapters of a record page or two, or one in memory. */
function drawIndex(prng: Prng): IndexShape | null {
  if (prng.chance(0.3)) return null
  const recordPagesPerChapter = prng.between(1, 2)
  const sparse = prng.chance(0.4)
  // Below four there is no chapter between the open one and the sparse ones.
  return {
    recordPagesPerChapter,
    baseChapters: prng.pick(sparse ? [4, 8] : [2, 4, 8]),
    sparse,
    reduced: false,
  }
}

function drawShape(prng: Prng, counts: ZoneCounts): Omit<VolumeShape, 'index'> {
  const dataVios = prng.pick([8, 8, 16, 32, 64])
  const journalTailBlocks = prng.between(2, 4)
  // Few entries make slab journals go round within a seed; few vios for them leave little room behind the blocking
  // threshold, so that a summary that is late makes entries wait.
  const slabJournalEntriesPerBlock = prng.pick(dataVios > 8 ? [3, 4, 5, 8, 24] : [6, 8, 12])
  const packerBins = prng.between(2, Math.min(6, Math.floor((dataVios - 1) / 2)))
  const maximumReferences = prng.pick([3, 5, 20, 254])
  return {
    dataVios,
    discardVios: Math.ceil(dataVios * 0.75),
    flushVios: prng.between(1, 3),
    maxDiscardBlocks: prng.between(1, 20),
    journalEntriesPerBlock: prng.pick([4, 8, 31, 40, 217]),
    journalTailBlocks,
    slabJournalEntriesPerBlock,
    slabJournalMixedEntriesPerBlock: slabJournalEntriesPerBlock - prng.between(0, 2),
    maximumReferences,
    cachePages: counts.logical * prng.between(2, 12),
    blockMapAge: prng.between(2, 5),
    blockMapVios: prng.between(2, 6),
    allocatorVios: SLAB_SUMMARY_BLOCKS_PER_ZONE + prng.between(2, 8),
    repairVios: prng.between(1, 6),
    pbnLocks: dataVios * 2,
    dedupeContexts: prng.pick([2, dataVios]),
    queryTimeoutMs: 5000,
    packerBins,
    // A fresh packed block has a reference for each of its fragments, and the bins never hold the whole pool.
    packerSlots: prng.between(2, Math.min(14, maximumReferences, Math.floor((dataVios - 1) / packerBins))),
    allocationsPerZone: prng.between(1, 16),
    indexNames: prng.pick([16, 64, 1024]),
    indexVios: 4 + prng.between(1, 4),
    indexChapterRecords: prng.pick([16, 40, 100, 2048]),
  }
}

function drawPlan(prng: Prng, slabCount = 3): ThreadPlan {
  const counts: ZoneCounts = {
    logical: prng.between(1, 3),
    physical: prng.between(1, Math.min(3, slabCount)),
    hash: prng.between(1, 3),
    cpu: prng.between(1, 2),
    bio: prng.between(1, 3),
    index: prng.between(1, 3),
  }
  const zones = allZones(counts).filter(({ room }) => room !== Room.Front)
  const threadCount = prng.pick([1, 2, zones.length])
  const threads: { name: string; zones: (typeof zones)[number][] }[] = Array.from(
    { length: threadCount },
    (_, i) => ({
      name: `sim${i}`,
      zones: [],
    }),
  )
  zones.forEach((place, i) => threads[i < threadCount ? i : prng.below(threadCount)].zones.push(place))
  const front: PlannedThread = { name: 'front', zones: [{ room: Room.Front, zone: 0 }] }
  return { counts, threads: [front, ...threads] }
}

function drawVolume(
  prng: Prng,
  physicalZones: number,
  { dataVios, slabJournalMixedEntriesPerBlock }: VolumeShape,
  superBlockPbn: number,
): { volume: Volume; superBlock: SuperBlock } {
  const slabCount = prng.between(Math.max(2, physicalZones), 6)
  const blocking = prng.between(4, 22)
  const flushing = Math.floor((blocking * 4) / 5)
  const slabJournalBlocks = blocking + blocksBeyondBlocking(dataVios, slabJournalMixedEntriesPerBlock)
  const scrubbing = slabJournalBlocks - 2
  // Small ones fill: a write that finds no block is as common as one that does. Some have several reference blocks.
  let slabBlocks = prng.chance(0.05) ? 8192 : prng.pick([64, 128, 256, 256])
  while (slabBlocks < slabJournalBlocks + 32) slabBlocks *= 2
  const slabReferenceBlocks = Math.ceil((slabBlocks - slabJournalBlocks) / REFERENCES_PER_BLOCK)
  const slabDataBlocks = slabBlocks - slabJournalBlocks - slabReferenceBlocks
  const journalBlocks = prng.pick([16, 32, 64])
  const rootOrigin = superBlockPbn + 1
  const depotOrigin = rootOrigin + ROOTS
  const journalOrigin = depotOrigin + slabCount * slabBlocks
  const summaryOrigin = journalOrigin + journalBlocks
  const physicalBlocks = summaryOrigin + SLAB_SUMMARY_BLOCKS
  // With several leaves to a tree an interior page changes while it is written.
  const leaves = prng.pick([prng.between(8, 60), prng.between(2, 20) * ROOTS])
  const logicalBlocks = 812 * leaves + prng.below(812)
  const volume: Volume = {
    nonceLow: Number(NONCE & 0xffffffffn),
    nonceHigh: Number(NONCE >> 32n),
    bioOffset: 0,
    logicalBlocks,
    physicalBlocks,
    superBlockPbn,
    rootOrigin,
    rootCount: ROOTS,
    journalOrigin,
    journalBlocks,
    journalStart: 1,
    recoveryCount: 0,
    completeRecoveries: 0,
    readOnlyRecoveries: 0,
    depotOrigin,
    slabCount,
    slabBlocks,
    slabDataBlocks,
    slabReferenceBlocks,
    slabJournalBlocks,
    slabJournalFlushing: flushing,
    slabJournalBlocking: blocking,
    slabJournalScrubbing: scrubbing,
    summaryOrigin,
    savedPhysicalZones: 0,
    isNew: true,
    load: LoadKind.Normal,
    logicalBlocksUsed: 0,
    blockMapDataBlocks: 0,
  }
  const partition = (id: PartitionId, start: number, blockCount: number) => ({
    id,
    start,
    base: 0,
    blockCount,
  })
  const superBlock: SuperBlock = {
    releaseVersion: 0,
    state: VolumeState.New,
    completeRecoveries: 0,
    readOnlyRecoveries: 0,
    logicalBlocks,
    physicalBlocks,
    slabSize: slabBlocks,
    recoveryJournalSize: journalBlocks,
    slabJournalBlocks,
    nonce: NONCE,
    firstFree: journalOrigin,
    lastFree: journalOrigin,
    partitions: [
      partition(PartitionId.SlabDepot, depotOrigin, slabCount * slabBlocks),
      partition(PartitionId.RecoveryJournal, journalOrigin, journalBlocks),
      partition(PartitionId.SlabSummary, summaryOrigin, SLAB_SUMMARY_BLOCKS),
      partition(PartitionId.BlockMap, rootOrigin, ROOTS),
    ],
    journalStart: 1,
    logicalBlocksUsed: 0,
    blockMapDataBlocks: 0,
    slabConfig: {
      slabBlocks,
      dataBlocks: slabDataBlocks,
      referenceCountBlocks: slabReferenceBlocks,
      slabJournalBlocks,
      flushingThreshold: flushing,
      blockingThreshold: blocking,
      scrubbingThreshold: scrubbing,
    },
    firstBlock: depotOrigin,
    lastBlock: journalOrigin,
    zoneCount: 0,
    flatPageOrigin: 1,
    flatPageCount: 0,
    rootOrigin,
    rootCount: ROOTS,
  }
  return { volume, superBlock }
}
