/** Which counters an I/O moves: those of the families that it belongs to, when it starts and when it is done. */
import { Counter } from '../../vio/counters.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'

/** Places within a family of counters. */
const READ = 0
const WRITE = 1
const EMPTY_FLUSH = 2
const FLUSH = 3
const FUA = 4

/** From the first counter of a family to the first of the same family's completed ones. */
const COMPLETED = Counter.BiosOutCompletedRead - Counter.BiosOutRead

const NONE = -1

/** The family of each kind, by IoKind, and the part of it that is counted beside it. VDO does not count the index. */
const FAMILIES: Readonly<Record<IoKind, Counter | typeof NONE>> = {
  [IoKind.Index]: NONE,
  [IoKind.Data]: Counter.BiosOutRead,
  [IoKind.Compressed]: Counter.BiosOutRead,
  [IoKind.PageCache]: Counter.BiosMetaRead,
  [IoKind.Metadata]: Counter.BiosMetaRead,
  [IoKind.Journal]: Counter.BiosMetaRead,
}
const PARTS: Readonly<Record<IoKind, Counter | typeof NONE>> = {
  [IoKind.Index]: NONE,
  [IoKind.Data]: NONE,
  [IoKind.Compressed]: NONE,
  [IoKind.PageCache]: Counter.BiosPageCacheRead,
  [IoKind.Metadata]: NONE,
  [IoKind.Journal]: Counter.BiosJournalRead,
}

export class BioCounters {
  constructor(private readonly row: Float64Array) {}

  reads(kind: IoKind): void {
    this.add(kind, READ)
  }

  hasRead(kind: IoKind): void {
    this.add(kind, READ + COMPLETED)
  }

  writes(kind: IoKind, flags: number): void {
    this.addWrite(kind, flags, 0)
  }

  hasWritten(kind: IoKind, flags: number): void {
    this.addWrite(kind, flags, COMPLETED)
  }

  /** A flush for users, or before a volume comes to rest, has a counter of its own. */
  flushes(kind: IoKind): void {
    if (FAMILIES[kind] === Counter.BiosOutRead) this.row[Counter.FlushOut]++
    else this.addFlush(kind, 0)
  }

  hasFlushed(kind: IoKind): void {
    if (FAMILIES[kind] !== Counter.BiosOutRead) this.addFlush(kind, COMPLETED)
  }

  private addWrite(kind: IoKind, flags: number, stage: number): void {
    this.add(kind, WRITE + stage)
    if ((flags & IoFlag.Preflush) !== 0) this.add(kind, FLUSH + stage)
    if ((flags & IoFlag.Fua) !== 0) this.add(kind, FUA + stage)
  }

  private addFlush(kind: IoKind, stage: number): void {
    this.add(kind, EMPTY_FLUSH + stage)
    this.add(kind, FLUSH + stage)
  }

  private add(kind: IoKind, place: number): void {
    const family = FAMILIES[kind]
    if (family !== NONE) this.row[family + place]++
    const part = PARTS[kind]
    if (part !== NONE) this.row[part + place]++
  }
}
