/** What the statistics of a saved engine must say: everything that began has ended, nothing is held. */
import { assert } from '../base/assert.js'
import type { Arena } from '../engine/arena.js'
import { Counter } from '../vio/counters.js'

/** Five counters each: I/O by what it is for, started and completed. */
const BIO_FAMILIES = [
  [Counter.BiosOutRead, Counter.BiosOutCompletedRead],
  [Counter.BiosMetaRead, Counter.BiosMetaCompletedRead],
  [Counter.BiosJournalRead, Counter.BiosJournalCompletedRead],
  [Counter.BiosPageCacheRead, Counter.BiosPageCacheCompletedRead],
] as const

/** Counters that are equal when nothing is under way. */
const EQUAL: readonly (readonly [Counter, Counter])[] = [
  [Counter.JournalEntriesStarted, Counter.JournalEntriesWritten],
  [Counter.JournalEntriesWritten, Counter.JournalEntriesCommitted],
  [Counter.JournalBlocksStarted, Counter.JournalBlocksWritten],
  [Counter.JournalBlocksWritten, Counter.JournalBlocksCommitted],
  [Counter.BiosInRead, Counter.BiosAcknowledgedRead],
  [Counter.BiosInWrite, Counter.BiosAcknowledgedWrite],
  [Counter.BiosInDiscard, Counter.BiosAcknowledgedDiscard],
  [Counter.BiosInFlush, Counter.BiosAcknowledgedFlush],
  [Counter.BiosInFua, Counter.BiosAcknowledgedFua],
  [Counter.BiosInPartialRead, Counter.BiosAcknowledgedPartialRead],
  [Counter.BiosInPartialWrite, Counter.BiosAcknowledgedPartialWrite],
  [Counter.BiosInPartialDiscard, Counter.BiosAcknowledgedPartialDiscard],
  [Counter.BiosInPartialFua, Counter.BiosAcknowledgedPartialFua],
  ...BIO_FAMILIES.flatMap(([started, completed]) =>
    [0, 1, 2, 3, 4].map((at) => [started + at, completed + at] as const),
  ),
]

/** Every look for a page, and how it went. */
const LOOKS: readonly Counter[] = [Counter.BlockMapReadCount, Counter.BlockMapWriteCount]
const OUTCOMES: readonly Counter[] = [
  Counter.BlockMapFoundInCache,
  Counter.BlockMapWaitForPage,
  Counter.BlockMapFetchRequired,
  Counter.BlockMapDiscardRequired,
]

/** Gauges of what is under way. */
const ZERO: readonly Counter[] = [
  Counter.CompressedFragmentsInPacker,
  Counter.CurrentDedupeQueries,
  Counter.VdoRequestsInProgress,
  Counter.BlockMapDirtyPages,
  Counter.BlockMapIncomingPages,
  Counter.BlockMapOutgoingPages,
  Counter.BlockMapFailedPages,
]

/** `blocksInUse` is what an audit found. Throws for the first counter that is off. */
export function checkCounters(arena: Arena, cachePages: number, blocksInUse: number): void {
  const total = (counter: Counter) => arena.total(counter)
  for (const [a, b] of EQUAL) {
    if (total(a) !== total(b)) {
      throw new Error(
        `the counters ${Counter[a]} (${total(a)}) and ${Counter[b]} (${total(b)}) differ at rest`,
      )
    }
  }
  const sum = (counters: readonly Counter[]) => counters.reduce((all, counter) => all + total(counter), 0)
  assert(sum(LOOKS) === sum(OUTCOMES), 'each look for a map page has one outcome')
  for (const counter of ZERO) {
    if (total(counter) !== 0) throw new Error(`the counter ${Counter[counter]} is ${total(counter)} at rest`)
  }
  assert(
    total(Counter.BlockMapCleanPages) + total(Counter.BlockMapFreePages) === cachePages,
    'every page of the cache is clean or free at rest',
  )
  if (total(Counter.DataBlocksAllocated) !== blocksInUse) {
    throw new Error(
      `${total(Counter.DataBlocksAllocated)} blocks count as allocated, ${blocksInUse} are in use`,
    )
  }
}
