/**
 * The index part of the benchmark: an index is filled with new names until its oldest chapter ends, goes on turning
 * over, is asked for names that it does not have, for names that it has in the order in which they were written, and
 * for those that it was asked for last. Measured on one thread, for the volume index alone and for the whole index
 * over a store in memory; the cost of making names is measured apart and taken off.
 */
import type { NameStream } from './name-stream.js'

/** What an index has to say of itself. Counters only grow. */
export interface IndexFacts {
  readonly records: number
  /** Bytes that the volume index takes. */
  readonly volumeIndexBytes: number
  readonly found: number
  readonly notFound: number
  /** New names that the volume index took for known ones. */
  readonly falsePositives: number
  /** Pages of 32 KiB read from the store. */
  readonly pageReads: number
  readonly rebalances: number
  readonly overflows: number
}

export interface IndexUnderTest {
  readonly name: string
  readonly recordsPerChapter: number
  /** Chapters that a full index has beside the open one. */
  readonly closedChapters: number
  /** Posts `count` names from number `first` on, and returns when all are answered. */
  post(names: NameStream, first: number, count: number): void
  /** Asks for names in the same way; what is found becomes the most recent. */
  query(names: NameStream, first: number, count: number): void
  facts(): IndexFacts
}

export interface IndexRowResult {
  readonly index: string
  readonly row: string
  readonly requests: number
  readonly seconds: number
  readonly requestsPerSecond: number
  /** µs a request, of user and system, less what making names takes. */
  readonly cpuPerRequest: number
  readonly generatorPerRequest: number
  readonly foundShare: number
  /** Of the row: one request in this many; 0 if there were none. */
  readonly requestsPerFalsePositive: number
  readonly pageReads: number
  readonly rebalances: number
  readonly overflows: number
  /** When the row is over. */
  readonly records: number
  readonly bytesPerRecord: number
  /** Whether what was found is what was to be found. */
  readonly isProven: boolean
}

/** Names of rows, in the order in which they are run. */
export const INDEX_ROWS = {
  fill: 'index post, filling',
  turn: 'index post, full',
  miss: 'index query, missing',
  hit: 'index query, known',
  recent: 'index query, recent',
} as const

/** Names from this number on are never posted. */
export const MISSING = 0x8000_0000

/**
 * Runs all rows. Requests are counted in chapters' worth of names: `fill` for the first row, `chapters` for each of the
 * others. An index that the first row does not fill has none for one that turns over.
 */
export function measureIndex(
  index: IndexUnderTest,
  names: NameStream,
  chapters: number,
  report: (result: IndexRowResult) => void,
  fill = index.closedChapters,
): void {
  const { recordsPerChapter } = index
  const count = chapters * recordsPerChapter
  let posted = fill * recordsPerChapter
  const measure = (
    row: string,
    requests: number,
    run: (first: number, count: number) => void,
    isRight: (found: number) => boolean,
  ): void => report(measureRow(index, names, row, requests, run, isRight))

  measure(
    INDEX_ROWS.fill,
    posted,
    (first, some) => index.post(names, first, some),
    (found) => found < 0.001,
  )
  if (fill === index.closedChapters) {
    measure(
      INDEX_ROWS.turn,
      count,
      (first, some) => index.post(names, posted + first, some),
      (found) => found < 0.001,
    )
    posted += count
  }
  measure(
    INDEX_ROWS.miss,
    count,
    (first, some) => index.query(names, MISSING + first, some),
    (found) => found < 0.001,
  )
  // What is found comes into new chapters, at whose opening old ones end; one chapter is left out, so that what is
  // asked for has never just ended.
  const from = Math.max(0, posted - (index.closedChapters - 1) * recordsPerChapter)
  measure(
    INDEX_ROWS.hit,
    count,
    (first, some) => index.query(names, from + first, some),
    (found) => found > 0.999,
  )
  // A chapter's worth of names, again and again: they are in the chapter that was closed last.
  const last = from + count - recordsPerChapter
  measure(
    INDEX_ROWS.recent,
    count,
    (_, some) => index.query(names, last, some),
    (found) => found > 0.999,
  )
}

/** A row in slices, so that a clock that is looked at costs nothing. */
function measureRow(
  index: IndexUnderTest,
  names: NameStream,
  row: string,
  requests: number,
  run: (first: number, count: number) => void,
  isRight: (found: number) => boolean,
): IndexRowResult {
  const before = index.facts()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  for (let first = 0; first < requests; first += index.recordsPerChapter) {
    run(first, Math.min(index.recordsPerChapter, requests - first))
  }
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  const after = index.facts()
  const generatorPerRequest = generatorCost(names)
  const falsePositives = after.falsePositives - before.falsePositives
  const foundShare = (after.found - before.found) / requests
  return {
    index: index.name,
    row,
    requests,
    seconds,
    requestsPerSecond: requests / seconds,
    cpuPerRequest: (user + system) / requests - generatorPerRequest,
    generatorPerRequest,
    foundShare,
    requestsPerFalsePositive: falsePositives === 0 ? 0 : requests / falsePositives,
    pageReads: after.pageReads - before.pageReads,
    rebalances: after.rebalances - before.rebalances,
    overflows: after.overflows - before.overflows,
    records: after.records,
    bytesPerRecord: after.volumeIndexBytes / Math.max(1, after.records),
    isProven:
      isRight(foundShare) && after.found + after.notFound - before.found - before.notFound === requests,
  }
}

/** µs that making a name takes. */
function generatorCost(names: NameStream): number {
  const words = new Uint32Array(4)
  const count = 2_000_000
  let sum = 0
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) {
    names.write(i, words, 0)
    sum ^= words[3]
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system + (sum === 0 ? 1 : 0)) / count
}
