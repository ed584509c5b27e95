/**
 * What chapters a volume holds, found out from its index pages alone: the first thing that a rebuild wants to know.
 *
 * Chapters are written slot after slot, round and round, so the newest lies just before the oldest. Where they meet
 * there may be slots that are bad: empty, or torn by the crash.
 *
 * ```
 *  not yet full:   0 1 2 3 · · · ·          the end of what is there, then chapter 0
 *  gone round:     8 9 10 ✗ 4 5 6 7         newest 10, oldest 4
 * ```
 *
 * In a reduced volume one chapter may lie out of turn, where it was moved to: it is passed over, and added to those
 * that it is next to.
 */
import { chapterOfPage, firstListOfPage, listCountOfPage, walkIndexPage } from './chapter-index-page.js'
import { indexCorrupt } from './index-error.js'
import type { IndexLayout } from './index-layout.js'
import type { Steps } from './storage-steps.js'
import { BELIEVED_CHAPTERS } from './volume-index.js'
import type { VolumePages } from './volume-pages.js'

/** What stands for the chapter of a slot that has none. */
const BAD = Number.POSITIVE_INFINITY

/** Slots in a row that a crash may have left bad. */
const MAX_BAD_SLOTS = 100

/** Chapters by their numbers, both inclusive. */
export interface FoundChapters {
  readonly lowest: number
  readonly highest: number
}

/** The chapters that the volume holds, or undefined if it holds none. */
export function* findChapters(layout: IndexLayout, pages: VolumePages): Steps<FoundChapters | undefined> {
  const { geometry } = layout
  const end = yield* findEnd(layout, pages, geometry.chapters)
  if (end === 0) return undefined
  const first = yield* probe(layout, pages, 0)
  const moved = yield* findMoved(layout, pages)
  const start = yield* findLowest(layout, pages, end, first, moved)
  let lowest = yield* probe(layout, pages, start % end)
  let highest = yield* findHighest(layout, pages, end, start, moved)
  if (moved !== undefined) {
    const { remappedVirtual } = geometry
    if (lowest === remappedVirtual + 1) lowest = remappedVirtual
    if (highest === remappedVirtual - 1) highest = remappedVirtual
  }
  if (lowest > highest || highest - lowest >= geometry.chapters) {
    throw indexCorrupt('volume of chapters', `its chapters seem to be ${lowest} to ${highest}`)
  }
  return { lowest, highest }
}

/** The slot behind the last good one: looked for from the end in steps that double, and halve at a good one. */
function* findEnd(layout: IndexLayout, pages: VolumePages, slots: number): Steps<number> {
  let limit = slots
  let span = 1
  let tries = 0
  while (limit > 0) {
    const slot = Math.max(limit - span, 0)
    if ((yield* probe(layout, pages, slot)) === BAD) {
      limit = slot
      tries++
      if (tries > 1) span *= 2
    } else {
      if (span === 1) break
      span /= 2
      tries = 0
    }
  }
  return limit
}

/** The slot of the chapter that was moved, if it is still there. */
function* findMoved(layout: IndexLayout, pages: VolumePages): Steps<number | undefined> {
  const { remappedPhysical, remappedVirtual } = layout.geometry
  if (remappedPhysical === 0) return undefined
  return (yield* probe(layout, pages, remappedPhysical)) === remappedVirtual ? remappedPhysical : undefined
}

/** The first slot whose chapter is older than that of slot 0, by halving; `end` if there is none. */
function* findLowest(
  layout: IndexLayout,
  pages: VolumePages,
  end: number,
  first: number,
  moved: number | undefined,
): Steps<number> {
  let left = 0
  let right = end
  while (left < right) {
    let slot = (left + right) >>> 1
    if (slot === moved) slot--
    if (first <= (yield* probe(layout, pages, slot))) {
      left = slot + 1
      if (left === moved) left++
    } else right = slot
  }
  return Math.min(left, end)
}

/** The chapter of the last good slot before the one with the lowest. */
function* findHighest(
  layout: IndexLayout,
  pages: VolumePages,
  end: number,
  start: number,
  moved: number | undefined,
): Steps<number> {
  for (let back = 1; back <= Math.min(end, MAX_BAD_SLOTS + 1); back++) {
    const slot = (start + end - back) % end
    if (slot === moved) continue
    const chapter = yield* probe(layout, pages, slot)
    if (chapter !== BAD) return chapter
  }
  throw indexCorrupt('volume of chapters', `more than ${MAX_BAD_SLOTS} slots before slot ${start} are bad`)
}

/** The chapter in a slot, or `BAD`: unless every page of its index is whole and belongs there. */
function* probe({ geometry }: IndexLayout, pages: VolumePages, slot: number): Steps<number> {
  let chapter = BAD
  let next = 0
  for (let i = 0; i < geometry.indexPagesPerChapter; i++) {
    const page = yield* pages.readIndex(geometry.volumePage(slot, i))
    if (page === undefined) return BAD
    if (i === 0) chapter = chapterOfPage(page, 0)
    else if (chapterOfPage(page, 0) !== chapter) return BAD
    if (firstListOfPage(page, 0) !== next || !walkIndexPage(geometry, page, 0)) return BAD
    next += listCountOfPage(page, 0)
  }
  const belongs = chapter < BELIEVED_CHAPTERS && geometry.physicalChapter(chapter) === slot
  return belongs && next === geometry.listsPerChapter ? chapter : BAD
}
