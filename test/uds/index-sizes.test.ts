import { expect } from 'chai'
import { indexMemoryCode } from '../../src/format/index-memory.js'
import { indexShapeOf } from '../../src/format/index-region.js'
import { openLayout } from '../../src/uds/index-layout.js'
import { LocalIndex } from './local-index.js'
import { countFound, newIndex, placeOf, post } from './small-index.js'

describe('an index of a real size', () => {
  const sizes: [gib: number, sparse: boolean, zones: number, others: number][] = [
    [0.25, false, 1, 3],
    [0.25, true, 2, 1],
    [0.5, false, 3, 16],
    [1, false, 16, 5],
  ]
  for (const [gib, sparse, zones, others] of sizes) {
    it(`of ${gib} GB, ${sparse ? 'sparse' : 'dense'}, is made, saved and loaded again`, function () {
      this.timeout(60_000)
      const place = placeOf(indexShapeOf(indexMemoryCode(gib), sparse))
      const index = newIndex(place, zones)
      post(index, 0, 4000)
      index.save(1000)
      const { storage } = index
      // Only what was written is there: the region of 1 GB is 11 GB.
      expect(storage.blocks.size).to.be.below(8000)
      const again = new LocalIndex(storage, storage.run(openLayout(place)), { zones: others })
      again.load()
      expect(countFound(again, 0, 4000)).to.equal(4000)
      post(again, 4000, 5000)
      again.save(2000)
      const back = new LocalIndex(storage, storage.run(openLayout(place)), { zones })
      back.load()
      expect(countFound(back, 0, 5000)).to.equal(5000)
    })
  }
})
