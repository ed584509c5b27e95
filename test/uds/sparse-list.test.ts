import { expect } from 'chai'
import { NO_CHAPTER, SparseList } from '../../src/uds/sparse-list.js'

/** The chapters of a list in the order in which they are searched. */
function chaptersOf(list: SparseList): number[] {
  return [...list.order.subarray(0, list.live)].map((entry) => list.chapters[entry]!)
}

function load(list: SparseList, chapter: number, oldest = 0): void {
  list.purge(oldest)
  list.install(list.reclaim(), chapter)
}

describe('the list of sparse chapters', () => {
  it('has the most recent first and lets the least recent go', () => {
    const list = SparseList.create(4)
    for (const chapter of [1, 2, 3, 4]) load(list, chapter)
    expect(chaptersOf(list)).to.deep.equal([4, 3, 2, 1])
    expect(list.contains(2, true)).to.equal(true)
    expect(chaptersOf(list)).to.deep.equal([2, 4, 3, 1])
    load(list, 5)
    expect(chaptersOf(list)).to.deep.equal([5, 2, 4, 3])
    expect(list.contains(1, true)).to.equal(false)
  })

  it('gives the place of a chapter that has ended to the next', () => {
    const list = SparseList.create(4)
    for (const chapter of [1, 2, 3, 4]) load(list, chapter)
    list.contains(1, true)
    expect(chaptersOf(list)).to.deep.equal([1, 4, 3, 2])
    load(list, 9, 3)
    expect(chaptersOf(list)).to.deep.equal([9, 4, 3])
    load(list, 10, 3)
    expect(chaptersOf(list)).to.deep.equal([10, 9, 4, 3])
  })

  it('passes over a chapter that was searched in vain too often, and lets it go before others', () => {
    const list = SparseList.create(3)
    for (const chapter of [1, 2, 3]) load(list, chapter)
    const entry = list.order[0]!
    for (let i = 0; i < 10_000; i++) list.scoreMiss(entry, 2)
    expect(list.isSkipped(entry)).to.equal(false)
    list.scoreMiss(entry, 2)
    expect(list.isSkipped(entry)).to.equal(true)
    list.purge(0)
    expect(chaptersOf(list)).to.deep.equal([2, 1, 3])
    // Found by the hook of a sample it is searched again.
    list.contains(3, true)
    expect(list.isSkipped(entry)).to.equal(false)
    for (let i = 0; i <= 10_000; i++) list.scoreMiss(entry, 2)
    load(list, 4)
    expect(chaptersOf(list)).to.deep.equal([4, 2, 1])
  })

  it('has no chapter in a place whose chapter was never read', () => {
    const list = SparseList.create(2)
    load(list, 7)
    list.purge(0)
    const entry = list.reclaim()
    expect(list.chapters[entry]).to.equal(NO_CHAPTER)
    expect(chaptersOf(list)).to.deep.equal([NO_CHAPTER, 7])
    const copy = SparseList.create(2)
    copy.copyFrom(list)
    expect(chaptersOf(copy)).to.deep.equal([NO_CHAPTER, 7])
    copy.purge(0)
    expect(chaptersOf(copy)).to.deep.equal([7])
  })
})
