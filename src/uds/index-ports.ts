/**
 * How the parts of an index reach each other and the disk: what whoever hosts them has to do. The engine does it
 * with messages between threads, a test by calls; the parts cannot tell.
 *
 * An index has 1 to 16 zones (`ZoneIndex`), each on any thread, and one keeper (`IndexKeeper`), on any thread too,
 * for what concerns all zones: it closes and writes chapters, and loads the indexes of sparse chapters.
 *
 * ```
 *  host ── submit(row) ──►  ZoneIndex  ── port.answer(row) ──► host
 *  host ── pageRead(slot) ►            ── port.readPage(slot, page) ──► host
 *                           │       ▲
 *           port.toKeeper(…)│       │receive(…) = port.toZone(zone, …)
 *                           ▼       │
 *                          IndexKeeper ── port.start(steps) ──► host drives them ── workDone(ok) ──► IndexKeeper
 * ```
 *
 * Rules for the host:
 *
 * - No port may call back into the part that called it, before that part has returned: it notes what it was told.
 * - What a zone tells the keeper, and the keeper tells a zone, arrives in the order in which it was told, for each
 *   pair; and whoever is told sees what the teller wrote to shared memory before.
 * - A page that a zone wants goes to its cache's slot: `PAGE_BYTES` bytes from `slot * PAGE_BYTES` of that zone's
 *   `cachePages`. There are at most as many reads out as the zone was told it may have.
 * - Steps go on from where they are when what they yielded is done; if it failed, an error is thrown into them.
 *   At most two pieces of the keeper's work are under way at once, one of each kind.
 */
import type { Steps } from './storage-steps.js'

/** What the keeper tells a zone. */
export enum ToZone {
  /** Close your chapter, if you have not: another zone's is full. */
  CloseChapter = 0,
  /** The chapter that was closed last is written: the next may be closed. */
  ChapterWritten = 1,
  /** Stop looking at the cache of sparse chapters, and tell when you did. */
  LeaveSparseCache = 2,
  /** The cache of sparse chapters may have changed; it may be looked at. */
  SparseCacheReady = 3,
  /** The index has failed. */
  Failed = 4,
}

/** What a zone tells the keeper. */
export enum ToKeeper {
  /** My chapter is closed, in shared memory. */
  ChapterClosed = 0,
  /** I want the chapter that I wrote down in the cache of sparse chapters, and have stopped looking at it. */
  WantSparseChapter = 1,
  /** I have stopped looking at the cache of sparse chapters. */
  LeftSparseCache = 2,
  /** I have failed. */
  Failed = 3,
}

/** What a zone needs done. */
export interface ZonePort {
  /** The request has its answer; its row is the host's again. */
  answer(row: number): void
  /** Read a page of the volume of chapters (page 0 is its header) into a slot, then call `pageRead`. */
  readPage(slot: number, page: number): void
  toKeeper(message: ToKeeper): void
}

/** Kinds of the keeper's work. */
export enum KeeperWork {
  /** Closing and writing a chapter. */
  WriteChapter = 0,
  /** Reading the index of a sparse chapter. */
  LoadSparse = 1,
}

/** What the keeper needs done. */
export interface KeeperPort {
  toZone(zone: number, message: ToZone): void
  /** Drive the steps to their end, then call `workDone` with the same kind. */
  start(work: KeeperWork, steps: Steps<void>): void
}
