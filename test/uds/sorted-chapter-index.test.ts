import { expect } from 'chai'
import fc from 'fast-check'
import { Prng } from '../../src/base/prng.js'
import { ChapterIndex } from '../../src/uds/chapter-index.js'
import { IndexGeometry, PAGE_BYTES, RECORDS_PER_PAGE, smallIndexShape } from '../../src/uds/geometry.js'
import { SortedChapterIndex } from '../../src/uds/sorted-chapter-index.js'

const SMALL = new IndexGeometry(smallIndexShape(false))
const TINY = new IndexGeometry({ recordPagesPerChapter: 2, baseChapters: 4, sparse: false, reduced: false })
const NONCE = { low: 0xdead_beef, high: 0x8000_0001 }

/** The pages of a chapter with these names, made by both; undefined if the one cannot. */
function packBoth(
  geometry: IndexGeometry,
  names: Uint8Array,
  isFill: (place: number) => boolean,
): Buffer[] | undefined {
  const sorted = new SortedChapterIndex(geometry, NONCE)
  const index = new ChapterIndex(geometry, NONCE)
  for (let place = 0; place < geometry.recordsPerChapter; place++) {
    if (isFill(place)) sorted.skip()
    else {
      sorted.add(names, place * 16)
      index.put(names, place * 16, Math.floor(place / RECORDS_PER_PAGE))
    }
  }
  if (!sorted.plan()) return undefined
  const reader = {
    readName: (place: number, name: Uint8Array) => name.set(names.subarray(place * 16, place * 16 + 16)),
  }
  const pages = [0, 1].map(() => Buffer.alloc(geometry.indexPagesPerChapter * PAGE_BYTES, 0x77))
  let list = 0
  const last = geometry.indexPagesPerChapter - 1
  for (let page = 0; page <= last; page++) {
    const at = page * PAGE_BYTES
    const count = sorted.writePage(9, page, list, reader, pages[0]!, at)
    expect(index.packPage(9, list, page === last, pages[1]!, at)).to.equal(count)
    list += count
  }
  expect(list).to.equal(geometry.listsPerChapter)
  return pages
}

/** Names of which some have the keys of others, and some keys are the smallest or the largest of their list. */
function someNames(geometry: IndexGeometry, seed: number, collisions: number): Uint8Array {
  const prng = new Prng(seed)
  const names = new Uint8Array(geometry.recordsPerChapter * 16)
  prng.fill(names)
  for (let place = 1; place < geometry.recordsPerChapter; place++) {
    if (!prng.chance(collisions)) continue
    const at = place * 16
    const other = prng.below(place) * 16
    if (prng.chance(0.8)) names.copyWithin(at + 8, other + 8, other + 14)
    else if (prng.chance(0.5)) names.fill(0, at + 12, at + 14)
    else names.fill(0xff, at + 12, at + 14)
  }
  return names
}

describe('the index of a chapter that is made at once', () => {
  it('has the very bytes of one that was made name by name', function () {
    this.timeout(30_000)
    let made = 0
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom(0, 0.002, 0.006),
        fc.integer({ min: 0, max: 40 }),
        (seed, part, fill) => {
          for (const geometry of [TINY, SMALL]) {
            const isFill = (place: number): boolean => place % 97 < fill
            const pages = packBoth(geometry, someNames(geometry, seed, part), isFill)
            if (pages === undefined) continue
            made++
            expect(pages[0]!.equals(pages[1]!)).to.equal(true)
          }
        },
      ),
      { seed: 77, numRuns: 12, endOnFailure: true },
    )
    expect(made).to.be.greaterThan(15)
  })

  it('is not made where names have to be left out', () => {
    expect(packBoth(SMALL, someNames(SMALL, 1, 0.05), () => false)).to.equal(undefined)
    const alike = new Uint8Array(SMALL.recordsPerChapter * 16).fill(7)
    expect(packBoth(TINY, alike.subarray(0, TINY.recordsPerChapter * 16), () => false)).to.equal(undefined)
  })
})
