/**
 * An index in the hands of one thread, beside its chapters on disk: for whoever opens one at rest (the simulator after
 * a crash, the benchmark, tests). In the engine zones have threads of their own, and index-keeping.ts does this.
 */
import { layOut } from '../base/bump.js'
import type { IndexGeometry } from './geometry.js'
import type { IndexLayout, IndexPlace } from './index-layout.js'
import { IndexPageMap } from './index-page-map.js'
import {
  type ChapterRange,
  type LoadableSave,
  latestSave,
  loadMap,
  loadZone,
  type SavableIndex,
  type ZoneContent,
} from './index-save.js'
import { OpenChapter, OpenChapterMemory, openChapterCapacity } from './open-chapter.js'
import type { ChapterShare } from './open-chapter-save.js'
import { type OpenedIndex, openIndex } from './open-index.js'
import { rebuildIndex } from './rebuild.js'
import type { Steps } from './storage-steps.js'
import { VolumeIndex } from './volume-index.js'
import { type Area, saveVolumeIndex } from './volume-index-save.js'

export class IndexContent implements SavableIndex {
  constructor(
    /** All of them, in order. */
    readonly zones: readonly ZoneContent[],
    readonly pageMap: IndexPageMap,
    /** Is told which chapters there are, before an open chapter is filled. */
    private readonly begin: (range: ChapterRange) => void = () => {},
  ) {}

  /** That of an index that is empty, with so many zones. */
  static empty(geometry: IndexGeometry, zones: number): IndexContent {
    const capacity = openChapterCapacity(geometry, zones)
    const each = Array.from({ length: zones }, (_, zone) => ({
      volumeIndex: new VolumeIndex(geometry, zone, zones),
      openChapter: new OpenChapter(layOut((bump) => new OpenChapterMemory(capacity, bump))),
    }))
    return new IndexContent(each, new IndexPageMap(geometry))
  }

  /** Names in all zones. */
  get entries(): number {
    return this.zones.reduce((sum, { volumeIndex }) => sum + volumeIndex.entries, 0)
  }

  get shares(): readonly ChapterShare[] {
    return this.zones.map(({ openChapter }) => openChapter.memory)
  }

  *saveZones({ nonce }: IndexLayout, areas: readonly Area[]): Steps<void> {
    for (const [i, { volumeIndex }] of this.zones.entries()) {
      yield* saveVolumeIndex(volumeIndex, nonce, areas[i]!)
    }
  }

  /** Fills this, which is empty, from a save. Throws if that is damaged. */
  *load(layout: IndexLayout, save: LoadableSave = latestSave(layout)): Steps<ChapterRange> {
    const range = { newest: save.newest, oldest: save.oldest }
    this.begin(range)
    for (const zone of this.zones) yield* loadZone(layout, save, zone)
    yield* loadMap(layout, save, this.pageMap)
    return range
  }

  /** Fills this, which is empty, from the chapters. Throws if these make no sense. */
  *rebuild(layout: IndexLayout): Steps<ChapterRange> {
    const volumeIndexes = this.zones.map(({ volumeIndex }) => volumeIndex)
    const range = yield* rebuildIndex(layout, volumeIndexes, this.pageMap)
    this.begin(range)
    return range
  }
}

/** Opens an index in memory that `contentOf` gives for it: empty, each time that it is asked. */
export function* openContent(
  place: IndexPlace,
  contentOf: (layout: IndexLayout) => IndexContent,
): Steps<OpenedIndex & { readonly content: IndexContent }> {
  let content: IndexContent | undefined
  const opened = yield* openIndex(place, {
    *load(layout, save) {
      content = contentOf(layout)
      yield* content.load(layout, save)
    },
    *rebuild(layout) {
      content = contentOf(layout)
      return yield* content.rebuild(layout)
    },
  })
  return { ...opened, content: content! }
}
