/** Which pages a request reads, and what becomes of those that wait for one. */
import { expect } from 'chai'
import { smallIndexShape } from '../../src/uds/geometry.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import type { LocalIndex } from './local-index.js'
import { chanceName as nameOf, newIndex, placeOf } from './small-index.js'

/** Chapters of 2,048 records: they end soon. */
const TINY = placeOf({ recordPagesPerChapter: 2, baseChapters: 4, sparse: false, reduced: false })

describe('requests for one name that wait for its page together', () => {
  /** An index in whose first chapter name 0 is. */
  function filled(): LocalIndex {
    const index = newIndex(TINY, 1, { rows: 8 })
    for (let i = 0; i < 5000; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
    index.settle()
    return index
  }

  /** Hands them all in before any page comes; gives what each found, by row. */
  function together(index: LocalIndex, kinds: readonly IndexRequest[]): (string | null)[] {
    kinds.forEach((kind, row) => index.submit(row, kind, nameOf(0), new Uint8Array(16).fill(row + 1)))
    expect(index.zones[0]!.isIdle).to.equal(false)
    index.settle()
    return kinds.map((_, row) => {
      if (index.requests.locations[row] === IndexLocation.None) return null
      return Buffer.from(index.requests.known.subarray(16 * row, 16 * row + 16)).toString('hex')
    })
  }

  const first = Buffer.from(nameOf(0)).toString('hex')
  const given = (row: number): string => `0${row + 1}`.repeat(16)

  it('see what those before them did', () => {
    const { Post, Update, Query, QueryNoUpdate } = IndexRequest
    expect(together(filled(), [Query, Update, Post, Update, QueryNoUpdate])).to.deep.equal([
      first,
      first,
      given(1),
      given(1),
      given(3),
    ])
  })

  it('find nothing once it is forgotten, but what comes after that', () => {
    const { Post, Delete, Query } = IndexRequest
    expect(together(filled(), [Delete, Query, Post, Query])).to.deep.equal([first, null, null, given(2)])
  })

  it('read each page once', () => {
    const index = filled()
    const { Query } = IndexRequest
    const reads = (): number =>
      index.count(IndexCount.IndexPageReads) + index.count(IndexCount.RecordPageReads)
    const before = reads()
    together(index, [Query, Query, Query, Query, Query])
    expect(reads() - before).to.equal(2)
  })
})

describe('the pages that a request costs', () => {
  const pagesOf = (index: LocalIndex): number[] => [
    index.count(IndexCount.IndexPageReads),
    index.count(IndexCount.RecordPageReads),
  ]

  it('are none for a new name, but one for each that the volume index takes for another', function () {
    this.timeout(20_000)
    // Filled, then gone round once and a half.
    const index = newIndex(placeOf(smallIndexShape(false)), 1)
    const { recordsPerChapter } = index.layout.geometry
    const post = (from: number, to: number): void => {
      for (let i = from; i < to; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
      index.settle()
    }
    post(0, 3 * recordsPerChapter)
    const before = [...pagesOf(index), index.count(IndexCount.FalseVolumeHits)]
    const count = 6 * recordsPerChapter
    post(3 * recordsPerChapter, 3 * recordsPerChapter + count)
    const [indexPages, recordPages, hits] = [...pagesOf(index), index.count(IndexCount.FalseVolumeHits)].map(
      (total, i) => total - before[i]!,
    ) as [number, number, number]
    expect(index.count(IndexCount.PostsNotFound)).to.equal(3 * recordsPerChapter + count)
    // Of those, the ones that seem to be in the newest two chapters need no page, nor those whose page was read before.
    expect(indexPages).to.be.within(1, hits)
    expect(recordPages).to.be.at.most(1)
    // A list has some 256 of the 2^20 keys that a name may have.
    expect(count / hits).to.be.within(3000, 6500)
  })

  it('are none to forget a name that the volume index knows in full', () => {
    const index = newIndex(TINY, 1)
    // The second has the key of the first, and so its whole name stands there.
    const first = nameOf(0).fill(7, 0, 8)
    const second = nameOf(1).fill(7, 0, 8)
    const names = [first, second, ...Array.from({ length: 5000 }, (_, i) => nameOf(10 + i))]
    for (const name of names) index.ask(IndexRequest.Post, name, name)
    index.settle()
    const before = pagesOf(index)
    expect(index.ask(IndexRequest.Delete, second)).to.equal(IndexLocation.Dense)
    expect(pagesOf(index)).to.deep.equal(before)
    expect(index.ask(IndexRequest.Delete, first)).to.equal(IndexLocation.Dense)
    expect(index.ask(IndexRequest.Query, first)).to.equal(IndexLocation.None)
  })

  it('are kept as long as others are used less', () => {
    const index = newIndex(TINY, 1, { sizes: { cachePages: 4 } })
    for (let i = 0; i < 7000; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
    index.settle()
    expect(index.keeper.newest).to.equal(3)
    /** Reads for a look at a name: of chapters 0 and 1, each on the first or second record page. */
    const look = (i: number): number => {
      const before = pagesOf(index)
      expect(index.ask(IndexRequest.QueryNoUpdate, nameOf(i))).to.equal(IndexLocation.Dense)
      return pagesOf(index).reduce((sum, pages, kind) => sum + pages - before[kind]!, 0)
    }
    const [first, second, other] = [0, 1024, 2048]
    expect([look(first), look(second), look(first)]).to.deep.equal([2, 1, 0])
    // Two more pages: there is room for one, and the page of `second` was used longest ago.
    expect([look(other), look(first), look(second)]).to.deep.equal([2, 0, 1])
  })
})
