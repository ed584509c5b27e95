/** A small index that was used for a while, made once for all tests that want one. */
import { Prng } from '../../src/base/prng.js'
import { type IndexShape, regionOfShape } from '../../src/format/index-region.js'
import { smallIndexShape } from '../../src/uds/geometry.js'
import { openContent } from '../../src/uds/index-content.js'
import { createLayout, type IndexPlace } from '../../src/uds/index-layout.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import type { OpenedIndex } from '../../src/uds/open-index.js'
import { LocalIndex, type LocalOptions } from './local-index.js'
import { sampleName } from './sample-names.js'
import { sampleData } from './sample-sequences.js'
import { MapStorage } from './uds-samples.js'

export const BIRTH = { nanoseconds: 1_795_351_181_599_000_000n, chance: 99 }

/** The format's own small geometry. */
export const SMALL: IndexPlace = { shape: smallIndexShape(false), start: 1, blocks: 1879, nonce: 42n }

/** Smaller still: 4,096 records a chapter, one index page; four chapters, or forty of which all but two are sparse. */
export const TINY: IndexPlace = placeOf({
  recordPagesPerChapter: 4,
  baseChapters: 4,
  sparse: false,
  reduced: false,
})
export const TINY_SPARSE: IndexPlace = placeOf({ ...TINY.shape, sparse: true })

/** A place with just enough room for an index. */
export function placeOf(shape: IndexShape, start = 1): IndexPlace {
  return { shape, start, blocks: regionOfShape(shape).blockCount, nonce: 42n }
}

const names: Uint8Array[] = []

/** A name that is made once. */
export function nameOf(i: number): Uint8Array {
  names[i] ??= sampleName(i)
  return names[i]
}

/** Name number `i`: 16 bytes that look like chance. */
export function chanceName(i: number): Uint8Array {
  const name = new Uint8Array(16)
  new Prng(i + 1).fill(name)
  return name
}

export function newIndex(
  place: IndexPlace,
  zones: number,
  options: Omit<LocalOptions, 'zones'> = {},
): LocalIndex {
  const storage = new MapStorage()
  return new LocalIndex(storage, storage.run(createLayout(place, BIRTH)), { ...options, zones })
}

/** Posts the names from one number up to another. */
export function post(index: LocalIndex, from: number, to: number): void {
  for (let i = from; i < to; i++) index.ask(IndexRequest.Post, nameOf(i), sampleData(i, 0))
  index.settle()
}

/** How many of the names, or of every `step`th, are found. Throws if one has data that are not its own. */
export function countFound(index: LocalIndex, from: number, to: number, step = 1): number {
  let found = 0
  for (let i = from; i < to; i += step) {
    const location = index.ask(IndexRequest.QueryNoUpdate, nameOf(i))
    if (location === IndexLocation.Failed) throw new Error('the index has failed')
    if (location === IndexLocation.None) continue
    found++
    const data = sampleData(i, 0)
    for (let j = 0; j < 16; j++) {
      if (index.requests.known[j] !== data[j]) throw new Error(`name ${i} has the data of another`)
    }
  }
  return found
}

/** Opens an index on a device, whatever state it is in, to be used. */
export function reopen(
  storage: MapStorage,
  place: IndexPlace,
  zones = 1,
): { index: LocalIndex; opened: OpenedIndex } {
  let index: LocalIndex | undefined
  const opened = storage.run(
    openContent(place, (layout) => {
      index = new LocalIndex(storage, layout, { zones })
      return index.content
    }),
  )
  return { index: index!, opened }
}
