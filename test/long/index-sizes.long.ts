/** Chapters of the standard sizes, filled, written and read back. */
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { indexShapeOf, regionOfShape } from '../../src/format/index-region.js'
import { createLayout, type IndexPlace, openLayout } from '../../src/uds/index-layout.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import { LocalIndex } from '../uds/local-index.js'
import { MapStorage } from '../uds/uds-samples.js'

const name = new Uint8Array(16)

function nameOf(i: number): Uint8Array {
  new Prng(i).fill(name)
  return name
}

/** Asks for some of the names below `count`, and for as many that nobody has posted. */
function check(index: LocalIndex, count: number): void {
  const step = Math.floor(count / 3000)
  for (let i = 0; i < count; i += step) {
    const location = index.ask(IndexRequest.QueryNoUpdate, nameOf(i))
    expect(location, `name ${i}`).to.not.equal(IndexLocation.None)
    expect(index.requests.known.subarray(0, 16)).to.deep.equal(nameOf(i))
    expect(index.ask(IndexRequest.QueryNoUpdate, nameOf(1e9 + i))).to.equal(IndexLocation.None)
  }
}

describe('an index', () => {
  const sizes: readonly [title: string, memory: number, sparse: boolean, zones: number][] = [
    ['0.25 GB, dense', -256, false, 3],
    ['0.5 GB, dense', -512, false, 1],
    ['0.75 GB, dense', -768, false, 2],
    ['1 GB, dense', 1, false, 1],
    // As large as one zone can be.
    ['4 GB, dense', 4, false, 1],
    ['0.25 GB, sparse', -256, true, 2],
  ]
  for (const [title, memory, sparse, zones] of sizes) {
    it(`of ${title} finds what is in its chapters, before it is saved and after`, function () {
      this.timeout(600_000)
      const shape = indexShapeOf(memory, sparse)
      const place: IndexPlace = { shape, start: 1, blocks: regionOfShape(shape).blockCount, nonce: 3n }
      const storage = new MapStorage()
      let count = 0
      {
        const index = new LocalIndex(
          storage,
          storage.run(createLayout(place, { nanoseconds: 9n, chance: 9 })),
          { zones },
        )
        // Two chapters, of which the first is looked for on disk, and a little of the third.
        for (; index.keeper.newest < 2 || count % 1000 !== 0; count++) {
          index.ask(IndexRequest.Post, nameOf(count), nameOf(count))
          index.settle()
        }
        check(index, count)
        expect(index.count(IndexCount.IndexPageReads)).to.be.at.least(
          index.layout.geometry.indexPagesPerChapter,
        )
        expect(index.keeper.writer.index.overflows).to.equal(0)
        index.save(1000)
      }
      const again = new LocalIndex(storage, storage.run(openLayout(place)), { zones: zones === 1 ? 2 : 1 })
      again.load()
      check(again, count)
    })
  }
})
