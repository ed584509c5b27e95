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
 * A rebuild, which trusts the map alone, has other steps:
 *
 * | step        | repair                                               | then                                   |
 * |-------------|------------------------------------------------------|----------------------------------------|
 * | Recover     | patches the map with what the journal still has      | logical zones write what was patched   |
 * |             |                                                      | physical zones forget (Forget)         |
 * | Recount     | sends every page of the map past the physical zones  | pages without what cannot be (Recover) |
 * |             |                                                      | counts are written (SaveCounts)        |
 * | Restart     | says where the journal goes on                       | the super block says so                |
 *
 * Up to the super block nothing of the journal is touched, and each step gives the same on what it gave before: a
 * recovery that is cut short is begun again. It owns its vios, and a copy of the journal for as long as it is needed: up
 * to the last step that looks at it, or until the load has failed somewhere (GiveUp).
 */
import { assert, unreachable } from '../base/assert.js'
import type { SequenceNumber, VioIndex } from '../base/ids.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE, MAXIMUM_RECOVERIES, MAXIMUM_SEQUENCE } from '../format/constants.js'
import type { Zone } from '../reactor/zone.js'
import { Mark } from '../vio/marks.js'
import { RepairOp, RepairStep } from '../vio/opcodes.js'
import { isRebuild, LoadKind } from '../vio/volume.js'
import { enterReadOnly, phaseDone, type ZoneContext } from '../vio/zone-context.js'
import { replayableMappings, salvageableMappings } from './journal-mappings.js'
import {
  findExtent,
  JournalDefect,
  type JournalExtent,
  type JournalRing,
  type JournalUsage,
  reachOf,
} from './journal-ring.js'
import { LeafWalk, TreeWalk } from './recount-work.js'
import { RepairCrew } from './repair-work.js'
import { EntryReplaying, JournalReading, MapPatching } from './replay-works.js'

type OwnStep =
  | RepairStep.Recover
  | RepairStep.ReplaySlabs
  | RepairStep.Recount
  | RepairStep.Restart
  | RepairStep.GiveUp

/** What slab journals are filled up from. */
interface Replay {
  readonly ring: JournalRing
  readonly extent: JournalExtent
}

export class RepairZone implements Zone {
  private readonly crew: RepairCrew
  private replay: Replay | null = null
  /** Where the journal goes on, and what is used then. */
  private next: SequenceNumber = 0
  private usage: JournalUsage | null = null

  constructor(
    private readonly context: ZoneContext,
    /** Tells whoever runs the volume, in a sentence. */
    private readonly report: (sentence: string) => void,
  ) {
    this.crew = new RepairCrew(context)
  }

  receive(op: RepairOp, operand: number): void {
    switch (op) {
      case RepairOp.JournalRead:
      case RepairOp.PagePatched:
      case RepairOp.EntriesReplayed:
      case RepairOp.PageRead:
      case RepairOp.PageCounted:
        return this.crew.returned(operand as VioIndex)
      case RepairOp.Administer:
        return this.administer(operand)
      default:
        return unreachable('the repair zone knows its messages', op)
    }
  }

  private administer(step: OwnStep): void {
    switch (step) {
      case RepairStep.Recover:
        return this.readJournal()
      case RepairStep.ReplaySlabs:
        return this.replaySlabs()
      case RepairStep.Recount:
        return this.recount()
      case RepairStep.Restart:
        return this.restart()
      case RepairStep.GiveUp:
        return this.giveUp()
      default:
        return unreachable('the repair zone knows its steps', step)
    }
  }

  private readJournal(): void {
    const { context } = this
    const { placement, shape, volume } = context
    assert(this.next === 0, 'a volume is repaired once')
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
      isMapPage: (pbn) => placement.isMapPage(pbn),
    }
    this.crew.start(new JournalReading(context, ring.bytes), (status) => {
      if (status === Status.Success && isRebuild(volume.load)) this.salvageMap(ring)
      else if (status === Status.Success) this.patchMap(ring)
      else this.fail(status)
    })
  }

  private patchMap(ring: JournalRing): void {
    const verdict = findExtent(ring)
    if ('defect' in verdict) {
      // The version that wrote an old journal can recover it, so nothing is said on the disk.
      if (verdict.defect === JournalDefect.Legacy) return phaseDone(this.context, Status.UnsupportedVersion)
      this.report(`${verdict.sentence}; the volume becomes read-only`)
      return this.fail(Status.CorruptJournal)
    }
    const { extent } = verdict
    this.replay = { ring, extent }
    if (extent.highest > extent.tail) this.context.counters[Mark.JournalHole]++
    this.next = extent.next
    this.usage = extent.usage
    const work = new MapPatching(this.context, replayableMappings(ring, extent))
    this.crew.start(work, (status) => this.stepDone(status))
  }

  /** What the journal has of the map is taken, whatever state the journal is in. */
  private salvageMap(ring: JournalRing): void {
    const reach = reachOf(ring)
    this.next = reach.next
    const work = new MapPatching(this.context, salvageableMappings(ring, reach))
    this.crew.start(work, (status) => this.stepDone(status))
  }

  private recount(): void {
    const trees = new TreeWalk(this.context)
    this.crew.start(trees, (status) => {
      if (status !== Status.Success) return this.fail(status)
      const leaves = new LeafWalk(this.context, trees.leaves)
      this.crew.start(leaves, (end) => {
        this.usage = { logicalBlocksUsed: leaves.mappings, blockMapDataBlocks: trees.treePages }
        this.stepDone(end)
      })
    })
  }

  private replaySlabs(): void {
    const { replay } = this
    assert(replay !== null, 'slab journals are filled up after the map')
    this.replay = null
    const work = new EntryReplaying(this.context, replay.ring, replay.extent)
    this.crew.start(work, (status) => this.stepDone(status))
  }

  /** A block that was dropped behind a hole keeps its number: nothing else may ever carry it. */
  private restart(): void {
    const { boards, volume } = this.context
    assert(this.next > 0, 'the journal goes on after it was read')
    boards.journalNext = Math.min(this.next, MAXIMUM_SEQUENCE + 1)
    boards.logicalBlocksUsed = this.usage?.logicalBlocksUsed ?? volume.logicalBlocksUsed
    boards.blockMapDataBlocks = this.usage?.blockMapDataBlocks ?? volume.blockMapDataBlocks
    if (volume.load !== LoadKind.Upgrade) boards.completeRecoveries = oneMore(volume.completeRecoveries)
    if (volume.load === LoadKind.Rebuild) boards.readOnlyRecoveries = oneMore(volume.readOnlyRecoveries)
    phaseDone(this.context, Status.Success)
  }

  private giveUp(): void {
    this.replay = null
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

/** A count that only damage can have brought so far begins anew; what it is modulo 256 goes on. */
function oneMore(recoveries: number): number {
  return (recoveries + 1) % (MAXIMUM_RECOVERIES + 1)
}
