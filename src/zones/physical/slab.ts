/**
 * A slab: a run of data blocks with their reference counts and the journal of their changes. It belongs to one
 * physical zone for as long as the volume is open, and only that zone's thread touches it.
 *
 * A slab whose counts are in memory is *rebuilt*. Before that it gives no block and shares none, but changes to its
 * counts may arrive: they go to its journal only, and the scrubber applies them when it comes to the slab. While it
 * is at work on the slab, changes wait.
 */
import type { Pbn } from '../../base/ids.js'
import type { Status } from '../../base/status.js'
import type { WaitQueues } from '../../base/wait-queue.js'
import type { ZoneJournalLocks } from '../../vio/journal-locks.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import type { DirtyJournals } from './dirty-journals.js'
import type { MetadataVios } from './metadata-vios.js'
import type { PbnLocks } from './pbn-locks.js'
import { ReferenceCounts } from './reference-counts.js'
import { SlabJournal } from './slab-journal.js'
import { SlabStatus } from './slab-status.js'
import type { SlabSummary } from './slab-summary.js'

/** What a slab and its parts need of their zone. */
export interface SlabKeeper {
  readonly context: ZoneContext
  readonly locks: PbnLocks
  readonly vios: MetadataVios
  readonly summary: SlabSummary
  readonly journalLocks: ZoneJournalLocks
  readonly dirtyJournals: DirtyJournals
  /** Changes that wait for a slab journal: a queue a slab, a row `vio * 2` for increments, one more for decrements. */
  readonly entries: WaitQueues
  /** No metadata is written any more. */
  readonly isReadOnly: boolean
  /** Neither loading nor draining: journals may be reaped. */
  readonly isNormal: boolean
  /** Whether a waiting increment is that of a tree page. */
  isTreeEntry(row: number): boolean
  /** A change is journaled and counted, or failed. */
  entryDone(row: number, status: Status): void
  /** The slab has `delta` more free blocks. */
  freeChanged(slab: Slab, delta: number): void
  /** A slab journal may have room for entries of a crash (see replayer.ts). */
  roomMade(): void
  /** The slab cannot take entries before it is scrubbed. */
  promote(slab: Slab): void
  /** Something that a drain or the scrubber may wait for has come to an end. */
  settled(slab: Slab): void
  /** A fatal error: the volume becomes read-only. */
  fail(status: Status): void
}

export class Slab {
  readonly journal: SlabJournal
  readonly counts: ReferenceCounts
  status = SlabStatus.Rebuilt
  /** Where it stands in the allocator's priority table. */
  priority = -1
  /** The zone drains and this slab is not done. */
  isDraining = false

  constructor(
    private readonly keeper: SlabKeeper,
    /** Among all slabs of the volume, and among those of the zone. */
    readonly number: number,
    readonly local: number,
    readonly origin: Pbn,
  ) {
    this.counts = new ReferenceCounts(keeper, this)
    this.journal = new SlabJournal(keeper, this)
  }

  get isRebuilt(): boolean {
    return this.status === SlabStatus.Rebuilt
  }

  /** Whether nothing of the slab is on its way to or from the disk. */
  get isQuiet(): boolean {
    return this.journal.isQuiet && this.counts.isQuiet
  }

  /**
   * Takes the next step towards a slab with nothing to write, the journal first: its tail, and then (`withCounts`)
   * every dirty reference block, and then a summary entry that says so. True when it is there. To be called again
   * each time that something settles.
   */
  saveStep(withCounts: boolean): boolean {
    const { journal, counts, keeper } = this
    journal.commitTail()
    if (!journal.isQuiet) return false
    if (withCounts && !keeper.isReadOnly) {
      counts.writeAll()
      // A tail that was summarised after the last reference block left the entry dirty.
      if (counts.isQuiet && keeper.summary.isDirty(this)) counts.summarizeClean()
    }
    return this.isQuiet
  }
}
