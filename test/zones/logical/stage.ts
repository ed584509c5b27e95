/**
 * A logical zone on the bench with the rest of the house played around it: a disk of blocks in memory, a journal
 * that gives out sequence numbers, physical zones that count up. A test answers messages one by one, or lets the
 * stage answer all of them, in order or in an order of chance.
 */
import { lbn, pbn, type VioIndex, vioIndex, ZERO_BLOCK } from '../../../src/base/ids.js'
import type { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { resetCompression } from '../../../src/vio/compression.js'
import { Counter } from '../../../src/vio/counters.js'
import type { Mark } from '../../../src/vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  CpuOp,
  FlushOp,
  FrontOp,
  JournalOp,
  LogicalOp,
  opOfHop,
  PhysicalOp,
  RepairOp,
  type RepairStep,
  Room,
} from '../../../src/vio/opcodes.js'
import { addToPatch, openPatch } from '../../../src/vio/page-patch.js'
import { IoFlag, MappingState, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import type { Volume } from '../../../src/vio/volume.js'
import type { VolumeShape } from '../../../src/vio/volume-shape.js'
import type { ZoneContext } from '../../../src/vio/zone-context.js'
import { LogicalZone } from '../../../src/zones/logical/logical-zone.js'
import { Bench, type Sent, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

const BLOCK = 4096

export class Disk {
  readonly blocks = new Map<number, Uint8Array>()
  /** What was done, in order: `w<pbn>`, `p<pbn>` for a write with preflush, `r<pbn>`, `flush`. */
  readonly log: string[] = []
  fail: (op: string) => boolean = () => false
}

export class Stage {
  readonly vios: VioTable
  readonly context: ZoneContext
  readonly zone: LogicalZone
  /** Requests that came home, with their statuses. */
  readonly home = new Map<number, Status>()
  readonly acknowledged = new Set<number>()
  readOnlyReason: Status | null = null
  phases = 0
  /** The journal: the block that is open, entries in it, blocks that a zone let go. */
  sequence: number
  entries = 0
  entriesPerBlock = 4
  released = 0
  /** Tree pages and data come from here. */
  nextPbn = 100
  noSpace = false
  private next = 0

  private constructor(
    readonly bench: Bench,
    readonly disk: Disk,
  ) {
    this.context = bench.context(Room.Logical)
    this.vios = this.context.vios
    this.zone = new LogicalZone(this.context)
    this.sequence = bench.volume.journalStart
  }

  static async make(
    shape: Partial<VolumeShape> = {},
    volume: Partial<Volume> = {},
    disk = new Disk(),
  ): Promise<Stage> {
    const stage = await Stage.unloaded(shape, volume, disk)
    stage.administer(AdminCommand.Load)
    return stage
  }

  /** A zone that may be repaired. */
  static async unloaded(
    shape: Partial<VolumeShape> = {},
    volume: Partial<Volume> = {},
    disk = new Disk(),
  ): Promise<Stage> {
    const bench = await Bench.make({ ...SMALL_SHAPE, ...shape }, { ...SMALL_VOLUME, ...volume })
    return new Stage(bench, disk)
  }

  administer(command: AdminCommand | RepairStep.Recover): void {
    this.zone.receive(LogicalOp.Administer, command)
  }

  /** Has a slot of a page changed by one of repair's vios; gives the vio. */
  patch(row: number, page: number, slot: number, place: number): VioIndex {
    const { context, vios } = this
    const vio = vioIndex(context.pools.repair.first + row)
    const at = vios.bufferAt(vio)
    openPatch(context.arena, at)
    addToPatch(context.arena, at, slot, place, MappingState.Uncompressed)
    vios.status[vio] = Status.Success
    vios.pagePbn[vio] = pbn(page)
    this.zone.receive(LogicalOp.PatchPage, vio)
    return vio
  }

  counter(counter: Counter | Mark): number {
    return this.context.counters[counter]
  }

  /** A vio as the front end would launch it; not sent yet. */
  vio(flags: number, block: number): VioIndex {
    const { vios } = this
    const vio = vioIndex(this.next++ % this.bench.shape.dataVios)
    this.home.delete(vio)
    this.acknowledged.delete(vio)
    vios.flags[vio] = flags
    vios.status[vio] = Status.Success
    vios.lbn[vio] = lbn(block)
    vios.remainingBlocks[vio] = 0
    vios.acknowledged[vio] = 0
    vios.allocatedPbn[vio] = ZERO_BLOCK
    vios.hashLock[vio] = -1
    vios.duplicateLock[vio] = -1
    vios.journalSequence[vio] = 0
    vios.fragmentSize[vio] = 0
    resetCompression(vios.compression, vio)
    Atomics.store(vios.allocationSucceeded, vio, 0)
    return vio
  }

  launch(vio: VioIndex): VioIndex {
    this.zone.receive(LogicalOp.Launch, vio)
    return vio
  }

  read(block: number): VioIndex {
    return this.launch(this.vio(VioFlag.Read, block))
  }

  write(block: number, flags = 0): VioIndex {
    return this.launch(this.vio(VioFlag.Write | flags, block))
  }

  discard(block: number, blocks = 1): VioIndex {
    const vio = this.vio(VioFlag.Write | VioFlag.Discard, block)
    this.vios.remainingBlocks[vio] = blocks - 1
    return this.launch(vio)
  }

  /** Answers everything until nothing is left to answer, in order, or as the generator says. */
  run(prng?: Prng, most = 1_000_000): void {
    const { sent } = this.bench
    for (let left = most; sent.length > 0 && left > 0; left--) {
      const at = prng === undefined ? 0 : prng.below(sent.length)
      this.answer(sent.splice(at, 1)[0])
    }
  }

  /** Answers everything but messages with these opcodes, which stay. */
  runBut(...kept: number[]): void {
    const { sent } = this.bench
    for (;;) {
      const at = sent.findIndex(({ op }) => !kept.includes(op))
      if (at < 0) return
      this.answer(sent.splice(at, 1)[0])
    }
  }

  /** Takes the oldest message with this opcode and answers it. */
  step(op: number): number {
    const sent = this.bench.expect(op)
    this.answer(sent)
    return sent.operand
  }

  /** Does what the receiver of a message would do, and sends the answer. `meanwhile` happens between the two. */
  answer(sent: Sent, meanwhile: () => void = () => {}): void {
    const { vios, zone } = this
    const vio = sent.operand as VioIndex
    switch (sent.op) {
      case BioOp.Read:
      case BioOp.Write:
      case BioOp.Flush:
        return this.doIo(sent.op, vio)
      case FrontOp.Acknowledge:
        this.acknowledged.add(vio)
        return
      case FrontOp.Release:
        this.home.set(vio, vios.status[vio])
        return
      case PhysicalOp.AllocateTree:
      case PhysicalOp.Allocate:
        return this.allocate(sent.op, vio)
      case CpuOp.Merge:
        vios.flags[vio] &= ~VioFlag.Unmerged
        return zone.receive(LogicalOp.ReadDone, vio)
      case CpuOp.Uncompress:
        return zone.receive(LogicalOp.Release, vio)
      case JournalOp.Append:
        this.journal(vio)
        meanwhile()
        zone.receive(LogicalOp.Incremented, vio)
        if (vios.mappedPbn[vio] !== 0 && vios.journalSequence[vio] !== 0)
          zone.receive(LogicalOp.Decremented, vio)
        return
      case JournalOp.AppendTree:
        this.journal(vio)
        return zone.receive(LogicalOp.TreeCounted, vio)
      case JournalOp.LocksReleased:
        this.context.journalLocks.noticeSeen()
        this.released++
        return
      case PhysicalOp.ReleaseAllocation:
        vios.allocatedPbn[vio] = ZERO_BLOCK
        return zone.receive(LogicalOp.Release, vio)
      case LogicalOp.TakeOver:
      case LogicalOp.Launch:
      case LogicalOp.Release:
        return zone.receive(sent.op, vio)
      case AdminOp.ReadOnly:
        this.readOnlyReason = vio as number
        return
      case AdminOp.PhaseDone:
        this.phases++
        return
      case RepairOp.PagePatched:
        this.home.set(vio, vios.status[vio])
        return
      case FlushOp.OldestAdvanced:
      case FlushOp.GenerationClosed:
        return
      default:
        throw new Error(`nobody answers ${sent.op}`)
    }
  }

  /** Opens a new journal block and tells the zone. */
  openBlock(): void {
    this.sequence++
    this.entries = 0
    this.context.boards.era = this.sequence
    this.zone.receive(LogicalOp.AdvanceEra, 0)
  }

  private allocate(op: number, vio: VioIndex): void {
    const { vios, zone } = this
    const isTree = op === PhysicalOp.AllocateTree
    if (this.noSpace) {
      vios.fail(vio, Status.NoSpace)
      return zone.receive(isTree ? LogicalOp.TreeAllocated : LogicalOp.ReadMapping, vio)
    }
    vios.allocatedPbn[vio] = pbn(this.takePbn())
    if (isTree) return zone.receive(LogicalOp.TreeAllocated, vio)
    vios.newPbn[vio] = vios.allocatedPbn[vio]
    vios.newState[vio] = MappingState.Uncompressed
    zone.receive(LogicalOp.ReadMapping, vio)
  }

  /** Data blocks of the small volume, one after the other, around again when all were given. */
  takePbn(): number {
    const { volume } = this.bench
    for (;;) {
      const offset = this.nextPbn++ - volume.depotOrigin
      const at = offset % (volume.slabCount * volume.slabBlocks)
      if (at % volume.slabBlocks < volume.slabDataBlocks) return volume.depotOrigin + at
    }
  }

  private journal(vio: VioIndex): void {
    const { vios } = this
    if (this.readOnlyReason !== null) {
      vios.fail(vio, Status.ReadOnly)
      return
    }
    if (this.entries === this.entriesPerBlock) this.openBlock()
    this.entries++
    vios.journalSequence[vio] = this.sequence
  }

  private doIo(op: number, vio: VioIndex): void {
    const { vios, disk, context } = this
    const place = vios.ioPbn[vio]
    const at = vios.ioAt[vio]
    const preflush = (vios.ioFlags[vio] & IoFlag.Preflush) !== 0
    const line = op === BioOp.Flush ? 'flush' : `${op === BioOp.Read ? 'r' : preflush ? 'p' : 'w'}${place}`
    disk.log.push(line)
    if (disk.fail(line)) {
      vios.fail(vio, Status.IoError)
    } else if (op === BioOp.Write) {
      disk.blocks.set(place, context.arena.slice(at, at + BLOCK))
    } else if (op === BioOp.Read) {
      const block = disk.blocks.get(place)
      if (block === undefined) context.arena.fill(0, at, at + BLOCK)
      else context.arena.set(block, at)
    }
    const back = opOfHop(vios.returnTo[vio])
    if (back >> 5 === Room.Logical) this.zone.receive(back as LogicalOp, vio)
    else this.answer({ op: back, zone: 0, operand: vio })
  }
}
