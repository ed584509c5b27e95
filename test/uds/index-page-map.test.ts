import { expect } from 'chai'
import {
  admitIndexPage,
  chapterOfPage,
  firstListOfPage,
  listCountOfPage,
} from '../../src/uds/chapter-index-page.js'
import { IndexGeometry, PAGE_BYTES, smallIndexShape } from '../../src/uds/geometry.js'
import { IndexPageMap, loadPageMap, savePageMap } from '../../src/uds/index-page-map.js'
import { readVolumePage, writtenSlots } from './chapter-samples.js'
import { areasOfSave, MapStorage, openSample, SAMPLE_NAMES } from './uds-samples.js'

describe('the index page map', () => {
  it('leads each list to its page', () => {
    const geometry = new IndexGeometry(smallIndexShape(false))
    const map = new IndexPageMap(geometry)
    map.set(2, 0, 170)
    map.set(2, 1, 340)
    map.set(2, 2, 511)
    expect([0, 170, 171, 340, 341, 511].map((list) => map.pageOf(2, list))).to.deep.equal([0, 0, 1, 1, 2, 2])
    expect([0, 1, 2].map((page) => [map.firstList(2, page), map.lastList(2, page)])).to.deep.equal([
      [0, 170],
      [171, 340],
      [341, 511],
    ])
    expect(map.pageOf(1, 300)).to.equal(2)
  })

  it('is refused where something else is', () => {
    const geometry = new IndexGeometry(smallIndexShape(false))
    const load = (): void =>
      new MapStorage().run(loadPageMap(new IndexPageMap(geometry), 0, { block: 9, blocks: 1 }))
    expect(load).to.throw('Cannot read the index page map: it does not begin as one')
  })

  for (const name of SAMPLE_NAMES) {
    it(`of ${name} says where the lists of its chapters are, and is saved to the same bytes`, function () {
      this.timeout(20_000)
      const { geometry, storage, nonce, facts } = openSample(this, name)
      const page = new Uint8Array(PAGE_BYTES)
      for (const [slot, save] of facts.saves.entries()) {
        if (save === null) continue
        const { pageMap: area } = areasOfSave(geometry, slot, save.zones)
        const map = new IndexPageMap(geometry)
        storage.run(loadPageMap(map, save.newest, area))
        expect(() => storage.run(loadPageMap(new IndexPageMap(geometry), save.newest + 1, area))).to.throw(
          `its last chapter is ${save.newest - 1}, wanted ${save.newest}`,
        )
        const again = new MapStorage()
        again.run(savePageMap(map, save.newest, area))
        expect(Buffer.compare(again.area(area), storage.area(area))).to.equal(0)

        // What was written since the save, or had ended before a rebuild, is not in the map.
        const isLatest = facts.saves.every((other) => other === null || other.newest <= save.newest)
        for (const physical of isLatest ? writtenSlots(geometry, storage) : []) {
          for (let i = 0; i < geometry.indexPagesPerChapter; i++) {
            readVolumePage(storage, geometry.volumePage(physical, i), page)
            expect(admitIndexPage(page, 0, nonce)).to.equal(true)
            const chapter = chapterOfPage(page, 0)
            if (chapter < save.oldest || chapter >= save.newest) continue
            const first = firstListOfPage(page, 0)
            expect(map.firstList(physical, i)).to.equal(first)
            expect(map.lastList(physical, i)).to.equal(first + listCountOfPage(page, 0) - 1)
          }
        }
      }
    })
  }
})
