/**
 * Looks at what a disk would hold if the power failed now, from aside, while the engine goes on: a volume that
 * recovers, everything that was promised in it, and an index that can be opened.
 */
import type { Prng } from '../base/prng.js'
import type { EngineConfig } from '../engine/assemble.js'
import { type SuperBlock, VolumeState } from '../format/super-block.js'
import { IndexError } from '../uds/index-error.js'
import type { Volume } from '../vio/volume.js'
import { openCrashedIndex } from './crashed-index.js'
import { NONCE } from './draw-config.js'
import { auditAs, isBlank, requireConsistent, volumeOf } from './found-volume.js'
import { recoverNaively } from './naive-recovery.js'
import type { Oracle } from './oracle.js'
import { readMapped, type Unpack } from './read-mapped.js'
import type { SimStore } from './sim-store.js'

/** How often the index is looked at too: it takes long. */
const INDEX_CHANCE = 0.1

export class CrashJudge {
  /** Power failures that were looked at, and how many of them needed a recovery. */
  crashes = 0
  recoveries = 0
  /** An index was found on the disk. */
  private hasIndex = false

  constructor(
    private readonly prng: Prng,
    private readonly oracle: Oracle,
    private readonly decodeSuperBlock: (bytes: Uint8Array) => SuperBlock,
    private readonly unpack: Unpack,
  ) {}

  /** Throws if the disk would not hold what it must. */
  judge(store: SimStore, config: EngineConfig): void {
    const { prng, oracle, unpack } = this
    const disk = store.crash(prng)
    if (isBlank(disk, config.volume)) return
    this.crashes++
    const volume = this.recover(disk, config)
    if (volume === null) return
    const result = auditAs(VolumeState.Clean, disk, volume, config.shape, unpack)
    requireConsistent(result, 'the audit after a crash')
    if (prng.chance(INDEX_CHANCE)) this.checkIndex(disk, config)
    for (const block of oracle.writtenBlocks()) {
      const complaint = oracle.judgeCrash(block, readMapped(disk, volume, block, unpack))
      if (complaint !== null) throw new Error(`after a crash ${complaint}`)
    }
  }

  /** The volume when it has recovered; null if nothing is promised of it before it is rebuilt. */
  private recover(disk: SimStore, { volume: { superBlockPbn }, shape }: EngineConfig): Volume | null {
    const superBlock = this.decodeSuperBlock(disk.blockAt(superBlockPbn))
    const volume = volumeOf(superBlock, superBlockPbn)
    switch (superBlock.state) {
      case VolumeState.ReadOnly:
      case VolumeState.ForceRebuild:
        return null
      case VolumeState.Dirty:
        this.recoveries++
        return recoverNaively(disk, volume, shape)
      case VolumeState.Clean:
      case VolumeState.Recovering:
        return volume
      case VolumeState.New:
      case VolumeState.Replaying:
      case VolumeState.RebuildForUpgrade:
        throw new Error(`the volume is ${VolumeState[superBlock.state]} on the disk`)
    }
  }

  /** What is left of the index can be opened, once there was one. */
  private checkIndex(disk: SimStore, { indexRegion, shape }: EngineConfig): void {
    if (shape.index === null) return
    const place = { shape: shape.index, start: indexRegion.block, blocks: indexRegion.blocks, nonce: NONCE }
    try {
      openCrashedIndex(disk, place)
      this.hasIndex = true
    } catch (error) {
      if (this.hasIndex || !(error instanceof IndexError) || error.code !== 'VDO_INDEX_MISSING') throw error
    }
  }
}
