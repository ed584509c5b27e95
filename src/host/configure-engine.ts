/**
 * From what was read of a volume, and what its user wants, to what the engine is built as. Everything that can be
 * refused is refused here, before memory is taken for it.
 */
import { totalmem } from 'node:os'
import { VdoError } from '../base/errors.js'
import type { EngineConfig } from '../engine/assemble.js'
import { requireRunnable } from '../engine/check-shape.js'
import { describeVolume } from '../engine/describe-volume.js'
import { indexZonesFor, requireIndexMemory } from '../engine/index-size.js'
import { type ThreadPlan, withIndexZones } from '../engine/thread-plan.js'
import { indexShapeOf } from '../format/index-region.js'
import { LoadKind, type Volume } from '../vio/volume.js'
import { VDO_SHAPE, type VolumeShape } from '../vio/volume-shape.js'
import type { VolumeHead } from './read-volume.js'

export interface EngineWishes {
  /** The zones on their threads. */
  readonly profile: ThreadPlan
  /** Whether the index is to be used. */
  readonly deduplication: boolean
  /** Sizes other than VDO's own. */
  readonly shape?: Partial<VolumeShape> | undefined
}

/** Throws a VdoError for a volume that cannot be run so. */
export function configureEngine(
  { geometry, superBlock, superBlockPbn }: VolumeHead,
  { profile, deduplication, shape: sizes }: EngineWishes,
): EngineConfig {
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  if (profile.counts.physical > volume.slabCount) {
    throw new VdoError(
      'VDO_TOO_MANY_PHYSICAL_ZONES',
      `Cannot open volume: the profile has ${profile.counts.physical} physical zones, the volume only ${volume.slabCount} slabs`,
    )
  }
  const index = indexShapeOf(geometry.indexMemory, geometry.indexSparse !== 0)
  const shape = { ...VDO_SHAPE, index, ...sizes }
  requireCountMemory(volume, machineMemory())
  const plan = planIndex(profile, shape)
  if (deduplication) requireIndexFits('Cannot open volume with deduplication', { plan, shape })
  requireRunnable(shape, volume, plan.counts)
  const indexRegion = {
    block: geometry.indexRegionStart - geometry.bioOffset,
    blocks: superBlockPbn - geometry.indexRegionStart,
  }
  return { plan, shape, volume, superBlock, indexRegion }
}

/**
 * Throws if the machine has no memory for the reference counts, a byte for each data block: a file may be as large as
 * it likes where nothing is in it. A volume that is only read has none in memory.
 */
export function requireCountMemory({ load, slabCount, slabDataBlocks }: Volume, machineBytes: number): void {
  const needed = slabCount * slabDataBlocks
  if (load === LoadKind.ReadOnly || needed <= machineBytes) return
  throw new VdoError(
    'VDO_VOLUME_TOO_LARGE',
    `Cannot open volume: the counts of its ${needed} data blocks take as many bytes of memory, and this machine has ${machineBytes}`,
  )
}

/** Gives a large index the zones that it needs: one that is not to be used now may be opened later. */
function planIndex(plan: ThreadPlan, { index }: VolumeShape): ThreadPlan {
  return index === null ? plan : withIndexZones(plan, indexZonesFor(index, plan.counts.index))
}

/** Throws if the index does not fit into memory. `what` says what cannot be done then. */
export function requireIndexFits(what: string, { plan, shape }: Pick<EngineConfig, 'plan' | 'shape'>): void {
  if (shape.index === null) return
  requireIndexMemory(what, shape.index, plan.counts.index, machineMemory())
}

/** Bytes of memory that this process may have: the machine's, or less. */
function machineMemory(): number {
  // 0 if nothing limits it; older versions of Node do not know.
  const limit = process.constrainedMemory() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
