/**
 * The repair zone: what a volume that was not closed needs before it can be loaded. The admin zone asks it for one step
 * after another, between steps of the rooms that do the writing:
 *
 * | step        | repair                                               | then                                   |
 * |-------------|------------------------------------------------------|----------------------------------------|
 * | Recover     | reads the journal, finds its extent, patches the map | logical zones write what was patched   |
 * | ReplaySlabs | sends the journal past the physical zones            | they write slab journals and summary   |
 * | Restart     | says where the journal goes on                       | the super block says so                |
 *
 * Up to the super block nothing of the journal is touched, and each step gives the same on what it gave before: a
 * recovery that is cut short is begun again. It owns its vios and a copy of the journal for as long as that takes.
 */
import { assert, unreachable } from '../base/assert.js'
import type { VioIndex } from '../base/ids.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { Zone } from '../reactor/zone.js'
import { RepairOp, RepairStep } from '../vio/opcodes.js'
import { enterReadOnly, phaseDone, type ZoneContext } from '../vio/zone-context.js'
import { replayableMappings } from './journal-mappings.js'
import { findExtent, JournalDefect, type JournalExtent, type JournalRing } from './journal-ring.js'
import { RepairCrew } from './repair-work.js'
import { EntryReplaying, JournalReading, MapPatching } from './replay-works.js'

export class RepairZone implements Zone {
  private readonly crew: RepairCrew
  private ring: JournalRing | null = null
  private extent: JournalExtent | null = null

  constructor(private readonly context: ZoneContext) {
    this.crew = new RepairCrew(context)
  }

  receive(op: RepairOp, operand: number): void {
    switch (op) {
      case RepairOp.JournalRead:
      case RepairOp.PagePatched:
      case RepairOp.EntriesReplayed:
        return this.crew.returned(operand as VioIndex)
      case RepairOp.Administer:
        return this.administer(operand)
      default:
        return unreachable('the repair zone knows its messages', op)
    }
  }

  private administer(step: RepairStep): void {
    switch (step) {
      case RepairStep.Recover:
        return this.readJournal()
      case RepairStep.ReplaySlabs:
        return this.replaySlabs()
      case RepairStep.Restart:
        return this.restart()
      default:
        return unreachable('the repair zone knows its steps', step)
    }
  }

  private readJournal(): void {
    const { context } = this
    const { placement, shape, volume } = context
    assert(this.ring === null, 'a volume is repaired once')
    const ring: JournalRing = {
      bytes: new Uint8Array(volume.journalBlocks * BLOCK_SIZE),
      blocks: volume.journalBlocks,
      start: volume.journalStart,
      nonceLow: volume.nonceLow,
      nonceHigh: volume.nonceHigh,
      recoveryCount: volume.recoveryCount,
      entriesPerBlock: shape.journalEntriesPerBlock,
      physicalBlocks: volume.physicalBlocks,
      isDataBlock: (pbn) => placement.isDataBlock(pbn),
    }
    this.ring = ring
    this.crew.start(new JournalReading(context, ring.bytes), (status) => {
      if (status === Status.Success) this.patchMap(ring)
      else this.fail(status)
    })
  }

  private patchMap(ring: JournalRing): void {
    const verdict = findExtent(ring)
    if ('defect' in verdict) {
      // The version that wrote an old journal can recover it, so nothing is said on the disk.
      if (verdict.defect === JournalDefect.Legacy) return phaseDone(this.context, Status.UnsupportedVersion)
      return this.fail(Status.CorruptJournal)
    }
    const { extent } = verdict
    this.extent = extent
    if (!extent.isFound) return phaseDone(this.context, Status.Success)
    const work = new MapPatching(this.context, replayableMappings(ring, extent))
    this.crew.start(work, (status) => this.stepDone(status))
  }

  private replaySlabs(): void {
    const { ring, extent } = this
    assert(ring !== null && extent !== null, 'slab journals are filled up after the map')
    if (!extent.isFound) return phaseDone(this.context, Status.Success)
    this.crew.start(new EntryReplaying(this.context, ring, extent), (status) => this.stepDone(status))
  }

  /** A block that was dropped behind a hole keeps its number: nothing else may ever carry it. */
  private restart(): void {
    const { extent } = this
    const { boards, volume } = this.context
    assert(extent !== null, 'the journal goes on after it was replayed')
    boards.journalNext = extent.highest + 1
    boards.logicalBlocksUsed = extent.usage?.logicalBlocksUsed ?? volume.logicalBlocksUsed
    boards.blockMapDataBlocks = extent.usage?.blockMapDataBlocks ?? volume.blockMapDataBlocks
    boards.completeRecoveries = volume.completeRecoveries + 1
    this.ring = null
    this.extent = null
    phaseDone(this.context, Status.Success)
  }

  private stepDone(status: Status): void {
    if (status === Status.Success) phaseDone(this.context, status)
    else this.fail(status)
  }

  private fail(status: Status): void {
    enterReadOnly(this.context, status)
    phaseDone(this.context, status)
  }
}
