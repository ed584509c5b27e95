/**
 * What an index finds, of names that come again after a known distance, beside what a list of the least recently
 * used would find. Names come in runs of neighbours, as blocks of a file do; each run comes once, and once again
 * after a distance drawn evenly from one chapter to twice the window. A distance counts records: since every request
 * puts one into the open chapter, a name is remembered if fewer than a window of requests came between.
 *
 * The window is what the index's chapters hold. Of the open one that is half, on average.
 */
import { Prng } from '../../src/base/prng.js'
import type { IndexUnderTest } from '../../src/cli/bench/index-rows.js'
import { NameStream } from '../../src/cli/bench/name-stream.js'
import type { IndexGeometry } from '../../src/uds/geometry.js'

export interface HitRate {
  readonly requests: number
  readonly hits: number
  /** What a list of the names used last would find, as many as the index's chapters hold on average. */
  readonly predicted: number
  /** Of names that certainly were in a sparse chapter: how many came again, and were found. */
  readonly sparse: { readonly repeated: number; readonly found: number }
}

/** Runs a workload of `windows` times the window. `runLength` divides a chapter. */
export function studyHitRate(
  index: IndexUnderTest,
  geometry: IndexGeometry,
  runLength: number,
  windows: number,
  seed: number,
): HitRate {
  const { recordsPerChapter, chapters, denseChapters } = geometry
  const runsPerChapter = recordsPerChapter / runLength
  const window = (chapters - 0.5) * recordsPerChapter
  const slots = Math.floor((windows * chapters * recordsPerChapter) / runLength)
  const names = new NameStream(seed)
  const prng = new Prng(seed)
  /** By slot: the slot at which the same run came first, + 1, or 0. */
  const cameAt = new Int32Array(slots)
  const sparse = { repeated: 0, found: 0 }
  let hits = 0
  let predicted = 0
  for (let slot = 0; slot < slots; slot++) {
    const first = cameAt[slot] === 0 ? slot : cameAt[slot] - 1
    const before = index.facts().found
    index.post(names, first * runLength, runLength)
    const found = index.facts().found - before
    hits += found
    if (first !== slot) {
      const distance = (slot - first) * runLength
      if (distance < window) predicted += runLength
      const chaptersAgo = distance / recordsPerChapter
      if (chaptersAgo >= denseChapters && chaptersAgo <= chapters - 1) {
        sparse.repeated += runLength
        sparse.found += found
      }
      continue
    }
    let again = slot + prng.between(runsPerChapter, 2 * chapters * runsPerChapter)
    while (again < slots && cameAt[again] !== 0) again++
    if (again < slots) cameAt[again] = slot + 1
  }
  return { requests: slots * runLength, hits, predicted, sparse }
}
