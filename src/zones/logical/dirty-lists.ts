/**
 * Which pages of the map are dirty, since when, and how far their write-out is. A page holds a lock on the oldest
 * journal block whose entries it contains and the disk does not; it stands in the list of that block's era. An era
 * that is `age` blocks old expires: its pages must be written, so that the journal can go on.
 *
 * Rows are pages of both kinds, leaves and interior pages. Owned by one logical zone.
 *
 * ```
 * Clean ──touch──► Aging ──expire──► Expired ──flush starts──► Flushing ──flushed──► Ready ──write starts──► Clean
 *                                       ▲──────────── touched again meanwhile ─────────┘
 * ```
 *
 * A row whose write is in flight is `writing` and may be touched again: it then climbs the ladder anew, but is not
 * flushed for before its write has ended.
 */
import { assert } from '../../base/assert.js'
import type { SequenceNumber } from '../../base/ids.js'
import { IntrusiveLists, NO_ENTRY } from '../../base/intrusive-list.js'
import type { ZoneJournalLocks } from '../../vio/journal-locks.js'
import { Mark } from '../../vio/marks.js'

enum Place {
  Clean = 0,
  Aging = 1,
  Expired = 2,
  Flushing = 3,
  Ready = 4,
}

export class DirtyLists {
  private readonly lists: IntrusiveLists
  private readonly places: Uint8Array
  /** Touched since the flush that covers the row's changes was asked for. */
  private readonly retouched: Uint8Array
  /** The journal block held for changes not yet being written, and for those being written; 0: none. */
  private readonly locks: Float64Array
  private readonly writingLocks: Float64Array
  /** Eras from `oldest` up to but not including `next` have a list. */
  private oldest = 0
  private next = 0
  private dirty = 0
  private writes = 0
  private readonly expired: number
  private readonly flushing: number
  private readonly ready: number

  constructor(
    rows: number,
    private readonly age: number,
    private readonly journalLocks: ZoneJournalLocks,
    /** The zone's row. */
    private readonly counters: Float64Array,
  ) {
    this.lists = new IntrusiveLists(rows, age + 3)
    this.expired = age
    this.flushing = age + 1
    this.ready = age + 2
    this.places = new Uint8Array(rows)
    this.retouched = new Uint8Array(rows)
    this.locks = new Float64Array(rows)
    this.writingLocks = new Float64Array(rows)
  }

  /** The first era: the first block that the journal will open. */
  start(sequence: SequenceNumber): void {
    assert(this.isClean, 'eras begin with clean pages')
    this.oldest = sequence
    this.next = sequence
  }

  /** Nothing is dirty and nothing is being written. */
  get isClean(): boolean {
    return this.dirty === 0 && this.writes === 0
  }

  get writesInFlight(): number {
    return this.writes
  }

  /** Rows may be written now. */
  get hasReady(): boolean {
    return !this.lists.isEmpty(this.ready)
  }

  isDirty(row: number): boolean {
    return this.places[row] !== Place.Clean
  }

  isWriting(row: number): boolean {
    return this.writingLocks[row] !== 0
  }

  /** The journal opened the block `sequence`. */
  advance(sequence: SequenceNumber): void {
    while (this.next <= sequence) {
      if (this.next - this.oldest === this.age) this.expireOldest()
      this.next++
    }
  }

  /** The row contains the change of an entry in journal block `sequence`. */
  touch(row: number, sequence: SequenceNumber): void {
    assert(sequence > 0, 'a change of the map is journaled')
    const held = this.locks[row]
    const older = held === 0 || sequence < held
    if (older) {
      this.journalLocks.acquire(sequence)
      if (held !== 0) this.journalLocks.release(held)
      this.locks[row] = sequence
    }
    const place = this.places[row]
    if (place === Place.Clean) this.dirty++
    if (place === Place.Clean || (place === Place.Aging && older)) {
      // Another path than the era's notice may bring the first word of a new block, or the last of an old one.
      this.advance(sequence)
      if (sequence < this.oldest) {
        this.counters[Mark.EntryOfExpiredEra]++
        this.move(row, Place.Expired, this.expired)
      } else {
        this.move(row, Place.Aging, sequence % this.age)
      }
    } else if (place === Place.Flushing || place === Place.Ready) {
      this.retouched[row] = 1
    }
  }

  /** The row is wanted on disk now. */
  expire(row: number): void {
    assert(this.places[row] !== Place.Clean, 'only a dirty page expires')
    if (this.places[row] === Place.Aging) this.move(row, Place.Expired, this.expired)
  }

  expireAll(): void {
    while (this.oldest < this.next) this.expireOldest()
  }

  /** The first expired row that no write is in flight for, or NO_ENTRY. */
  firstExpired(): number {
    let row = this.lists.first(this.expired)
    while (row !== NO_ENTRY && this.isWriting(row)) row = this.lists.next(row)
    return row
  }

  /** A flush is about to be asked for that will cover the row's changes. */
  flushFor(row: number): void {
    assert(this.places[row] === Place.Expired && !this.isWriting(row), 'an expired page waits for a flush')
    this.retouched[row] = 0
    this.move(row, Place.Flushing, this.flushing)
  }

  /** The flush is done: its rows may be written. */
  flushed(): void {
    for (let row = this.lists.shift(this.flushing); row !== NO_ENTRY; row = this.lists.shift(this.flushing)) {
      if (this.retouched[row] !== 0) {
        this.counters[Mark.PageChangedDuringFlush]++
        this.move(row, Place.Expired, this.expired)
      } else {
        this.move(row, Place.Ready, this.ready)
      }
    }
  }

  /** Nothing is written any more: rows on their way to it are merely expired again. */
  fallBack(): void {
    for (let row = this.lists.shift(this.flushing); row !== NO_ENTRY; row = this.lists.shift(this.flushing)) {
      this.move(row, Place.Expired, this.expired)
    }
    for (let row = this.lists.shift(this.ready); row !== NO_ENTRY; row = this.lists.shift(this.ready)) {
      this.move(row, Place.Expired, this.expired)
    }
  }

  /** A row that may be written now, or NO_ENTRY. */
  firstReady(): number {
    for (let row = this.lists.first(this.ready); row !== NO_ENTRY; row = this.lists.first(this.ready)) {
      if (this.retouched[row] === 0) return row
      this.counters[Mark.PageChangedAfterFlush]++
      this.move(row, Place.Expired, this.expired)
    }
    return NO_ENTRY
  }

  /** The row's contents of this moment are on their way to the disk. */
  writeStarted(row: number): void {
    assert(this.places[row] === Place.Ready && !this.isWriting(row), 'a page is written after a flush')
    this.lists.remove(row)
    this.places[row] = Place.Clean
    this.writingLocks[row] = this.locks[row]
    this.locks[row] = 0
    this.dirty--
    this.writes++
  }

  writeDone(row: number): void {
    this.journalLocks.release(this.writingLocks[row])
    this.writingLocks[row] = 0
    this.writes--
  }

  /** The write failed: the row is dirty as before. It will not be written again, the volume is read-only. */
  writeFailed(row: number): void {
    const old = this.writingLocks[row]
    this.writingLocks[row] = 0
    this.writes--
    const held = this.locks[row]
    if (held !== 0) this.journalLocks.release(Math.max(held, old))
    this.locks[row] = held === 0 ? old : Math.min(held, old)
    if (this.places[row] === Place.Clean) this.dirty++
    this.move(row, Place.Expired, this.expired)
  }

  private expireOldest(): void {
    const list = this.oldest % this.age
    this.oldest++
    for (let row = this.lists.first(list); row !== NO_ENTRY; row = this.lists.first(list)) {
      this.move(row, Place.Expired, this.expired)
    }
  }

  private move(row: number, place: Place, list: number): void {
    this.places[row] = place
    this.lists.moveToTail(list, row)
  }
}
