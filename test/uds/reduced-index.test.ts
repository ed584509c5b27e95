import { expect } from 'chai'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import type { IndexShape } from '../../src/format/index-region.js'
import { IndexGeometry, PAGE_BYTES } from '../../src/uds/geometry.js'
import { encodeIndexConfig } from '../../src/uds/index-config.js'
import { IndexContent } from '../../src/uds/index-content.js'
import type { IndexPlace } from '../../src/uds/index-layout.js'
import { IndexPageMap, pageMapEntries } from '../../src/uds/index-page-map.js'
import { saveIndex } from '../../src/uds/index-save.js'
import { encodeIndexSuperBlock } from '../../src/uds/index-super-block.js'
import type { LocalIndex } from './local-index.js'
import { countFound, newIndex, placeOf, post, reopen } from './small-index.js'
import { copyOf, MapStorage } from './uds-samples.js'

const START_OFFSET = 25

/** Of the names of a chapter, one in this many is asked for. */
const STRIDE = 16

const WHOLE: IndexShape = { recordPagesPerChapter: 4, baseChapters: 8, sparse: false, reduced: false }

/**
 * Makes room in front of an index, as the tool of old did: the chapter of slot 0 is moved to the slot behind the
 * open chapter's, whose chapter ends; super block and configuration go behind where slot 0 was, and the device
 * begins later.
 */
function reduce(index: LocalIndex, place: IndexPlace): { storage: MapStorage; reduced: IndexPlace } {
  const { layout, storage, keeper, content } = index
  const { geometry, superBlock, volumeStart } = layout
  const { chapters, pagesPerChapter, indexPagesPerChapter } = geometry
  const { newest } = keeper
  let { oldest } = keeper
  if (newest - oldest > chapters - 2) oldest++
  let moved = newest - (newest % chapters)
  let slot = (newest + 1) % chapters
  const perChapter = indexPagesPerChapter - 1
  const { entries } = content.pageMap
  entries.copyWithin(slot * perChapter, 0, perChapter)
  if (slot === 0) {
    moved += chapters
    slot = 1
  } else if (moved !== newest) {
    const bytes = new Uint8Array(pagesPerChapter * PAGE_BYTES)
    const blocks = bytes.length / BLOCK_SIZE
    const blockOf = (each: number) => volumeStart + (geometry.volumePage(each, 0) * PAGE_BYTES) / BLOCK_SIZE
    storage.read(blockOf(0), blocks, bytes, 0)
    storage.write(blockOf(slot), blocks, bytes, 0)
  }
  const shape = { ...place.shape, reduced: true }
  const after = new IndexGeometry(shape, moved, slot - 1)
  const pageMap = new IndexPageMap(after, entries.slice(perChapter, perChapter + pageMapEntries(after)))
  storage.run(saveIndex(layout, new IndexContent(content.zones, pageMap), { newest, oldest }, 9000))

  const volumeOffset = (pagesPerChapter * PAGE_BYTES) / BLOCK_SIZE
  const head = encodeIndexSuperBlock({
    ...superBlock,
    volumeBlocks: superBlock.volumeBlocks - volumeOffset,
    volumeOffset,
    startOffset: START_OFFSET,
    reduced: true,
  })
  storage.write(place.start + volumeOffset, 1, head, 0)
  storage.write(place.start + 1 + volumeOffset, 1, encodeIndexConfig(after, place.nonce, true), 0)
  const shifted = new MapStorage()
  for (const [block, bytes] of storage.blocks) shifted.blocks.set(block - START_OFFSET, bytes)
  return { storage: shifted, reduced: placeOf(shape, place.start + volumeOffset - START_OFFSET) }
}

/** Names of valid chapters are found, and none of the chapter before. */
function check(index: LocalIndex, posted: number): void {
  const { oldest } = index.keeper
  const perChapter = index.layout.geometry.recordsPerChapter
  const first = oldest * perChapter
  // Those of the chapter that has ended come first: what they lead to is not in the cache for others.
  const before = countFound(index, Math.max(first - perChapter, 0), first, STRIDE)
  expect(before, `before chapter ${oldest}`).to.equal(0)
  const found = countFound(index, first, posted, STRIDE)
  expect(found, `from chapter ${oldest} on`).to.equal(Math.ceil((posted - first) / STRIDE))
}

describe('an index that was reduced', () => {
  const place = placeOf(WHOLE, 1)
  const perChapter = 4096

  for (const newest of [3, 8, 10, 15, 16, 18]) {
    it(`while chapter ${newest} was open goes on, round and round, and is rebuilt`, function () {
      this.timeout(30_000)
      const whole = newIndex(place, 1)
      let posted = newest * perChapter + 1000
      post(whole, 0, posted)
      const { storage, reduced } = reduce(whole, place)
      const { index, opened } = reopen(storage, reduced)
      expect(opened.rebuiltFor).to.equal(undefined)
      expect(index.layout.geometry.chapters).to.equal(7)
      check(index, posted)
      for (let chapter = 0; chapter < 18; chapter++) {
        post(index, posted, posted + perChapter)
        posted += perChapter
        check(index, posted)
        if (chapter % 4 !== 1) continue
        // The open chapter is lost, and nothing else.
        const { index: rebuilt, opened: how } = reopen(copyOf(storage), reduced)
        expect(how.rebuiltFor!.code).to.equal('VDO_INDEX_CORRUPT')
        expect([how.newest, how.oldest]).to.deep.equal([index.keeper.newest, index.keeper.oldest])
        check(rebuilt, how.newest * perChapter)
      }
    })
  }
})
