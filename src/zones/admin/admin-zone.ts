/**
 * The admin zone: loads, suspends, saves and resumes the volume, and takes it into read-only mode. It walks a
 * command's steps (see commands.ts), one message at a time; it alone writes the super block.
 *
 * A drain goes on after an error, so that everything comes to rest; a load stops at the first. An error that made
 * the volume read-only is not the drain's: the answer is success, the reason stands on the board. Nor is it the load's
 * once the super block says so: whoever opened that volume next would be served reads, and so is this one, as by dm-vdo.
 *
 * Read-only mode goes its own way beside a command: every room is told, without an answer; when the journal has
 * said where its oldest needed block is, the super block says READ_ONLY. A command that would write another state,
 * or that ends, waits for that. A volume at rest is left alone until it is resumed.
 */
import { assert, unreachable } from '../../base/assert.js'
import { type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { type SuperBlock, VolumeState } from '../../format/super-block.js'
import type { Zone } from '../../reactor/zone.js'
import { Mark } from '../../vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  FlushOp,
  FrontOp,
  HashOp,
  type Hop,
  hop,
  IndexOp,
  JournalOp,
  LogicalOp,
  type Op,
  PackerOp,
  PhysicalOp,
  RepairOp,
  Room,
} from '../../vio/opcodes.js'
import { IoKind } from '../../vio/vio-table.js'
import { isRebuild, LoadKind, type ZoneCounts } from '../../vio/volume.js'
import { enterReadOnly, type ZoneContext } from '../../vio/zone-context.js'
import { AdminState, LOADS, type RoomStep, restForReading, SEQUENCES, type Sequence } from './commands.js'
import { SuperBlockWriter } from './super-block-writer.js'

/** A room that takes part in administration: how many zones it has, and its messages. */
interface AdministeredRoom {
  readonly zones: (counts: ZoneCounts) => number
  readonly administer: Op
  /** Null for a room that read-only mode does not concern. */
  readonly enterReadOnly: Op | null
}

const ONE = () => 1

const ROOMS: ReadonlyMap<Room, AdministeredRoom> = new Map<Room, AdministeredRoom>([
  [
    Room.Logical,
    { zones: (c) => c.logical, administer: LogicalOp.Administer, enterReadOnly: LogicalOp.EnterReadOnly },
  ],
  [
    Room.Physical,
    { zones: (c) => c.physical, administer: PhysicalOp.Administer, enterReadOnly: PhysicalOp.EnterReadOnly },
  ],
  [Room.Hash, { zones: (c) => c.hash, administer: HashOp.Administer, enterReadOnly: HashOp.EnterReadOnly }],
  [Room.Journal, { zones: ONE, administer: JournalOp.Administer, enterReadOnly: JournalOp.EnterReadOnly }],
  [Room.Packer, { zones: ONE, administer: PackerOp.Administer, enterReadOnly: PackerOp.EnterReadOnly }],
  [Room.Flush, { zones: ONE, administer: FlushOp.Administer, enterReadOnly: FlushOp.EnterReadOnly }],
  [Room.Index, { zones: (c) => c.index, administer: IndexOp.Administer, enterReadOnly: null }],
  [Room.Repair, { zones: ONE, administer: RepairOp.Administer, enterReadOnly: null }],
])

/** How far the entry into read-only mode has come. */
enum ReadOnlyEntry {
  /** Nobody has told the admin zone of an error. */
  None = 0,
  /** Told while the volume is at rest. */
  Delayed,
  /** The rooms are told; the journal has not answered. */
  Telling,
  /** The super block is next. */
  Due,
  Writing,
  /** The super block says it, or cannot. */
  Done,
}

export class AdminZone implements Zone {
  private readonly writer: SuperBlockWriter
  private readonly flushVio: VioIndex
  private state = AdminState.Initial
  private command = AdminCommand.Load
  /** What is being done; null between commands. */
  private sequence: Sequence | null = null
  private step = 0
  /** The zone that is being visited. */
  private zone = 0
  private readOnly = ReadOnlyEntry.None
  /** The command waits for the entry into read-only mode. */
  private waiting = false

  /** The volume was not closed, or was closed before it had recovered. */
  private readonly startsRecovering: boolean

  constructor(
    private readonly context: ZoneContext,
    superBlock: SuperBlock,
  ) {
    this.startsRecovering =
      superBlock.state === VolumeState.Recovering || context.volume.load === LoadKind.Recovery
    const { first, count } = context.pools.admin
    assert(count === 2, 'the admin zone has a vio for the super block and one for a flush')
    this.writer = new SuperBlockWriter(context, first, superBlock)
    this.flushVio = (first + 1) as VioIndex
  }

  receive(op: AdminOp, operand: number): void {
    switch (op) {
      case AdminOp.Command:
        return this.start(operand)
      case AdminOp.PhaseDone:
        return this.zoneDone(operand)
      case AdminOp.StorageFlushed:
        return this.storageFlushed()
      case AdminOp.SuperBlockWritten:
        return this.superBlockWritten()
      case AdminOp.ReadOnly:
        return this.enterReadOnly()
      case AdminOp.ReadOnlyEntered:
        return this.readOnlyEntered()
      default:
        return unreachable('the admin zone knows its messages', op)
    }
  }

  // Commands

  private start(command: AdminCommand): void {
    assert(this.sequence === null, 'one administrative command at a time')
    const sequence = this.sequenceOf(command)
    if (sequence === undefined) return this.answer(Status.InvalidRequest)
    this.command = command
    this.sequence = sequence
    this.step = 0
    this.zone = 0
    this.context.boards.clearPhase()
    this.context.boards.atRest = false
    if (this.readOnly === ReadOnlyEntry.Delayed && sequence.endsIn === AdminState.Running) this.tellRooms()
    if (command === AdminCommand.Load && this.context.volume.load === LoadKind.ReadOnly) this.beReadOnly()
    else this.next()
  }

  private sequenceOf(command: AdminCommand): Sequence | undefined {
    if (command !== AdminCommand.Load) return SEQUENCES[command][this.state]
    return this.state === AdminState.Initial ? LOADS[this.context.volume.load] : undefined
  }

  /** Begins the step that is due, or ends the command. */
  private next(): void {
    const { sequence } = this
    assert(sequence !== null, 'a step belongs to a command')
    if (this.loadHasFailed || this.step === sequence.steps.length) return this.end(sequence)
    const step = sequence.steps[this.step]
    switch (step.kind) {
      case 'room':
        return this.visit(step)
      case 'flush':
        return this.flushStorage()
      case 'super block':
        return this.writeSuperBlock(step.state)
    }
  }

  private stepDone(): void {
    this.step++
    this.zone = 0
    this.next()
  }

  private get loadHasFailed(): boolean {
    return this.command === AdminCommand.Load && this.context.boards.phaseStatus !== Status.Success
  }

  private visit(step: RoomStep): void {
    const room = roomOf(step.room)
    if (this.zone === room.zones(this.context.counts)) return this.stepDone()
    this.context.post.send(hop(room.administer, this.zone), step.ask ?? this.command)
  }

  private zoneDone(zone: number): void {
    assert(zone === this.zone, 'the zone that was asked answers')
    this.zone++
    this.next()
  }

  private flushStorage(): void {
    const { placement, post, vios } = this.context
    const vio = this.flushVio
    vios.status[vio] = Status.Success
    // Of no kind of metadata: it is for what users wrote, and counts as their flushes do.
    vios.aim(vio, IoKind.Data, ZERO_BLOCK, vios.bufferAt(vio), 0, hop(AdminOp.StorageFlushed, 0))
    post.send(hop(BioOp.Flush, placement.writer), vio)
  }

  private storageFlushed(): void {
    const { boards, vios } = this.context
    const status = vios.status[this.flushVio]
    if (status !== Status.Success) boards.failPhase(status)
    this.stepDone()
  }

  private writeSuperBlock(state: VolumeState): void {
    const { boards, counters } = this.context
    if (this.waitsForReadOnly()) return
    const isReadOnly = boards.readOnlyReason !== Status.Success
    const hasFailed = state === VolumeState.Clean && boards.phaseStatus !== Status.Success
    if (isReadOnly || hasFailed) return this.stepDone()
    const isUnfinished = state === VolumeState.Clean && boards.isRecovering
    if (isUnfinished) counters[Mark.SavedWhileRecovering]++
    this.writer.write(isUnfinished ? VolumeState.Recovering : state)
  }

  private superBlockWritten(): void {
    const status = this.writer.written()
    if (this.readOnly === ReadOnlyEntry.Writing) {
      this.readOnly = ReadOnlyEntry.Done
      return this.goOn()
    }
    if (status !== Status.Success) {
      this.context.boards.failPhase(status)
      enterReadOnly(this.context, status)
    }
    // The entry may have waited for this write.
    if (this.readOnly === ReadOnlyEntry.Due) {
      this.context.counters[Mark.ReadOnlyDuringSuperBlock]++
      this.saveReadOnly()
    }
    this.stepDone()
  }

  private end(sequence: Sequence): void {
    if (this.waitsForReadOnly()) return
    const { boards } = this.context
    const failed = this.loadHasFailed
    if (failed && this.writer.lastState === VolumeState.ReadOnly) return this.serveReads(sequence)
    const isReadOnly = boards.readOnlyReason !== Status.Success
    const isWell = !isReadOnly && boards.phaseStatus === Status.Success
    if (isWell && this.command === AdminCommand.Load && this.startsRecovering) boards.enterRecovery()
    this.state = failed ? AdminState.Failed : sequence.endsIn
    this.sequence = null
    boards.atRest = this.isAtRest
    if (isWell && this.state === AdminState.Saved) {
      assert(this.context.journalLocks.areFree, 'nobody needs the journal of a saved volume')
    }
    const excused = !failed && isReadOnly
    this.answer(excused ? Status.Success : boards.phaseStatus)
  }

  /** The volume became read-only while it was loaded: whoever serves reads and was not reached yet is loaded still. */
  private serveReads(sequence: Sequence): void {
    const { boards, counters } = this.context
    counters[Mark.LoadServedForReading]++
    boards.clearPhase()
    this.sequence = restForReading(sequence, this.step)
    this.step = 0
    this.zone = 0
    this.next()
  }

  private get isAtRest(): boolean {
    return this.state === AdminState.Suspended || this.state === AdminState.Saved
  }

  private answer(status: Status): void {
    this.context.boards.adminStatus = status
    this.context.post.send(hop(FrontOp.AdminAnswer, 0), 0)
  }

  // Read-only mode

  /** Whether the command must wait for the entry into read-only mode. The board knows of it before the message. */
  private waitsForReadOnly(): boolean {
    const { boards, counters } = this.context
    if (this.readOnly === ReadOnlyEntry.Delayed) return false
    this.waiting = boards.readOnlyReason !== Status.Success && this.readOnly !== ReadOnlyEntry.Done
    if (this.waiting) counters[Mark.CommandAwaitsReadOnly]++
    return this.waiting
  }

  private goOn(): void {
    if (!this.waiting) return
    this.waiting = false
    this.next()
  }

  /** A volume that is read-only on the disk stays untouched, and a rebuild that fails may be tried again. */
  private get keepsState(): boolean {
    const { load } = this.context.volume
    return load === LoadKind.ReadOnly || (isRebuild(load) && this.writer.lastState === null)
  }

  private enterReadOnly(): void {
    assert(this.readOnly === ReadOnlyEntry.None, 'the first error is the only one to be told')
    if (this.sequence === null && this.isAtRest) this.readOnly = ReadOnlyEntry.Delayed
    else this.tellRooms()
  }

  private tellRooms(): void {
    const { counts, post } = this.context
    this.readOnly = ReadOnlyEntry.Telling
    for (const { zones, enterReadOnly: op } of ROOMS.values()) {
      if (op === null) continue
      for (let zone = 0; zone < zones(counts); zone++) post.send(hop(op, zone) as Hop, 0)
    }
  }

  private readOnlyEntered(): void {
    assert(this.readOnly === ReadOnlyEntry.Telling, 'the journal answers once')
    this.readOnly = ReadOnlyEntry.Due
    if (!this.writer.isWriting) this.saveReadOnly()
  }

  /** It says READ_ONLY on the disk: the rooms must know before they are loaded. */
  private beReadOnly(): void {
    this.context.boards.setReadOnlyReason(Status.ReadOnly)
    this.waiting = true
    this.tellRooms()
  }

  private saveReadOnly(): void {
    if (this.keepsState) {
      this.readOnly = ReadOnlyEntry.Done
      return this.goOn()
    }
    this.readOnly = ReadOnlyEntry.Writing
    this.writer.write(VolumeState.ReadOnly)
  }
}

function roomOf(which: Room): AdministeredRoom {
  const room = ROOMS.get(which)
  assert(room !== undefined, 'a step visits a room that takes part')
  return room
}
