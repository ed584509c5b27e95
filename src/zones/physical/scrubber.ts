/**
 * Brings the slabs of a zone into memory. First the newest journal block of every slab that was ever used is read,
 * many at a time. A slab that was never used needs nothing more. The others are scrubbed one after another:
 *
 * 1. *settling*: entries made meanwhile are written, so that they are found; new ones wait;
 * 2. *counting*: its reference blocks are read, if any were ever written;
 * 3. *replaying*: if the counts may lack something, the slab journal is read and applied from its head, each entry
 *    to a counter whose sector was written before it;
 * 4. *saving*: reference blocks that changed are written (all of them if none ever was), then the summary says
 *    that the slab is clean.
 *
 * Slabs whose journals are nearly full come first, and after a clean shutdown those that are clean; the zone is
 * *online* when they are done, and takes work while the rest follow in the background. A slab that runs out of room
 * for entries jumps the queue. Vios that found no block in the zone may wait for the next slab.
 */
import { assert } from '../../base/assert.js'
import { NO_VIO, pbn, type SequenceNumber, type VioIndex } from '../../base/ids.js'
import { IntrusiveLists, NO_ENTRY } from '../../base/intrusive-list.js'
import { Status } from '../../base/status.js'
import { SECTORS_PER_BLOCK } from '../../format/constants.js'
import { referenceBlockOf, referenceSectorOf } from '../../format/reference-block.js'
import {
  isSlabJournalBlock,
  isSlabJournalIncrement,
  isSlabJournalMapIncrement,
  readSlabJournalEntryCount,
  readSlabJournalEntrySbn,
  readSlabJournalSequence,
} from '../../format/slab-journal-block.js'
import { Mark } from '../../vio/marks.js'
import { BioOp, hop, PhysicalOp } from '../../vio/opcodes.js'
import { IoKind } from '../../vio/vio-table.js'
import { LoadKind } from '../../vio/volume.js'
import { VioUse } from './metadata-vios.js'
import { Change } from './reference-counts.js'
import type { Slab, SlabKeeper } from './slab.js'
import { SlabStatus } from './slab-status.js'

enum Phase {
  Idle = 0,
  /** Reading the newest journal block of each slab. */
  Heads = 1,
  Settling = 2,
  Counting = 3,
  Replaying = 4,
  Saving = 5,
}

enum Queue {
  High = 0,
  Normal = 1,
}

/** The most blocks that the scrubber reads at a time. */
const MAX_READS = 32

/** What the scrubber needs of its zone. */
export interface ScrubberKeeper extends SlabKeeper {
  /** The slab's counts are in memory and on disk. */
  slabReady(slab: Slab): void
  /** Those who wait for a slab may try again. */
  slabScrubbed(): void
  /** Whether the zone has no block to give. */
  readonly isFull: boolean
  /** The newest block of every slab journal is known, or not (status). Once. */
  tailsFound(status: Status): void
  /** The zone can take work, or cannot (status). Once. */
  online(status: Status): void
  /** A stop that was asked for is complete. */
  scrubberStopped(): void
}

export class Scrubber {
  private phase = Phase.Idle
  private slab: Slab | null = null
  private readonly queues: IntrusiveLists
  /** Whether the keeper knows; nobody waits before the start. */
  private isOnline = true
  private isStopping = false
  private isChecking = false

  /** Slabs whose newest journal block is not known yet. */
  private headsLeft = 0
  /** Reading: the next slab, block or sequence number, the end of them, and reads under way. */
  private next = 0
  private end = 0
  private reading = 0
  private readonly readLimit: number

  /** Replay reads a window of blocks, from `windowStart` to `end`, and applies them when it has them all. */
  private windowStart: SequenceNumber = 0
  private lastIndex = 0
  private readonly window: Int32Array
  /** Commit points of the slab's sectors, as loaded. */
  private readonly pointSequences: Float64Array
  private readonly pointIndices: Uint16Array

  constructor(
    private readonly keeper: ScrubberKeeper,
    private readonly slabs: readonly Slab[],
  ) {
    const { slabReferenceBlocks } = keeper.context.volume
    this.queues = new IntrusiveLists(slabs.length, 2)
    this.readLimit = Math.max(1, Math.min(MAX_READS, Math.floor(keeper.vios.count / 2)))
    this.window = new Int32Array(this.readLimit).fill(NO_VIO)
    this.pointSequences = new Float64Array(slabReferenceBlocks * SECTORS_PER_BLOCK)
    this.pointIndices = new Uint16Array(slabReferenceBlocks * SECTORS_PER_BLOCK)
  }

  /** Whether more slabs may become available. */
  get isWorking(): boolean {
    return this.phase !== Phase.Idle || !this.queues.isEmpty(Queue.High) || !this.queues.isEmpty(Queue.Normal)
  }

  /** The slab that is being scrubbed. */
  get current(): Slab | null {
    return this.slab
  }

  /** Reads the newest journal block of every slab in use; the summary is in memory. The keeper will hear. */
  findTails(): void {
    this.phase = Phase.Heads
    for (const slab of this.slabs) {
      if (!this.isUsed(slab)) continue
      slab.status = SlabStatus.RequiresScrubbing
      this.headsLeft++
    }
    this.next = 0
    if (this.headsLeft === 0) this.tailsFound(Status.Success)
    else this.readHeads()
  }

  /** Begins with the zone's slabs, whose journals' ends are known. */
  start(): void {
    this.isOnline = false
    this.sort()
  }

  /** Finishes the slab at hand, then stops. True if there is nothing to finish; else the keeper will hear. */
  stop(): boolean {
    this.isStopping = this.phase !== Phase.Idle
    if (this.isStopping) this.keeper.context.counters[Mark.ScrubberStopped]++
    return !this.isStopping
  }

  resume(): void {
    this.nextSlab()
  }

  /** Entries for the slab wait: it goes first. */
  promote(slab: Slab): void {
    if (slab.status !== SlabStatus.RequiresScrubbing) return
    slab.status = SlabStatus.RequiresHighPriorityScrubbing
    this.queues.moveToTail(Queue.High, slab.local)
  }

  /** Something of the slab at hand has come to an end. */
  check(): void {
    // A step may settle something at once and so come here again: the loop sees that.
    if (this.isChecking) return
    this.isChecking = true
    while (this.step());
    this.isChecking = false
  }

  /** A vio to read with. */
  granted(slab: Slab, vio: VioIndex): void {
    const { keeper } = this
    if (keeper.isReadOnly) {
      keeper.vios.release(vio)
      this.abandonIfReadOnly()
      return
    }
    const { zone } = keeper.context
    this.reading++
    if (this.phase === Phase.Heads) {
      const newest = keeper.summary.tail(slab) - 1 + keeper.context.volume.slabJournalBlocks
      this.read(vio, slab.journal.blockPbn(newest), hop(PhysicalOp.SlabJournalRead, zone))
      this.readHeads()
      return
    }
    assert(slab === this.slab && this.next < this.end, 'the scrubber reads for the slab at hand')
    const at = this.next++
    keeper.vios.assign(vio, at)
    if (this.phase === Phase.Counting) {
      const block = slab.origin + keeper.context.volume.slabDataBlocks + at
      this.read(vio, block, hop(PhysicalOp.ReferencesRead, zone))
    } else {
      assert(this.phase === Phase.Replaying, 'the scrubber reads in four phases')
      this.window[at - this.windowStart] = vio
      this.read(vio, slab.journal.blockPbn(at), hop(PhysicalOp.SlabJournalRead, zone))
    }
    this.readMore(slab)
  }

  referencesRead(vio: VioIndex): void {
    const { keeper, slab } = this
    this.reading--
    if (this.isReadable(vio)) {
      assert(slab !== null && this.phase === Phase.Counting, 'reference blocks are read to be counted')
      const buffer = keeper.context.vios.bufferAt(vio)
      slab.counts.load(keeper.vios.blockOf(vio), buffer, this.pointSequences, this.pointIndices)
      keeper.vios.release(vio)
      if (this.next < this.end) this.readMore(slab)
      else if (this.reading === 0) this.replay(slab)
    } else {
      keeper.vios.release(vio)
      this.abandonIfReadOnly()
    }
  }

  journalRead(vio: VioIndex): void {
    const { keeper, slab } = this
    this.reading--
    if (!this.isReadable(vio)) {
      const held = this.window.indexOf(vio)
      if (held >= 0) this.window[held] = NO_VIO
      keeper.vios.release(vio)
      this.abandonIfReadOnly()
    } else if (this.phase === Phase.Heads) {
      this.headRead(this.slabs[keeper.vios.slabOf(vio)], vio)
    } else {
      assert(slab !== null && this.phase === Phase.Replaying, 'journal blocks are read to be replayed')
      if (this.reading === 0 && this.next === this.end) this.applyWindow(slab)
    }
  }

  /** The volume is read-only: what is under way ends, nothing follows. */
  abandonIfReadOnly(): void {
    if (!this.keeper.isReadOnly || this.reading > 0) return
    for (let i = 0; i < this.window.length; i++) this.releaseWindow(i)
    if (this.phase === Phase.Heads) {
      this.tailsFound(Status.ReadOnly)
      return
    }
    if (this.slab !== null) this.keeper.context.counters[Mark.ScrubAbandoned]++
    this.phase = Phase.Idle
    this.slab = null
    this.nextSlab()
  }

  // The newest blocks

  private readHeads(): void {
    const { keeper, slabs } = this
    while (this.next < slabs.length && slabs[this.next].isRebuilt) this.next++
    if (this.next < slabs.length && this.reading < this.readLimit) {
      keeper.vios.request(slabs[this.next++].local, VioUse.Scrub)
    }
  }

  private headRead(slab: Slab, vio: VioIndex): void {
    const { keeper } = this
    const { vios, arena } = keeper.context
    const isGood = slab.journal.load(arena, vios.bufferAt(vio), keeper.summary.isDirty(slab))
    keeper.vios.release(vio)
    if (!isGood) this.fail(Status.JournalOrder)
    else if (--this.headsLeft === 0) this.tailsFound(Status.Success)
    else this.readHeads()
  }

  private tailsFound(status: Status): void {
    this.phase = Phase.Idle
    this.keeper.tailsFound(status)
  }

  private isUsed(slab: Slab): boolean {
    const { summary } = this.keeper
    return summary.isDirty(slab) || summary.hasCounts(slab)
  }

  /** Puts the slabs in the order of their scrubbing: clean before dirty, emptier before fuller. */
  private sort(): void {
    const { keeper, slabs, queues } = this
    const { summary } = keeper
    const { boards, volume } = keeper.context
    const used: Slab[] = []
    for (const slab of slabs) {
      if (slab.isRebuilt) keeper.slabReady(slab)
      else used.push(slab)
    }
    boards.addUnscrubbed(used.length)
    const isRecovery = volume.load === LoadKind.Recovery
    const rank = (slab: Slab) => (summary.isDirty(slab) ? 64 : 0) - summary.hint(slab)
    used.sort((a, b) => rank(a) - rank(b) || a.number - b.number)
    for (const slab of used) {
      queues.append(Queue.Normal, slab.local)
      const isQuick = !summary.isDirty(slab) && !isRecovery
      if (isQuick || slab.journal.requiresScrubbing) this.promote(slab)
    }
    if (keeper.isFull && queues.isEmpty(Queue.High) && used.length > 0) this.promote(used[0])
    this.phase = Phase.Idle
    this.nextSlab()
  }

  // One slab

  private nextSlab(): void {
    const { keeper, queues } = this
    if (keeper.isReadOnly) {
      this.goOnline(Status.ReadOnly)
    } else if (!this.isStopping) {
      let local = queues.shift(Queue.High)
      if (local === NO_ENTRY) {
        this.goOnline(Status.Success)
        local = queues.shift(Queue.Normal)
      }
      if (local !== NO_ENTRY) this.begin(this.slabs[local])
    }
    if (this.isStopping && this.phase === Phase.Idle) {
      this.isStopping = false
      keeper.scrubberStopped()
    }
  }

  private goOnline(status: Status): void {
    if (this.isOnline) return
    this.isOnline = true
    this.keeper.online(status)
  }

  /** Goes on if what the scrubber waited for is there. */
  private step(): boolean {
    const { slab } = this
    if (slab === null || this.keeper.isReadOnly) return false
    if (this.phase === Phase.Settling && slab.isQuiet) {
      this.readCounts(slab)
      return true
    }
    if (this.phase === Phase.Saving && slab.saveStep(true)) {
      this.finish(slab)
      return true
    }
    return false
  }

  private begin(slab: Slab): void {
    this.slab = slab
    this.phase = Phase.Settling
    slab.status = SlabStatus.Rebuilding
    slab.journal.commitTail()
    this.check()
  }

  private readCounts(slab: Slab): void {
    slab.counts.create()
    this.pointSequences.fill(0)
    this.pointIndices.fill(0)
    if (!this.keeper.summary.hasCounts(slab)) {
      this.replay(slab)
      return
    }
    this.phase = Phase.Counting
    this.next = 0
    this.end = slab.counts.blocks
    this.readMore(slab)
  }

  private replay(slab: Slab): void {
    const { journal } = slab
    if (!this.keeper.summary.isDirty(slab)) {
      this.finish(slab)
    } else if (journal.isEmpty) {
      this.save(slab)
    } else {
      this.phase = Phase.Replaying
      this.startWindow(slab, journal.head)
    }
  }

  private startWindow(slab: Slab, sequence: SequenceNumber): void {
    this.windowStart = sequence
    this.next = sequence
    this.end = Math.min(slab.journal.tail, sequence + this.readLimit)
    this.readMore(slab)
  }

  private applyWindow(slab: Slab): void {
    const { vios, counters } = this.keeper.context
    for (let sequence = this.windowStart; sequence < this.end; sequence++) {
      const at = sequence - this.windowStart
      const status = this.apply(slab, sequence, vios.bufferAt(this.window[at] as VioIndex))
      this.releaseWindow(at)
      if (status !== Status.Success) {
        this.fail(status)
        return
      }
    }
    if (this.end < slab.journal.tail) {
      counters[Mark.ReplayInWindows]++
      this.startWindow(slab, this.end)
    } else if (slab.counts.isNewerThan(this.end - 1, this.lastIndex)) {
      this.fail(Status.ReferenceCountInvalid)
    } else {
      slab.counts.setPoint(this.end - 1, this.lastIndex)
      this.save(slab)
    }
  }

  /** Applies the entries of one journal block to the counters that lack them. */
  private apply(slab: Slab, sequence: SequenceNumber, at: number): Status {
    const { arena, volume, counters } = this.keeper.context
    if (
      !isSlabJournalBlock(arena, at, volume.nonceLow, volume.nonceHigh) ||
      readSlabJournalSequence(arena, at) !== sequence
    ) {
      return Status.JournalOrder
    }
    const entries = readSlabJournalEntryCount(arena, at)
    this.lastIndex = Math.max(0, entries - 1)
    for (let index = 0; index < entries; index++) {
      const sbn = readSlabJournalEntrySbn(arena, at, index)
      if (sbn >= volume.slabDataBlocks) return Status.JournalOrder
      const sector = referenceBlockOf(sbn) * SECTORS_PER_BLOCK + referenceSectorOf(sbn)
      const committed = this.pointSequences[sector]
      if (committed > sequence || (committed === sequence && this.pointIndices[sector] >= index)) {
        counters[Mark.EntryKnownToCounts]++
        continue
      }
      const isMap = isSlabJournalMapIncrement(arena, at, index)
      const isIncrement = isSlabJournalIncrement(arena, at, index)
      const change = isMap ? Change.MapIncrement : isIncrement ? Change.Increment : Change.Decrement
      if (!slab.counts.replay(change, sbn)) return Status.ReferenceCountInvalid
    }
    return Status.Success
  }

  private save(slab: Slab): void {
    if (!this.keeper.summary.hasCounts(slab)) slab.counts.dirtyAll()
    this.phase = Phase.Saving
    this.check()
  }

  private finish(slab: Slab): void {
    this.phase = Phase.Idle
    this.slab = null
    slab.status = SlabStatus.Rebuilt
    this.keeper.context.boards.addUnscrubbed(-1)
    this.keeper.slabReady(slab)
    slab.journal.reopen()
    this.keeper.slabScrubbed()
    this.nextSlab()
  }

  // Reading

  private readMore(slab: Slab): void {
    if (this.next < this.end && this.reading < this.readLimit) {
      this.keeper.vios.request(slab.local, VioUse.Scrub)
    }
  }

  private read(vio: VioIndex, block: number, back: number): void {
    const { vios, placement, post } = this.keeper.context
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Metadata, pbn(block), vios.bufferAt(vio), 0, back)
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
  }

  /** Whether a read went well; if not, the volume is read-only from now on. */
  private isReadable(vio: VioIndex): boolean {
    const status = this.keeper.context.vios.status[vio]
    if (status !== Status.Success) this.keeper.fail(status)
    return !this.keeper.isReadOnly
  }

  private releaseWindow(at: number): void {
    const vio = this.window[at]
    this.window[at] = NO_VIO
    if (vio !== NO_VIO) this.keeper.vios.release(vio as VioIndex)
  }

  private fail(status: Status): void {
    this.keeper.fail(status)
    this.abandonIfReadOnly()
  }
}
