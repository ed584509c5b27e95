/**
 * Saving an index and loading it again, with any number of zones on either side.
 *
 * ```
 *  save:  slot's header says "no save" │ open chapter, volume index of each zone, page map │ header says "save"
 *                                    flush                                               flush                flush
 *
 *  load:  header of the latest save  │ for each zone: its lists, from the areas of all zones that saved;
 *                                    │                its records, from the one open chapter │ page map
 * ```
 *
 * Where zones have threads of their own, each does its part of the areas that `beginSave` or `latestSave` gave:
 * `saveVolumeIndex`, `loadZone`; the rest is the keeper's (`saveIndex`, `loadMap`). An index has to be at rest: no
 * request in a zone, no chapter being written.
 */
import { zoneOfName } from '../format/record-name.js'
import type { IndexGeometry } from './geometry.js'
import { IndexError, indexCorrupt } from './index-error.js'
import type { IndexLayout } from './index-layout.js'
import { type IndexPageMap, loadPageMap, savePageMap } from './index-page-map.js'
import type { OpenChapter } from './open-chapter.js'
import { type ChapterShare, loadOpenChapter, saveOpenChapter } from './open-chapter-save.js'
import type { SaveAreas } from './save-slot.js'
import { flushed, type Steps } from './storage-steps.js'
import { BELIEVED_CHAPTERS, type VolumeIndex } from './volume-index.js'
import { type Area, loadVolumeIndex } from './volume-index-save.js'

/** The chapters of an index: the open one, and the oldest that is still valid. */
export interface ChapterRange {
  readonly newest: number
  readonly oldest: number
}

/** What of a zone is saved. */
export interface ZoneContent {
  readonly volumeIndex: VolumeIndex
  readonly openChapter: OpenChapter
}

/** What of an index is saved, beside its chapters on disk. */
export interface SavableIndex {
  /** The open chapter, by zone. */
  readonly shares: readonly ChapterShare[]
  readonly pageMap: IndexPageMap
  /** Saves the volume index of every zone, each into its area. */
  saveZones(layout: IndexLayout, areas: readonly Area[]): Steps<void>
}

/** A save to be loaded. */
export interface LoadableSave extends ChapterRange {
  readonly areas: SaveAreas
}

/** Saves an index, at a time in ms since 1970. */
export function* saveIndex(
  layout: IndexLayout,
  saved: SavableIndex,
  { newest, oldest }: ChapterRange,
  time: number,
): Steps<void> {
  const begun = yield* layout.beginSave(saved.shares.length, time)
  const { openChapter, volumeIndex, pageMap } = begun.areas
  yield* saveOpenChapter(saved.shares, openChapter)
  yield* flushed()
  yield* saved.saveZones(layout, volumeIndex)
  yield* savePageMap(saved.pageMap, newest, pageMap)
  yield* layout.commitSave(begun, newest, oldest)
}

/** Loads the page map. Throws if it cannot be that of the chapters. */
export function* loadMap(
  { geometry }: IndexLayout,
  { newest, oldest, areas }: LoadableSave,
  pageMap: IndexPageMap,
): Steps<void> {
  yield* loadPageMap(pageMap, newest, areas.pageMap)
  for (let chapter = oldest; chapter < newest; chapter++) {
    const slot = geometry.physicalChapter(chapter)
    let next = 0
    for (let page = 0; page < geometry.indexPagesPerChapter; page++) {
      const last = pageMap.lastList(slot, page)
      if (last + 1 < next || last >= geometry.listsPerChapter) {
        throw indexCorrupt('index page map', `page ${page} of chapter ${chapter} ends with list ${last}`)
      }
      next = last + 1
    }
  }
}

/** Loads what belongs to one zone. Returns how many records of the open chapter found no room in it. */
export function* loadZone(
  layout: IndexLayout,
  { newest, areas }: LoadableSave,
  { volumeIndex, openChapter }: ZoneContent,
): Steps<number> {
  const { geometry } = layout
  const { zone, zones } = volumeIndex
  yield* loadVolumeIndex(volumeIndex, layout.nonce, areas.volumeIndex)
  for (const { low, high, mask } of volumeIndex.parts) {
    if (high !== newest) throw indexCorrupt('volume index', `its open chapter is ${high}, wanted ${newest}`)
    if (high - low > mask) throw indexCorrupt('volume index', `it has chapters ${low} to ${high}`)
  }
  const isOwn = (names: Uint8Array, at: number): boolean =>
    zoneOfName(geometry.subIndexes, zones, names, at) === zone
  return yield* loadOpenChapter(openChapter, isOwn, geometry.recordsPerChapter, areas.openChapter)
}

/** The save that is to be loaded. Throws if there is none, or its chapters make no sense. */
export function latestSave(layout: IndexLayout): LoadableSave {
  const { latest, slots, geometry } = layout
  if (latest?.save === undefined) {
    const problems = slots.flatMap(({ problem }) => (problem === undefined ? [] : [problem.message]))
    throw new IndexError(
      'VDO_INDEX_UNCLEAN',
      ['Cannot load the index: it has no save', ...problems].join('; '),
    )
  }
  const { newest, oldest } = latest.save
  const isRange = oldest <= newest && newest < BigInt(BELIEVED_CHAPTERS) && fits(geometry, newest, oldest)
  if (!isRange) {
    throw indexCorrupt(`header of save ${latest.slot.number}`, `it has chapters ${oldest} to ${newest}`)
  }
  const range = validRange(geometry, Number(oldest), Number(newest))
  return { ...range, areas: layout.areasOf(latest) }
}

/**
 * The chapters from one on that are valid while `newest` is open: the slot that the open chapter is going to be
 * written to counts for none, and in a reduced index neither do older chapters than that slot's.
 */
export function validRange(geometry: IndexGeometry, from: number, newest: number): ChapterRange {
  const slot = geometry.physicalChapter(newest)
  let oldest = newest
  while (oldest > from && geometry.physicalChapter(oldest - 1) !== slot) oldest--
  return { newest, oldest }
}

/** Whether the volume has a slot for each of the chapters. */
function fits({ chapters }: IndexGeometry, newest: bigint, oldest: bigint): boolean {
  return newest - oldest < BigInt(chapters)
}
