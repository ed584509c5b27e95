/**
 * Opens the index on a disk as the engine would after a power failure, all of it at once and from aside: it has to
 * load, or to be rebuilt from its chapters.
 */
import { Bump } from '../base/bump.js'
import type { IndexLayout, IndexPlace } from '../uds/index-layout.js'
import { IndexPageMap } from '../uds/index-page-map.js'
import type { IndexContent } from '../uds/index-save.js'
import { OpenChapter, OpenChapterMemory, openChapterCapacity } from '../uds/open-chapter.js'
import { IndexOpening, openIndex } from '../uds/open-index.js'
import { type Steps, StorageOp } from '../uds/storage-steps.js'
import { VolumeIndex } from '../uds/volume-index.js'
import type { SimStore } from './sim-store.js'

export interface CrashedIndex {
  /** Why it had to be rebuilt; undefined if it was loaded. */
  readonly rebuiltFor: string | undefined
  /** Names that it knows. */
  readonly entries: number
}

/** Throws an IndexError if the index can be neither loaded nor rebuilt. Nothing is written. */
export function openCrashedIndex(disk: SimStore, place: IndexPlace): CrashedIndex {
  const birth = { nanoseconds: 0n, chance: 0 }
  const { content, rebuiltFor } = drive(disk, openIndex(IndexOpening.Load, place, birth, contentOf))
  return { rebuiltFor: rebuiltFor?.message, entries: content.zones[0].volumeIndex.entries }
}

function contentOf({ geometry }: IndexLayout): IndexContent {
  const capacity = openChapterCapacity(geometry, 1)
  const memory = new OpenChapterMemory(capacity, new Bump(new ArrayBuffer(capacity * 33 + 256), 0))
  return {
    zones: [{ volumeIndex: new VolumeIndex(geometry, 0, 1), openChapter: new OpenChapter(memory) }],
    pageMap: new IndexPageMap(geometry),
    begin: () => {},
  }
}

function drive<T>(disk: SimStore, steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    if (value.op !== StorageOp.Read) throw new Error('opening an index that is there writes nothing')
    const bytes = value.bytes.subarray(value.at)
    if (!disk.read(value.block, value.count, bytes)) throw new Error('the index reads outside of the disk')
  }
}
