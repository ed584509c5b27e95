/** Which counter an I/O moves: by what it is for and what it does. */
import { Counter } from '../../vio/counters.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'

/** The counters of one kind of I/O; null where nothing is reported. */
interface KindCounters {
  readonly read: Counter | null
  readonly write: Counter | null
  readonly completedRead: Counter | null
  readonly completedWrite: Counter | null
  /** Storage flushes of their own, and those that go before a write. */
  readonly flush: Counter | null
  readonly fua: Counter | null
}

const DATA: KindCounters = {
  read: Counter.BiosOutRead,
  write: Counter.BiosOutWrite,
  completedRead: Counter.BiosOutCompletedRead,
  completedWrite: Counter.BiosOutCompletedWrite,
  flush: Counter.FlushOut,
  fua: null,
}

const COUNTERS: Readonly<Record<IoKind, KindCounters>> = {
  [IoKind.Data]: DATA,
  [IoKind.Compressed]: DATA,
  [IoKind.PageCache]: {
    read: Counter.BiosPageCacheRead,
    write: Counter.BiosPageCacheWrite,
    completedRead: null,
    completedWrite: null,
    flush: Counter.BiosPageCacheFlush,
    fua: null,
  },
  [IoKind.Metadata]: {
    read: Counter.BiosMetaRead,
    write: Counter.BiosMetaWrite,
    completedRead: null,
    completedWrite: null,
    flush: Counter.BiosMetaFlush,
    fua: Counter.BiosMetaFua,
  },
  [IoKind.Journal]: {
    // The running journal never reads; whoever reads it (recovery) reads metadata.
    read: Counter.BiosMetaRead,
    write: Counter.BiosJournalWrite,
    completedRead: null,
    completedWrite: null,
    flush: Counter.BiosJournalFlush,
    fua: Counter.BiosJournalFua,
  },
}

export class BioCounters {
  constructor(private readonly row: Float64Array) {}

  reads(kind: IoKind): void {
    this.add(COUNTERS[kind].read)
  }

  writes(kind: IoKind, flags: number): void {
    const of = COUNTERS[kind]
    this.add(of.write)
    if ((flags & IoFlag.Preflush) !== 0) this.add(of.flush)
    if ((flags & IoFlag.Fua) !== 0) this.add(of.fua)
  }

  flushes(kind: IoKind): void {
    this.add(COUNTERS[kind].flush)
  }

  hasRead(kind: IoKind): void {
    this.add(COUNTERS[kind].completedRead)
  }

  hasWritten(kind: IoKind): void {
    this.add(COUNTERS[kind].completedWrite)
  }

  private add(counter: Counter | null): void {
    if (counter !== null) this.row[counter]++
  }
}
