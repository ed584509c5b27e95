/**
 * The zone's copy of the slab summary: two bytes a slab that say how to load it. Entries change in shared memory
 * (the zone's four blocks of the working copies) and reach the disk as snapshots. Each block has one write
 * outstanding at most; changes that come meanwhile are folded into the next, and those who wait for a change hear
 * of the end of the write that carries it.
 *
 * Every write has a preflush, so that slab journal blocks and reference blocks are stable before an entry counts
 * on them.
 */
import { assert } from '../../base/assert.js'
import { pbn, type VioIndex } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { WaitQueues } from '../../base/wait-queue.js'
import {
  BLOCK_SIZE,
  MAXIMUM_PHYSICAL_ZONES,
  MAXIMUM_SLABS,
  SLAB_SUMMARY_BLOCKS_PER_ZONE,
  SLAB_SUMMARY_ENTRIES_PER_BLOCK,
} from '../../format/constants.js'
import {
  defaultSummaryEntry,
  fullnessHint,
  packSummaryEntry,
  readSummaryEntry,
  summaryDirty,
  summaryHint,
  summaryIndexOf,
  summaryLoad,
  summaryTail,
  summaryZoneOf,
  writeSummaryEntry,
} from '../../format/slab-summary.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, hop, PhysicalOp } from '../../vio/opcodes.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import type { Slab } from './slab.js'

/** Who waits for an entry to be on disk. */
export enum SummaryUser {
  Journal = 0,
  References = 1,
}

/** Blocks that a zone needs a vio of its own for. */
export const SUMMARY_VIOS = SLAB_SUMMARY_BLOCKS_PER_ZONE

/** The hint of a slab whose free blocks are not known stays what it is. */
export const SAME_HINT = -1

/** Hears that an update is on disk, or that it could not be written. */
export type SummaryDone = (slab: number, user: SummaryUser, ok: boolean) => void

const ZONE_BYTES = SLAB_SUMMARY_BLOCKS_PER_ZONE * BLOCK_SIZE

export class SlabSummary {
  private readonly at: number
  private readonly writing = new Uint8Array(SLAB_SUMMARY_BLOCKS_PER_ZONE)
  /** Rows are `local slab * 2 + user`; block b has the queue 2b of the write under way, 2b + 1 of the next. */
  private readonly waiters: WaitQueues
  private lastOk = true
  private readonly notify = (row: number): void => {
    this.done(row >> 1, row & 1, this.lastOk)
  }

  /** Block b of the copy travels on vio `firstVio + b`. */
  constructor(
    private readonly context: ZoneContext,
    private readonly firstVio: VioIndex,
    slabCount: number,
    private readonly isReadOnly: () => boolean,
    private readonly done: SummaryDone,
  ) {
    this.at = context.boards.summaryAt + context.zone * ZONE_BYTES
    this.waiters = WaitQueues.create(new Int32Array(slabCount * 2), SLAB_SUMMARY_BLOCKS_PER_ZONE * 2)
  }

  get isIdle(): boolean {
    return !this.writing.includes(1)
  }

  entry(slab: Slab): number {
    return readSummaryEntry(this.context.arena, this.blockAt(slab), summaryIndexOf(slab.number))
  }

  isDirty(slab: Slab): boolean {
    return summaryDirty(this.entry(slab))
  }

  hasCounts(slab: Slab): boolean {
    return summaryLoad(this.entry(slab))
  }

  tail(slab: Slab): number {
    return summaryTail(this.entry(slab))
  }

  hint(slab: Slab): number {
    return summaryHint(this.entry(slab))
  }

  /** Changes an entry and tells `user` of the slab when it is on disk. `load` is sticky. */
  update(slab: Slab, user: SummaryUser, tail: number, load: boolean, clean: boolean, free: number): void {
    if (this.isReadOnly()) {
      this.done(slab.local, user, false)
      return
    }
    const old = this.entry(slab)
    const bits = this.context.placement.slabBits
    const hint = free === SAME_HINT ? summaryHint(old) : fullnessHint(free, bits)
    const entry = packSummaryEntry(tail, hint, load || summaryLoad(old), !clean)
    writeSummaryEntry(this.context.arena, this.blockAt(slab), summaryIndexOf(slab.number), entry)
    const block = this.blockOf(slab)
    this.waiters.push(block * 2 + 1, slab.local * 2 + user)
    if (this.writing[block] === 0) this.write(block)
    else this.context.counters[Mark.SummaryChangedWhileWritten]++
  }

  /** A block's write has ended. */
  written(vio: VioIndex): void {
    const block = vio - this.firstVio
    assert(this.writing[block] === 1, 'a summary block that was written was being written')
    this.lastOk = this.context.vios.status[vio] === Status.Success
    this.writing[block] = 0
    this.waiters.notifyAll(block * 2, this.notify)
    if (this.writing[block] === 0 && !this.waiters.isEmpty(block * 2 + 1)) this.write(block)
  }

  private write(block: number): void {
    const { vios, native, post, placement, volume, zone, counters } = this.context
    const vio = (this.firstVio + block) as VioIndex
    this.waiters.transferAll(block * 2 + 1, this.waiters, block * 2)
    if (this.isReadOnly()) {
      this.lastOk = false
      this.waiters.notifyAll(block * 2, this.notify)
      return
    }
    this.writing[block] = 1
    counters[Counter.SlabSummaryBlocksWritten]++
    const buffer = vios.bufferAt(vio)
    native.copy(buffer, this.at + block * BLOCK_SIZE, BLOCK_SIZE)
    const target = pbn(volume.summaryOrigin + zone * SLAB_SUMMARY_BLOCKS_PER_ZONE + block)
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Metadata, target, buffer, IoFlag.Preflush, hop(PhysicalOp.SummaryWritten, zone))
    post.send(hop(BioOp.Write, placement.writer), vio)
  }

  private blockOf(slab: Slab): number {
    return Math.floor(slab.number / SLAB_SUMMARY_ENTRIES_PER_BLOCK)
  }

  private blockAt(slab: Slab): number {
    return this.at + this.blockOf(slab) * BLOCK_SIZE
  }
}

/** The first load of a volume: all copies say of every slab, also of those to come, that it was never used. */
export function resetSummary(context: ZoneContext): void {
  const { boards, volume, placement } = context
  const entry = defaultSummaryEntry(volume.slabDataBlocks, placement.slabBits)
  for (let slab = 0; slab < MAXIMUM_SLABS; slab++)
    writeAllCopies(context.arena, boards.summaryAt, slab, entry)
}

/** Each slab's entry is right in one copy, depending on how many zones wrote them: brings all copies into line. */
export function combineSummary(context: ZoneContext): void {
  const { arena, boards, volume } = context
  for (let slab = 0; slab < MAXIMUM_SLABS; slab++) {
    const from = entryBlock(boards.summaryAt, summaryZoneOf(slab, volume.savedPhysicalZones), slab)
    writeAllCopies(arena, boards.summaryAt, slab, readSummaryEntry(arena, from, summaryIndexOf(slab)))
  }
}

function writeAllCopies(arena: Uint8Array, at: number, slab: number, entry: number): void {
  for (let zone = 0; zone < MAXIMUM_PHYSICAL_ZONES; zone++) {
    writeSummaryEntry(arena, entryBlock(at, zone, slab), summaryIndexOf(slab), entry)
  }
}

function entryBlock(at: number, zone: number, slab: number): number {
  return at + zone * ZONE_BYTES + Math.floor(slab / SLAB_SUMMARY_ENTRIES_PER_BLOCK) * BLOCK_SIZE
}
