/**
 * What an index finds, of names that come again after a known distance, beside what a list of the least recently
 * used would find. Names come in runs of neighbours, as blocks of a file do; each run comes once, and once again
 * after a distance drawn evenly from one chapter to twice the window, or as far as is said. A distance counts records: since every
 * request puts one into the open chapter, a name is remembered if fewer than a window of requests came between.
 *
 * The window is what the index's chapters hold. Of the open one that is half, on average.
 */
import { Prng } from '../../src/base/prng.js'
import type { IndexUnderTest } from '../../src/cli/bench/index-rows.js'
import { NameStream } from '../../src/cli/bench/name-stream.js'
import type { IndexGeometry } from '../../src/uds/geometry.js'

export interface HitRate {
  readonly requests: number
  /** Records that the index's chapters hold on average. */
  readonly window: number
  readonly hits: number
  /** What a list of the `window` least recently used names would find. */
  readonly predicted: number
  /** Of names that certainly were in a dense chapter, or in a sparse one: how many came again, and were found. */
  readonly dense: Finds
  readonly sparse: Finds
}

export interface Finds {
  repeated: number
  found: number
}

/** Runs a workload of `windows` times the window. `runLength` divides a chapter. */
export function studyHitRate(
  index: IndexUnderTest,
  geometry: IndexGeometry,
  runLength: number,
  windows: number,
  seed: number,
  farthestChapters = 2 * geometry.chapters,
): HitRate {
  const { recordsPerChapter, chapters, denseChapters } = geometry
  const runsPerChapter = recordsPerChapter / runLength
  const window = (chapters - 0.5) * recordsPerChapter
  const slots = Math.floor((windows * chapters * recordsPerChapter) / runLength)
  const names = new NameStream(seed)
  const prng = new Prng(seed)
  /** By slot: the slot at which the same run came first, + 1, or 0. */
  const cameAt = new Int32Array(slots)
  const dense: Finds = { repeated: 0, found: 0 }
  const sparse: Finds = { repeated: 0, found: 0 }
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
      if (chaptersAgo <= denseChapters - 1) note(dense, runLength, found)
      else if (chaptersAgo >= denseChapters && chaptersAgo <= chapters - 1) note(sparse, runLength, found)
      continue
    }
    let again = slot + prng.between(runsPerChapter, farthestChapters * runsPerChapter)
    while (again < slots && cameAt[again] !== 0) again++
    if (again < slots) cameAt[again] = slot + 1
  }
  return { requests: slots * runLength, window, hits, predicted, dense, sparse }
}

function note(finds: Finds, repeated: number, found: number): void {
  finds.repeated += repeated
  finds.found += found
}
