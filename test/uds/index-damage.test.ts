import { expect } from 'chai'
import { writeU64 } from '../../src/base/bytes.js'
import { Prng } from '../../src/base/prng.js'
import { regionOfShape } from '../../src/format/index-region.js'
import { admitIndexPage, listStart } from '../../src/uds/chapter-index-page.js'
import { IndexError } from '../../src/uds/index-error.js'
import { createLayout, type IndexPlace, openLayout } from '../../src/uds/index-layout.js'
import { IndexRequest } from '../../src/uds/index-requests.js'
import { canBeReplaced, openIndex } from '../../src/uds/open-index.js'
import { indexRefusal } from './index-refusal.js'
import type { LocalIndex } from './local-index.js'
import { sampleData } from './sample-sequences.js'
import { BIRTH, countFound, nameOf, newIndex, post, reopen, TINY, TINY_SPARSE } from './small-index.js'
import { copyOf, MapStorage } from './uds-samples.js'

/** A birth that is not that of the other indexes: their chapters are none of its own. */
const LATER = { ...BIRTH, chance: 100 }

/** Uses an index whose region was damaged: it may say what is not so, or fail, and must go on being an index. */
function use(index: LocalIndex): void {
  for (let i = 0; i < 1500; i++) {
    index.ask(i % 3 === 0 ? IndexRequest.Query : IndexRequest.Post, nameOf(i * 7), sampleData(i, 0))
  }
  index.settle()
}

describe('an index whose region is damaged', () => {
  const saved = new Map<IndexPlace, MapStorage>()

  before(function () {
    this.timeout(30_000)
    for (const [place, count] of [
      [TINY, 22_000],
      [TINY_SPARSE, 40_000],
    ] as const) {
      const index = newIndex(place, 1)
      post(index, 0, count)
      index.save(1000)
      saved.set(place, copyOf(index.storage))
    }
  })

  it('opens, is rebuilt or is refused, whatever bits of its save are flipped, and can be used', function () {
    this.timeout(60_000)
    const chance = new Prng(316)
    const outcomes = new Map<string, number>()
    for (let run = 0; run < 80; run++) {
      const place = run % 2 === 0 ? TINY : TINY_SPARSE
      const storage = copyOf(saved.get(place)!)
      const { region } = storage.run(openLayout(place)).geometry
      const used = [...storage.blocks.keys()].filter((block) => block >= 3 + region.chapterBlocks)
      for (let flips = 0; flips <= run % 4; flips++) {
        // Most of what is interesting stands in front of an area.
        const block = chance.below(3) === 0 ? used[chance.below(4)]! : used[chance.below(used.length)]!
        const bytes = storage.blocks.get(block)!.slice()
        bytes[chance.below(chance.below(2) === 0 ? 64 : 4096)]! ^= 1 << chance.below(8)
        storage.blocks.set(block, bytes)
      }
      const outcome = tryToUse(storage, place)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    expect([...outcomes.keys()].sort()).to.deep.equal(['loaded', 'rebuilt'])
    expect(Math.min(...outcomes.values())).to.be.greaterThan(5)
  })

  it('is rebuilt or is refused, whatever bits of its chapters are flipped, and can be used', function () {
    this.timeout(60_000)
    const chance = new Prng(317)
    const outcomes = new Set<string>()
    for (let run = 0; run < 60; run++) {
      const place = run % 2 === 0 ? TINY : TINY_SPARSE
      const storage = copyOf(saved.get(place)!)
      const layout = storage.run(openLayout(place))
      const { chapterBlocks } = layout.geometry.region
      if (run % 3 !== 0) for (const { slot } of layout.slots) storage.blocks.delete(slot.start)
      const pages = [...storage.blocks.keys()].filter((block) => block >= 11 && block < 3 + chapterBlocks)
      for (let flips = 0; flips <= run % 5; flips++) {
        const block = pages[chance.below(pages.length)]!
        // The first block of a chapter's index page, or any.
        const chosen = chance.below(2) === 0 ? block - ((block - 11) % 40) : block
        const bytes = storage.blocks.get(chosen)?.slice()
        if (bytes === undefined) continue
        bytes[chance.below(chance.below(2) === 0 ? 200 : 4096)]! ^= 1 << chance.below(8)
        storage.blocks.set(chosen, bytes)
      }
      outcomes.add(tryToUse(storage, place))
    }
    expect(outcomes).to.include('rebuilt')
    expect(outcomes).to.include('VDO_INDEX_CORRUPT')
  })

  it('is rebuilt or is refused when any part of it is zeros', function () {
    this.timeout(60_000)
    const chance = new Prng(318)
    const outcomes = new Set<string>()
    for (let run = 0; run < 40; run++) {
      const storage = copyOf(saved.get(TINY)!)
      const last = TINY.blocks
      const from = run % 10 === 0 ? 1 : 1 + chance.below(last)
      const to = from + 1 + chance.below(run % 2 === 0 ? 20 : last)
      for (let block = from; block < to; block++) storage.blocks.delete(block)
      outcomes.add(tryToUse(storage, TINY))
    }
    expect([...outcomes].sort()).to.include.members(['VDO_INDEX_MISSING', 'loaded', 'rebuilt'])
  })

  it('is made again where there is none', () => {
    for (const storage of [new MapStorage(), copyOf(saved.get(TINY_SPARSE)!)]) {
      const error = indexRefusal(() => reopen(storage, TINY))
      expect(canBeReplaced(error)).to.equal(true)
      storage.run(createLayout(TINY, LATER))
      const again = reopen(storage, TINY)
      expect([again.opened.newest, again.opened.oldest]).to.deep.equal([0, 0])
      expect(again.opened.rebuiltFor!.message).to.equal('Cannot load the index: it has no save')
    }
  })

  it('is not replaced if its version is not known, or its region is too small', () => {
    const storage = copyOf(saved.get(TINY)!)
    const refusal = indexRefusal(() => reopen(storage, { ...TINY, blocks: 100 }))
    expect(refusal.code).to.equal('VDO_INDEX_NO_SPACE')
    expect(canBeReplaced(refusal)).to.equal(false)
    const bytes = storage.blocks.get(1)!.slice()
    bytes[18] = 9
    storage.blocks.set(1, bytes)
    const unsupported = indexRefusal(() => reopen(storage, TINY))
    expect(unsupported.code).to.equal('VDO_INDEX_UNSUPPORTED')
    expect(canBeReplaced(unsupported)).to.equal(false)
    expect(canBeReplaced(new Error('the disk is gone'))).to.equal(false)
  })

  it('is rebuilt without its last chapter if that has lists that do not end', () => {
    const storage = copyOf(saved.get(TINY)!)
    const layout = storage.run(openLayout(TINY))
    const { newest, oldest } = layout.latest!.save!
    const { geometry, volumeStart, slots } = layout
    for (const { slot } of slots) storage.blocks.delete(slot.start)
    const slot = geometry.physicalChapter(Number(newest) - 1)
    const page = new Uint8Array(32_768)
    const block = volumeStart + 8 * geometry.volumePage(slot, 0)
    storage.read(block, 8, page, 0)
    // A distance that begins as a long one does, and goes on for too many zeros.
    const first = listStart(page, 0, 0) >>> 3
    page.fill(0xff, first + 1, first + 3).fill(0, first + 3, first + 200)
    expect(admitIndexPage(page, 0, layout.nonce)).to.equal(true)
    storage.write(block, 8, page, 0)
    const { opened } = reopen(storage, TINY)
    // The slot of the chapter that was open has not been written over yet.
    expect([opened.newest, opened.oldest]).to.deep.equal([Number(newest) - 1, Number(oldest) - 1])
  })

  it('is refused if a chapter in the midst of the others is not the one that it should be', () => {
    const shape = { ...TINY.shape, recordPagesPerChapter: 1, baseChapters: 8 }
    const place = { ...TINY, shape, blocks: regionOfShape(shape).blockCount }
    const index = newIndex(place, 1)
    post(index, 0, 10 * 1024)
    const { storage, layout } = index
    const block = layout.volumeStart + 8 * layout.geometry.volumePage(5, 0)
    const bytes = storage.blocks.get(block)!.slice()
    expect(bytes[8]).to.equal(5)
    bytes[8] = 13
    storage.blocks.set(block, bytes)
    const { code, message } = indexRefusal(() => reopen(storage, place))
    expect(`${code} ${message}`).to.equal(
      'VDO_INDEX_CORRUPT Cannot read the chapter 5 in slot 5: index page 0 is damaged',
    )
  })

  it('is not rebuilt for want of memory: a rebuild takes no less', () => {
    const storage = saved.get(TINY)!
    const opening = openIndex(TINY, {
      *load() {
        yield* []
        throw new IndexError('VDO_INDEX_NO_MEMORY', 'there is none')
      },
      *rebuild() {
        yield* []
        throw new Error('it is rebuilt')
      },
    })
    const refusal = indexRefusal(() => storage.run(opening))
    expect(refusal.code).to.equal('VDO_INDEX_NO_MEMORY')
    expect(canBeReplaced(refusal)).to.equal(false)
  })

  it('is rebuilt if its save contradicts itself', () => {
    const shape = { ...TINY.shape, recordPagesPerChapter: 16 }
    const place = { ...TINY, shape, blocks: regionOfShape(shape).blockCount }
    const index = newIndex(place, 1)
    post(index, 0, 17_000)
    index.save(1000)
    const areas = index.layout.areasOf(index.layout.latest!)
    const header = index.layout.slots[0]!.slot.start
    const judge = (block: number, at: number, value: number): string => {
      const storage = copyOf(index.storage)
      const bytes = storage.blocks.get(block)!.slice()
      writeU64(bytes, at, value)
      storage.blocks.set(block, bytes)
      const { opened, index: rebuilt } = reopen(storage, place)
      expect(countFound(rebuilt, 0, 17_000)).to.equal(opened.rebuiltFor === undefined ? 17_000 : 16_384)
      return opened.rebuiltFor?.message ?? 'loaded'
    }
    expect(judge(header, 24 + 4 * 24 + 56, 0)).to.equal('loaded')
    // Newest and oldest chapter of the header.
    expect(judge(header, 24 + 4 * 24 + 32, 2 ** 40)).to.equal(
      'Cannot read the header of save 0: it has chapters 0 to 1099511627776',
    )
    expect(judge(header, 24 + 4 * 24 + 32, 3)).to.equal(
      'Cannot read the volume index: its open chapter is 1, wanted 3',
    )
    expect(judge(header, 24 + 4 * 24 + 40, 2)).to.equal(
      'Cannot read the header of save 0: it has chapters 2 to 1',
    )
    expect(judge(areas.pageMap.block, 8, 7)).to.equal(
      'Cannot read the index page map: its last chapter is 7, wanted 0',
    )
    expect(judge(areas.pageMap.block, 16, 256)).to.equal(
      'Cannot read the index page map: page 0 of chapter 0 ends with list 256',
    )
    expect(judge(areas.openChapter.block, 10, 16_385)).to.equal(
      'Cannot read the saved open chapter: it has 16385 records, wanted 16384 at most',
    )
  })

  it('is not believed to have come to where no chapter is left', () => {
    const opened = [2 ** 32 - 1, 2 ** 31, 2 ** 31 - 1].map((newest) => {
      const index = newIndex(TINY, 1)
      for (const { volumeIndex } of index.zones) volumeIndex.openChapter(newest)
      index.begin({ oldest: newest, newest })
      index.save(1000)
      const { opened, index: again } = reopen(index.storage, TINY)
      post(again, 0, 5000)
      return [opened.newest, opened.rebuiltFor?.code]
    })
    expect(opened).to.deep.equal([
      [0, 'VDO_INDEX_CORRUPT'],
      [0, 'VDO_INDEX_CORRUPT'],
      [2 ** 31 - 1, undefined],
    ])
  })

  it('does not hide what went wrong with the disk', () => {
    const storage = copyOf(saved.get(TINY)!)
    for (const failing of [1, 2, 533 - 400, 200]) {
      const read = storage.read.bind(storage)
      storage.read = (block, count, bytes, at) => {
        if (block <= failing && failing < block + count) throw new RangeError('the disk is gone')
        read(block, count, bytes, at)
      }
      try {
        reopen(storage, TINY)
      } catch (error) {
        expect((error as Error).message).to.equal('the disk is gone')
      }
      storage.read = read
    }
  })

  it('is what it was when nothing is damaged', () => {
    const { index, opened } = reopen(copyOf(saved.get(TINY)!), TINY)
    expect(opened.rebuiltFor).to.equal(undefined)
    // The last three closed chapters and the open one.
    expect(countFound(index, 0, 22_000)).to.be.within(12_000, 14_000)
    use(index)
  })
})

/** Opens a damaged index and uses it. Says what became of it. */
function tryToUse(storage: MapStorage, place: IndexPlace): string {
  try {
    const { index, opened } = reopen(storage, place)
    use(index)
    return opened.rebuiltFor === undefined ? 'loaded' : 'rebuilt'
  } catch (error) {
    if (error instanceof IndexError) return error.code
    throw error
  }
}
