/**
 * The recovery journal: every change of the block map is an entry here, durable before anything else shows it. One
 * zone, on its own thread or with others.
 *
 * ```
 * append:   the entry gets a place in the active block, or waits for room
 * end of the pass, when no write is under way: all full blocks are written; if there is none, the active block
 * written:  entries go on to be counted, strictly in journal order; a full block makes room in memory
 * a lock is gone:  the heads move over what nobody needs, after a storage flush; that makes room in the ring
 * ```
 *
 * So entries that come while a write is under way share the next one. Want of room only makes entries wait; room
 * comes back because pages age (at most half a ring), because slab journal tails are committed once they hold two
 * thirds of it, and because neither needs the journal to make progress.
 *
 * The journal is the one writer of the usage counters, the era and the wanted lock on the boards.
 */
import { assert, unreachable } from '../../base/assert.js'
import type { Pbn, VioIndex } from '../../base/ids.js'
import { NO_VIO, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { MAXIMUM_SEQUENCE } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { AdminCommand, AdminOp, BioOp, hop, JournalOp, LogicalOp, PhysicalOp } from '../../vio/opcodes.js'
import { IoFlag, IoKind, MappingState } from '../../vio/vio-table.js'
import {
  afterIncrement,
  afterTreeIncrement,
  toDecrement,
  toIncrement,
  treeToIncrement,
} from '../../vio/write-path.js'
import { enterReadOnly, phaseDone, type ZoneContext } from '../../vio/zone-context.js'
import { JournalRing } from './journal-ring.js'
import { NO_SLOT, type Slot, TailBlocks } from './tail-blocks.js'

enum JournalState {
  /** Not loaded, suspended or saved. */
  Quiescent = 0,
  Running,
  Draining,
}

export class JournalZone implements Zone {
  private readonly ring: JournalRing
  private readonly tail: TailBlocks
  private readonly flushVio: VioIndex
  private state = JournalState.Quiescent
  /** The drain under way, or the last one, saves: the journal starts afresh when it is resumed. */
  private saving = false
  private readOnly = false
  /** Blocks being written. */
  private writes = 0
  /** The flush before the heads move is under way. */
  private reaping = false
  /** Entries wait for room in the ring. */
  private starved = false
  /** What to tell at the end of the pass. */
  private eraAdvanced = false
  private commitsDue = false

  constructor(private readonly context: ZoneContext) {
    const { boards, journalLocks, pools, shape, volume } = context
    const { journalBlocks, journalStart } = volume
    this.tail = new TailBlocks(context)
    this.ring = new JournalRing(
      journalLocks,
      journalBlocks,
      this.tail.capacity,
      shape.journalTailBlocks,
      journalStart,
    )
    this.flushVio = (pools.journal.first + pools.journal.count - 1) as VioIndex
    boards.logicalBlocksUsed = volume.logicalBlocksUsed
    boards.blockMapDataBlocks = volume.blockMapDataBlocks
    boards.completeRecoveries = volume.completeRecoveries
    boards.readOnlyRecoveries = volume.readOnlyRecoveries
    boards.journalNext = journalStart
    boards.era = journalStart
  }

  receive(op: JournalOp, operand: number): void {
    switch (op) {
      case JournalOp.Append:
        return this.append(operand as VioIndex, false)
      case JournalOp.AppendTree:
        return this.append(operand as VioIndex, true)
      case JournalOp.Written:
        return this.written(operand as VioIndex)
      case JournalOp.Flushed:
        return this.flushed()
      case JournalOp.LocksReleased:
        return this.locksReleased()
      case JournalOp.Administer:
        return this.administer(operand)
      case JournalOp.EnterReadOnly:
        return this.enterReadOnly()
      default:
        return unreachable('the journal knows its messages', op)
    }
  }

  endPass(): void {
    this.startWrites()
    if (this.eraAdvanced) {
      this.eraAdvanced = false
      for (let zone = 0; zone < this.context.counts.logical; zone++) {
        this.context.post.send(hop(LogicalOp.AdvanceEra, zone), 0)
      }
    }
    if (this.commitsDue) {
      this.commitsDue = false
      this.requestCommits()
    }
  }

  // Entries

  private append(vio: VioIndex, isTree: boolean): void {
    assert(this.state === JournalState.Running, 'nothing is journaled before the load or after the drain')
    if (this.readOnly || this.context.vios.status[vio] !== Status.Success) {
      return this.refuse(vio, isTree)
    }
    this.tail.queue(vio, isTree)
    this.assignEntries()
  }

  private assignEntries(): void {
    while (this.tail.hasUnassigned && this.findRoom()) this.assign(this.tail.takeUnassigned())
  }

  /** Sees to it that the active block can take an entry; opens the next one if need be. */
  private findRoom(): boolean {
    const { ring, tail } = this
    if (this.readOnly) return false
    if (ring.availableEntries === 0) return this.starve()
    if (tail.active !== NO_SLOT) return true
    if (!tail.hasFree) {
      this.context.counters[Mark.JournalTailBusy]++
      return false
    }
    if (!ring.hasBlock) return this.starve()
    if (ring.tail > MAXIMUM_SEQUENCE) {
      this.fail(Status.SequenceExhausted)
      return false
    }
    this.openBlock()
    return true
  }

  private starve(): false {
    if (!this.starved) {
      this.starved = true
      this.context.counters[Counter.JournalDiskFull]++
    }
    return false
  }

  private openBlock(): void {
    const { boards, counters } = this.context
    const sequence = this.ring.open()
    this.tail.open(sequence)
    if (this.ring.position(sequence) === 0) counters[Mark.JournalWraps]++
    boards.era = sequence
    this.eraAdvanced = true
    this.commitsDue = true
  }

  private assign(vio: VioIndex): void {
    const { counters } = this.context
    const slot = this.tail.active
    // As the kernel counts: each time that a block has something to write again.
    if (!this.tail.hasUnwritten(slot)) counters[Counter.JournalBlocksStarted]++
    this.tail.assign(slot, vio)
    this.ring.availableEntries--
    this.starved = false
    this.countUsage(vio)
    counters[Counter.JournalEntriesStarted]++
  }

  /** Usage changes with the entry, in journal order, so that each block's header continues the one before. */
  private countUsage(vio: VioIndex): void {
    const { boards, vios } = this.context
    if (this.tail.isTreeEntry(vio)) {
      boards.blockMapDataBlocks++
      return
    }
    if (vios.newState[vio] !== MappingState.Unmapped) boards.logicalBlocksUsed++
    if (vios.mappedState[vio] !== MappingState.Unmapped) boards.logicalBlocksUsed--
  }

  // Writes

  /** None while one is under way. Full blocks first; the active one only if there are none. */
  private startWrites(): void {
    const { tail } = this
    if (this.writes > 0 || this.readOnly) return
    for (let i = 0; i < tail.count; i++) {
      const slot = tail.slot(i)
      if (tail.isFull(slot) && tail.hasUnwritten(slot)) this.startWrite(slot)
    }
    if (this.writes > 0) return
    const slot = tail.active
    if (slot !== NO_SLOT && tail.hasUnwritten(slot)) this.startWrite(slot)
  }

  private startWrite(slot: Slot): void {
    const { counters, placement, post, vios, volume } = this.context
    const { ring, tail } = this
    const sequence = tail.sequence(slot)
    const vio = tail.vio(slot)
    assert(sequence - ring.head < volume.journalBlocks, 'a block that is needed is not overwritten')
    counters[Counter.JournalEntriesWritten] += tail.startWrite(slot, ring.blockMapHead, ring.slabJournalHead)
    counters[Counter.JournalBlocksWritten]++
    this.writes++
    const pbn = (volume.journalOrigin + ring.position(sequence)) as Pbn
    vios.status[vio] = Status.Success
    vios.aim(
      vio,
      IoKind.Journal,
      pbn,
      vios.bufferAt(vio),
      IoFlag.Preflush | IoFlag.Fua,
      hop(JournalOp.Written, 0),
    )
    post.send(hop(BioOp.Write, placement.writer), vio)
  }

  private written(vio: VioIndex): void {
    const { counters, vios } = this.context
    const slot = this.tail.slotOf(vio)
    const carried = this.tail.endWrite(slot)
    this.writes--
    if (vios.status[vio] === Status.Success) {
      counters[Counter.JournalBlocksCommitted]++
      counters[Counter.JournalEntriesCommitted] += carried
      this.ring.written(this.tail.sequence(slot))
    } else {
      this.fail(vios.status[vio])
    }
    this.release()
    if (this.starved) this.reap()
    this.assignEntries()
    this.checkDrained()
  }

  /** Lets entries go on, and blocks leave, from the oldest block to the first that is still being written. */
  private release(): void {
    const { tail } = this
    while (tail.count > 0) {
      const slot = tail.slot(0)
      if (tail.isWriting(slot)) return
      this.releaseEntries(slot)
      if (!this.readOnly && !(tail.isFull(slot) && tail.isDurable(slot))) return
      this.retire(slot)
    }
  }

  private releaseEntries(slot: Slot): void {
    const { tail } = this
    for (;;) {
      const vio = tail.takeWritten(slot)
      if (vio === NO_VIO) break
      if (this.readOnly) this.refuse(vio)
      else this.goOn(vio)
    }
    if (!this.readOnly) return
    for (;;) {
      const vio = tail.takeUnwritten(slot)
      if (vio === NO_VIO) break
      this.refuse(vio)
    }
  }

  private retire(slot: Slot): void {
    this.ring.close(this.tail.sequence(slot), this.tail.entryCount(slot))
    this.tail.retire()
  }

  /** The entry is durable: its blocks are counted. Both messages are made before the first is sent. */
  private goOn(vio: VioIndex): void {
    const { placement, post, vios } = this.context
    if (this.tail.isTreeEntry(vio)) return post.send(treeToIncrement(vios, placement, vio), vio)
    const increment = toIncrement(vios, placement, vio)
    if (vios.mappedPbn[vio] === ZERO_BLOCK) return post.send(increment, vio)
    const decrement = toDecrement(vios, placement, vio)
    vios.decrementStatus[vio] = Status.Success
    post.send(increment, vio)
    post.send(decrement, vio)
  }

  /** The entry will never be durable. Without a sequence the logical zone knows that nothing was journaled. */
  private refuse(vio: VioIndex, isTree = this.tail.isTreeEntry(vio)): void {
    const { placement, post, vios, counters } = this.context
    counters[Mark.JournalEntryRefused]++
    vios.fail(vio, Status.ReadOnly)
    vios.decrementStatus[vio] = Status.ReadOnly
    vios.journalSequence[vio] = 0
    post.send(isTree ? afterTreeIncrement(vios, placement, vio) : afterIncrement(vios, placement, vio), vio)
  }

  // Room in the ring

  private locksReleased(): void {
    // Seen first: a lock that goes while the heads are moved makes a notice of its own.
    const { journalLocks, counters } = this.context
    journalLocks.noticeSeen()
    if (this.state === JournalState.Quiescent) {
      counters[Mark.LocksReleasedAtRest]++
    } else {
      this.commitsDue = true
      this.reap()
    }
    this.checkDrained()
  }

  private reap(): void {
    const { placement, post, vios } = this.context
    if (this.reaping || this.readOnly || this.state === JournalState.Quiescent) return
    if (!this.ring.advanceReapHeads()) return
    this.reaping = true
    const vio = this.flushVio
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Journal, ZERO_BLOCK, vios.bufferAt(vio), 0, hop(JournalOp.Flushed, 0))
    post.send(hop(BioOp.Flush, placement.writer), vio)
  }

  private flushed(): void {
    const { counters, vios } = this.context
    assert(this.reaping, 'a flush that is done was started')
    this.reaping = false
    if (vios.status[this.flushVio] !== Status.Success) this.fail(vios.status[this.flushVio])
    if (!this.readOnly) {
      this.ring.moveHeads()
      counters[Mark.JournalReaps]++
      this.commitsDue = true
      this.assignEntries()
      this.reap()
    }
    this.checkDrained()
  }

  private requestCommits(): void {
    const { boards, counters, counts, post } = this.context
    if (this.readOnly || !this.ring.isSlabJournalHeadLagging) return
    counters[Counter.JournalCommitsRequested]++
    boards.wantedLock = this.ring.slabJournalHead
    for (let zone = 0; zone < counts.physical; zone++) post.send(hop(PhysicalOp.CommitTails, zone), 0)
  }

  // Administration

  private administer(command: AdminCommand): void {
    switch (command) {
      case AdminCommand.Load:
        return this.load()
      case AdminCommand.Suspend:
      case AdminCommand.Save:
        assert(this.state === JournalState.Running, 'only a running journal drains')
        this.state = JournalState.Draining
        this.saving = command === AdminCommand.Save
        return this.checkDrained()
      case AdminCommand.Resume:
        return this.resume()
      default:
        return unreachable('the journal knows the commands', command)
    }
  }

  /** Repair may have said where to go on. */
  private load(): void {
    assert(this.state === JournalState.Quiescent, 'a journal is loaded once')
    const { boards } = this.context
    this.ring.restart(boards.journalNext)
    boards.era = this.ring.tail
    this.state = JournalState.Running
    phaseDone(this.context, Status.Success)
  }

  private checkDrained(): void {
    if (this.state !== JournalState.Draining) return
    if (this.reaping || this.writes > 0 || this.tail.hasWaiters) return
    // A notice that is under way would find the journal still.
    if (this.context.journalLocks.noticePending) {
      this.context.counters[Mark.DrainAwaitsNotice]++
      return
    }
    if (this.saving) {
      while (this.tail.count > 0) this.retire(this.tail.slot(0))
      this.context.boards.journalNext = this.readOnly ? this.ring.head : this.ring.tail
    }
    this.state = JournalState.Quiescent
    phaseDone(this.context, Status.Success)
  }

  private resume(): void {
    assert(this.state === JournalState.Quiescent, 'only a quiescent journal is resumed')
    this.state = JournalState.Running
    if (this.saving && !this.readOnly) {
      this.ring.reset()
      this.context.boards.era = this.ring.tail
    }
    this.saving = false
    // Locks may have gone while nobody looked, and zones that rested have passed over what was asked of them.
    this.commitsDue = true
    this.reap()
    phaseDone(this.context, Status.Success)
  }

  private fail(status: Status): void {
    if (this.readOnly) return
    enterReadOnly(this.context, status)
    this.stopWriting()
  }

  private enterReadOnly(): void {
    this.stopWriting()
    this.context.boards.journalNext = this.ring.head
    this.context.post.send(hop(AdminOp.ReadOnlyEntered, 0), 0)
    this.checkDrained()
  }

  /** Everyone who waits is refused; what is being written follows when it comes back. */
  private stopWriting(): void {
    this.readOnly = true
    this.release()
    while (this.tail.hasUnassigned) this.refuse(this.tail.takeUnassigned())
  }
}
