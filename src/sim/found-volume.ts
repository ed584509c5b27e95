/** A volume as it is found on a disk at rest. Here the disk begins with the index; there is no geometry block. */
import { isZero } from '../base/bytes.js'
import type { Native } from '../base/native.js'
import type { EngineConfig } from '../engine/assemble.js'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { encodeSuperBlock, type SuperBlock, type VolumeState } from '../format/super-block.js'
import { audit } from '../repair/audit.js'
import type { AuditResult } from '../repair/audit-report.js'
import type { Volume } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import type { Unpack } from './read-mapped.js'
import type { SimStore } from './sim-store.js'

const MOST_SENTENCES = 5

/** Whether a volume was never loaded: then its super block is not on the disk. */
export function isBlank(disk: SimStore, { isNew, superBlockPbn }: Volume): boolean {
  return isNew && isZero(disk.blockAt(superBlockPbn), 0, BLOCK_SIZE)
}

/** The volume that a super block tells of. */
export function volumeOf(superBlock: SuperBlock, superBlockPbn: number): Volume {
  return describeVolume({ nonce: superBlock.nonce, bioOffset: 0 }, superBlock, superBlockPbn)
}

/** Has the super block of a closed volume say another state, as an operator does. */
export function markState(
  disk: SimStore,
  superBlock: SuperBlock,
  superBlockPbn: number,
  state: VolumeState,
  native: Native,
): void {
  const bytes = encodeSuperBlock({ ...superBlock, state }, (data, seed) => native.crc32(data, seed))
  disk.write(superBlockPbn, bytes)
  disk.endFlush(disk.beginFlush())
}

/** The audit of a volume that was closed; `config` is of the engine that closed it. */
export function auditFound(
  disk: SimStore,
  superBlock: SuperBlock,
  { volume, shape }: EngineConfig,
  unpack: Unpack,
): AuditResult {
  return auditAs(superBlock.state, disk, volumeOf(superBlock, volume.superBlockPbn), shape, unpack)
}

/** The audit of a volume as one in that state. */
export function auditAs(
  state: VolumeState,
  disk: SimStore,
  volume: Volume,
  { maximumReferences }: VolumeShape,
  unpack: Unpack,
): AuditResult {
  const expand = (bytes: Uint8Array, at: number, size: number) => unpack(bytes, at, size) !== null
  return audit({ disk, volume, state, maximumReferences, expand })
}

/** Throws if an audit (`what` it is) has found anything. */
export function requireConsistent({ consistent, problems, problemCounts }: AuditResult, what: string): void {
  if (consistent) return
  const sentences = problems.slice(0, MOST_SENTENCES).map(({ sentence }) => sentence)
  throw new Error(`${what} finds ${JSON.stringify(problemCounts)}: ${sentences.join('; ')}`)
}
