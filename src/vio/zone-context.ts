/**
 * What every zone is given when it moves in: its place, its door to the others, and the shared furniture. Zones
 * know nothing of threads, workers or the operating system.
 */
import type { Native } from '../base/native.js'
import { Status } from '../base/status.js'
import type { Post } from '../reactor/zone.js'
import type { Boards } from './boards.js'
import type { DedupeContexts } from './dedupe-contexts.js'
import type { JournalLockTable } from './journal-locks.js'
import type { MetadataPools } from './metadata-pools.js'
import { AdminOp, hop } from './opcodes.js'
import type { PbnLockTable } from './pbn-locks.js'
import type { Placement } from './placement.js'
import type { VioTable } from './vio-table.js'
import type { Volume, ZoneCounts } from './volume.js'
import type { VolumeShape } from './volume-shape.js'

export interface ZoneContext {
  /** The zone's number within its room. */
  readonly zone: number
  readonly post: Post
  readonly vios: VioTable
  readonly pools: MetadataPools
  readonly shape: VolumeShape
  readonly volume: Volume
  readonly counts: ZoneCounts
  readonly placement: Placement
  readonly native: Native
  /** The whole arena, for codecs that work in place. */
  readonly arena: Uint8Array
  /** The zone's own row, indexed by Counter and Mark. */
  readonly counters: Float64Array
  readonly boards: Boards
  readonly pbnLocks: PbnLockTable
  readonly contexts: DedupeContexts
  readonly journalLocks: JournalLockTable
  /** Leaf pages of all logical zones: arena offset of page 0, zone after zone in equal shares. */
  readonly pagesAt: number
}

/** A fatal error: tells the admin zone, which tells every room. The caller's own zone goes read-only at once. */
export function enterReadOnly(context: ZoneContext, status: Status): void {
  if (context.boards.setReadOnlyReason(status)) context.post.send(hop(AdminOp.ReadOnly, 0), status)
}

/** The answer to an `Administer` message. */
export function phaseDone(context: ZoneContext, status: Status): void {
  if (status !== Status.Success) context.boards.failPhase(status)
  context.post.send(hop(AdminOp.PhaseDone, 0), context.zone)
}
