/**
 * The room that holds the device. Zone 0 writes and syncs (and reads, when it is alone); the others read. One
 * device object a zone, used by the zone's thread only.
 *
 * Requests gather during a pass and start at its end: one sync for all that ask that what completed before them be
 * stable, then all writes, the most urgent kind first, then one sync for all that ask to be stable themselves. A
 * vio goes back only after the calls that make its answer true. At most one sync is under way; with a device that
 * completes later, whoever comes meanwhile shares the next one.
 *
 * A failed sync is never retried, since what it lost stays lost though a second one may succeed. It fails every
 * request that it covered, and from then on every request to make earlier writes stable. A write that only asks
 * for itself is still served: this is how the super block can say that the volume is read-only. Once the volume is
 * that, nothing but the super block is written, whatever is on its way here.
 */
import { assert, unreachable } from '../../base/assert.js'
import type { VioIndex } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { WaitQueues } from '../../base/wait-queue.js'
import { type BlockDevice, DeviceOp } from '../../device/block-device.js'
import type { Zone } from '../../reactor/zone.js'
import { Mark } from '../../vio/marks.js'
import { BioOp } from '../../vio/opcodes.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'
import { enterReadOnly, type ZoneContext } from '../../vio/zone-context.js'
import { BioCounters } from './bio-counters.js'

/** The tag of a sync; all other tags are vios. */
const SYNC_TAG = -1

/** What a vio waits for here. */
enum Stage {
  Idle = 0,
  Reading,
  /** A sync, before the write. */
  Preflush,
  /** Its turn to be written, or the end of the write. */
  Writing,
  /** A sync, after the write. */
  Fua,
  /** A sync, and nothing else. */
  Flush,
}

/** Queues: writes that may start, by kind (data and packed blocks are neighbours, so they share one), then syncs. */
const MOST_URGENT = IoKind.Journal
const LEAST_URGENT = IoKind.Index
const NEXT_SYNC = MOST_URGENT + 1
const THIS_SYNC = MOST_URGENT + 2
const QUEUES = MOST_URGENT + 3

export class BioZone implements Zone {
  private readonly stages: Uint8Array
  private readonly queues: WaitQueues
  private readonly counters: BioCounters
  private readyWrites = 0
  private readsSubmitted = false
  private syncing = false
  /** A sync has failed: nothing that completed before can be promised to be stable any more. */
  private distrusted = false
  /** Completions have come since the last pass ended. */
  private moved = false

  constructor(
    private readonly context: ZoneContext,
    private readonly device: BlockDevice,
  ) {
    const rows = context.shape.dataVios + context.pools.otherVios
    this.stages = new Uint8Array(rows)
    this.queues = WaitQueues.create(new Int32Array(rows), QUEUES)
    this.counters = new BioCounters(context.counters)
    device.attach((tag, status) => this.completed(tag, status))
  }

  receive(op: BioOp, operand: number): void {
    const vio = operand as VioIndex
    assert(this.stages[vio] === Stage.Idle, 'a vio is with bio once')
    assert(!this.context.boards.atRest, 'a volume at rest leaves its store alone')
    if (this.context.vios.status[vio] !== Status.Success) return this.goBack(vio)
    switch (op) {
      case BioOp.Read:
        return this.read(vio)
      case BioOp.Write:
        return this.write(vio)
      case BioOp.Flush:
        return this.flush(vio)
      default:
        return unreachable('a bio zone knows its messages', op)
    }
  }

  poll(): boolean {
    return this.moved
  }

  endPass(): void {
    if (this.readsSubmitted) {
      this.readsSubmitted = false
      this.device.kick()
    }
    // A device that is done when it returns gives the next step at once: preflush, write, sync.
    while (this.readyWrites > 0 || this.isSyncDue) {
      this.startSync()
      this.startWrites()
    }
    this.moved = false
  }

  private read(vio: VioIndex): void {
    this.counters.reads(this.context.vios.ioKind[vio])
    this.stages[vio] = Stage.Reading
    this.submit(DeviceOp.Read, vio)
    this.readsSubmitted = true
  }

  private write(vio: VioIndex): void {
    const { zone, vios } = this.context
    assert(zone === 0, 'only the first bio zone writes')
    const flags = vios.ioFlags[vio]
    this.counters.writes(vios.ioKind[vio], flags)
    if ((flags & IoFlag.Preflush) === 0) this.makeReady(vio)
    else this.awaitSync(vio, Stage.Preflush)
  }

  private flush(vio: VioIndex): void {
    assert(this.context.zone === 0, 'only the first bio zone syncs')
    this.counters.flushes(this.context.vios.ioKind[vio])
    this.awaitSync(vio, Stage.Flush)
  }

  private makeReady(vio: VioIndex): void {
    this.stages[vio] = Stage.Writing
    const kind = this.context.vios.ioKind[vio]
    this.queues.push(kind === IoKind.Data ? IoKind.Compressed : kind, vio)
    this.readyWrites++
  }

  private awaitSync(vio: VioIndex, stage: Stage): void {
    this.stages[vio] = stage
    if (this.distrusted && stage !== Stage.Fua) {
      this.context.counters[Mark.SyncDistrusted]++
      return this.finish(vio, Status.IoError)
    }
    this.queues.push(NEXT_SYNC, vio)
  }

  private get isSyncDue(): boolean {
    return !this.syncing && !this.queues.isEmpty(NEXT_SYNC)
  }

  private startSync(): void {
    if (!this.isSyncDue) return
    this.queues.transferAll(NEXT_SYNC, this.queues, THIS_SYNC)
    this.syncing = true
    this.device.submit(DeviceOp.Flush, 0, 0, 0, SYNC_TAG)
    this.device.kick()
  }

  private startWrites(): void {
    for (let queue = MOST_URGENT; queue >= LEAST_URGENT && this.readyWrites > 0; queue--) {
      if (this.queues.isEmpty(queue)) continue
      for (;;) {
        const vio = this.queues.shift(queue) as VioIndex
        if (vio < 0) break
        this.readyWrites--
        const refusal = this.refusal(vio)
        if (refusal !== Status.Success) this.finish(vio, refusal)
        else this.submit(DeviceOp.Write, vio)
      }
      this.device.kick()
    }
  }

  /** Why a write must not reach the device any more: a room that sent it may not have heard yet. */
  private refusal(vio: VioIndex): Status {
    const { boards, pools, counters } = this.context
    if (boards.halted) return Status.EngineHalted
    if (boards.readOnlyReason === Status.Success) return Status.Success
    const { first, count } = pools.admin
    const isSuperBlock = vio >= first && vio < first + count
    if (isSuperBlock) return Status.Success
    counters[Mark.WriteRefused]++
    return Status.ReadOnly
  }

  private submit(op: DeviceOp, vio: VioIndex): void {
    const { vios, volume } = this.context
    this.device.submit(op, vios.ioPbn[vio] - volume.bioOffset, vios.ioBlocks[vio], vios.ioAt[vio], vio)
  }

  /** The device tells: from within a call of this zone, or between two passes. */
  private completed(tag: number, status: Status): void {
    this.moved = true
    if (tag === SYNC_TAG) return this.synced(status)
    const vio = tag as VioIndex
    const { vios } = this.context
    if (this.stages[vio] === Stage.Reading) return this.finish(vio, status)
    assert(this.stages[vio] === Stage.Writing, 'a device completes what it was given')
    if (status !== Status.Success || (vios.ioFlags[vio] & IoFlag.Fua) === 0) return this.finish(vio, status)
    this.awaitSync(vio, Stage.Fua)
  }

  private synced(status: Status): void {
    assert(this.syncing, 'a sync that is done was started')
    this.syncing = false
    if (status !== Status.Success) {
      this.context.counters[Mark.SyncFails]++
      this.distrusted = true
      enterReadOnly(this.context, status)
      // Those who came while it was under way may have been covered as well.
      this.queues.transferAll(NEXT_SYNC, this.queues, THIS_SYNC)
    }
    for (;;) {
      const vio = this.queues.shift(THIS_SYNC) as VioIndex
      if (vio < 0) return
      if (status === Status.Success && this.stages[vio] === Stage.Preflush) this.makeReady(vio)
      else this.finish(vio, status)
    }
  }

  private finish(vio: VioIndex, status: Status): void {
    this.countEnd(vio)
    if (status !== Status.Success) this.context.vios.fail(vio, status)
    this.stages[vio] = Stage.Idle
    this.goBack(vio)
  }

  /** Everything that was counted when it began is counted once more when it ends, well or not. */
  private countEnd(vio: VioIndex): void {
    const { vios } = this.context
    const kind = vios.ioKind[vio]
    const stage: Stage = this.stages[vio]
    if (stage === Stage.Reading) this.counters.hasRead(kind)
    else if (stage === Stage.Flush) this.counters.hasFlushed(kind)
    else this.counters.hasWritten(kind, vios.ioFlags[vio])
  }

  private goBack(vio: VioIndex): void {
    this.context.post.send(this.context.vios.returnTo[vio], vio)
  }
}
