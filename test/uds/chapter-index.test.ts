import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { ChapterIndex } from '../../src/uds/chapter-index.js'
import {
  admitIndexPage,
  findInIndexPage,
  firstListOfPage,
  listCountOfPage,
  NO_RECORD_PAGE,
  walkIndexPage,
} from '../../src/uds/chapter-index-page.js'
import { IndexGeometry, PAGE_BYTES, smallIndexShape } from '../../src/uds/geometry.js'

const GEOMETRY = new IndexGeometry(smallIndexShape(false))
const NONCE = { low: 0xdead_beef, high: 0x8000_0001 }

/** A name of a list and address, told from others of them by its number. */
function nameOf(list: number, address: number, number: number): Uint8Array {
  const name = new Uint8Array(16)
  name.set([number, number >>> 8, number >>> 16])
  name.set([list >>> 10, list >>> 2, ((list & 3) << 6) | (address >>> 16), address >>> 8, address], 9)
  return name
}

function pack(index: ChapterIndex): Uint8Array {
  const pages = new Uint8Array(GEOMETRY.indexPagesPerChapter * PAGE_BYTES)
  let list = 0
  for (let at = 0; at < pages.length; at += PAGE_BYTES) {
    const count = index.packPage(5, list, at + PAGE_BYTES === pages.length, pages, at)
    expect(admitIndexPage(pages, at, NONCE)).to.equal(true)
    expect(walkIndexPage(GEOMETRY, pages, at)).to.equal(true)
    expect([firstListOfPage(pages, at), listCountOfPage(pages, at)]).to.deep.equal([list, count])
    list += count
  }
  expect(list).to.equal(GEOMETRY.listsPerChapter)
  return pages
}

function find(pages: Uint8Array, list: number, name: Uint8Array): number {
  let at = 0
  while (firstListOfPage(pages, at) + listCountOfPage(pages, at) <= list) at += PAGE_BYTES
  return findInIndexPage(GEOMETRY, pages, at, name, 0)
}

describe('the index of a chapter', () => {
  it('finds names of one address by themselves, once it has them', () => {
    const index = new ChapterIndex(GEOMETRY, NONCE)
    const names = [0, 1, 2, 3].map((number) => nameOf(300, 77, number))
    names.forEach((name, page) => index.put(name, 0, page))
    const pages = pack(index)
    expect(names.map((name) => find(pages, 300, name))).to.deep.equal([0, 1, 2, 3])
    // The first of them has no name of its own there, so it stands for all others.
    expect(find(pages, 300, nameOf(300, 77, 9))).to.equal(0)
    expect(find(pages, 300, nameOf(300, 78, 0))).to.equal(NO_RECORD_PAGE)
    expect(find(pages, 299, nameOf(299, 77, 0))).to.equal(NO_RECORD_PAGE)
  })

  it('drops an entry for which its list has no room, and keeps the others', () => {
    const index = new ChapterIndex(GEOMETRY, NONCE)
    for (let number = 0; number < 500; number++) index.put(nameOf(8, 4_000_000, number), 0, number % 32)
    // 5 bits of page, 16 of code, 128 of name.
    const room = 1 + Math.floor((65_535 - 5 - 16 - 1 - Math.floor((4_000_000 - 20_110) / 45_426)) / 149)
    expect(index.overflows).to.equal(500 - room)
    const pages = pack(index)
    for (let number = 0; number < room; number++)
      expect(find(pages, 8, nameOf(8, 4_000_000, number))).to.equal(number % 32)
    expect(find(pages, 8, nameOf(8, 4_000_000, room))).to.equal(0)
  })

  it('gives up whole lists where its pages do not suffice, from the first that does not fit', () => {
    const prng = new Prng(3)
    const index = new ChapterIndex(GEOMETRY, NONCE)
    // Collisions in every list: a quarter more than the pages hold.
    for (let number = 0; number < GEOMETRY.listsPerChapter * 13; number++) {
      index.put(nameOf(number % GEOMETRY.listsPerChapter, 99, number), 0, prng.below(32))
    }
    expect(index.overflows).to.equal(0)
    const pages = pack(index)
    expect(index.listsGivenUp).to.be.greaterThan(50)
    const gone = Array.from({ length: GEOMETRY.listsPerChapter }, (_, list) => list).filter(
      (list) => find(pages, list, nameOf(list, 99, list)) === NO_RECORD_PAGE,
    )
    expect(gone.length).to.equal(index.listsGivenUp)
    // The last page is full with what came first on it, and all that is behind has gone.
    expect(gone).to.deep.equal(Array.from({ length: gone.length }, (_, i) => gone[0]! + i))
    expect(gone[0]).to.be.greaterThan(firstListOfPage(pages, 2 * PAGE_BYTES))
    expect(gone.at(-1)).to.equal(GEOMETRY.listsPerChapter - 1)
  })

  it('gives up a list before the last ones where those are empty', () => {
    const index = new ChapterIndex(GEOMETRY, NONCE)
    // Four lists to a page, and behind the last of them more empty ones than their places find room.
    for (let list = 0; list < 12; list++) {
      for (let number = 0; number < 430; number++) index.put(nameOf(list, 5, number), 0, 1)
    }
    const pages = pack(index)
    expect(firstListOfPage(pages, 2 * PAGE_BYTES)).to.equal(8)
    expect(index.listsGivenUp).to.equal(1)
    const found = Array.from({ length: 13 }, (_, list) => find(pages, list, nameOf(list, 5, 0)))
    expect(found).to.deep.equal([...Array(11).fill(1), NO_RECORD_PAGE, NO_RECORD_PAGE])
  })

  it('is empty again after it is cleared', () => {
    const index = new ChapterIndex(GEOMETRY, NONCE)
    index.put(nameOf(1, 1, 1), 0, 1)
    index.clear()
    expect(index.entries).to.equal(0)
    expect(find(pack(index), 1, nameOf(1, 1, 1))).to.equal(NO_RECORD_PAGE)
  })
})
