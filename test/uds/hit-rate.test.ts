import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import type { IndexShape } from '../../src/format/index-region.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import type { LocalIndex } from './local-index.js'
import { newIndex, placeOf } from './small-index.js'

/** 64 chapters of 1,024 records: a chapter is a small part of the window. */
const DENSE: IndexShape = { recordPagesPerChapter: 1, baseChapters: 64, sparse: false, reduced: false }
const SPARSE: IndexShape = { ...DENSE, sparse: true }
const WINDOW = 64 * 1024

/**
 * Exactly the names among the last uses. An index that moves what is used to its newest chapter, and leaves the old
 * copy where it was, has room for as many uses, not for as many names.
 */
class LastUses {
  private readonly uses = new Map<number, number>()
  private count = 0

  constructor(private readonly size: number) {}

  /** Whether the name was among them; it is now. */
  use(name: number): boolean {
    const last = this.uses.get(name)
    this.uses.set(name, ++this.count)
    return last !== undefined && this.count - last < this.size
  }
}

/** Posts a name. Whether it was known. */
function post(index: LocalIndex, name: number): boolean {
  const bytes = new Uint8Array(16)
  new Prng(name).fill(bytes)
  const location = index.ask(IndexRequest.Post, bytes, bytes)
  index.settle()
  return location !== IndexLocation.None
}

/** Each name is new, or one that was used a known number of requests ago. */
function* reuses(prng: Prng, requests: number): Generator<number> {
  const distances = [0.05, 0.3, 0.6, 0.9, 0.97, 1.2, 2].map((part) => Math.floor(part * WINDOW))
  const past: number[] = []
  let fresh = 0
  for (let i = 0; i < requests; i++) {
    const back = i - prng.pick(distances) + prng.below(100)
    const name = back < 0 || prng.chance(0.3) ? ++fresh : past[back]!
    past.push(name)
    yield name
  }
}

describe('the rate at which names are found', () => {
  it('in a dense index is that of the names used last, over four times its window', function () {
    this.timeout(60_000)
    const index = newIndex(placeOf(DENSE), 1)
    const ideal = new LastUses(WINDOW)
    let found = 0
    let wanted = 0
    let counted = 0
    let request = 0
    for (const name of reuses(new Prng(21), 4 * WINDOW)) {
      const had = ideal.use(name)
      const has = post(index, name)
      // The first window has nothing to forget.
      if (++request <= WINDOW) continue
      counted++
      if (had) wanted++
      if (has) found++
    }
    expect(index.keeper.newest).to.be.greaterThan(100)
    expect(wanted / counted).to.be.within(0.4, 0.8)
    expect(Math.abs(found - wanted) / counted).to.be.below(0.02)
  })

  it('in a sparse index is that of a window ten times as long, for names that come in their old order', function () {
    this.timeout(60_000)
    // Twice the window of the dense index, then all of it again.
    const [dense, sparse] = [newIndex(placeOf(DENSE), 1), newIndex(placeOf(SPARSE), 1)]
    const found = [dense, sparse].map((index) => {
      let hits = 0
      for (let round = 0; round < 2; round++) {
        for (let name = 1; name <= 2 * WINDOW; name++) if (post(index, name) && round === 1) hits++
      }
      return hits / (2 * WINDOW)
    })
    expect(found[0]).to.equal(0)
    // What is lost is what comes before the first sample of each chapter, which fetches the others.
    expect(found[1]).to.be.within(0.94, 0.99)
    expect(sparse.count(IndexCount.PostsFoundSparse)).to.be.greaterThan(1.4 * WINDOW)
    expect(sparse.count(IndexCount.RecordPageReads)).to.be.below(2 * sparse.keeper.newest)
  })

  it('in a sparse index is hardly more than that of its samples, for old names that come alone', function () {
    this.timeout(60_000)
    const index = newIndex(placeOf(SPARSE), 1)
    for (let name = 1; name <= 4 * WINDOW; name++) post(index, name)
    const prng = new Prng(22)
    let found = 0
    // From the oldest half: all in sparse chapters.
    for (let i = 0; i < 4000; i++) if (post(index, 1 + prng.below(2 * WINDOW))) found++
    // One in 32 is a sample; seven chapters of some 200 are in memory at any time.
    expect(found / 4000).to.be.within(0.03, 0.12)
  })
})
