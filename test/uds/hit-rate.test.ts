import { expect } from 'chai'
import { studyHitRate } from '../../src/cli/bench/hit-rate.js'
import { WholeIndexBench } from '../../src/cli/bench/whole-index-bench.js'
import { IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'

describe('the hit rate of an index', () => {
  it('is that of a list of the least recently used, over four times its window', function () {
    this.timeout(60_000)
    const geometry = new IndexGeometry(smallIndexShape(false))
    const { hits, predicted, dense, requests } = studyHitRate(
      new WholeIndexBench(geometry),
      geometry,
      64,
      4,
      1,
    )
    expect(requests).to.equal(16 * geometry.recordsPerChapter)
    expect(predicted).to.be.greaterThan(requests / 6)
    expect(hits / predicted).to.be.within(0.98, 1.02)
    expect(dense.found / dense.repeated).to.equal(1)
  })

  it('is nearly as high where chapters are sparse, for names that come in runs', function () {
    this.timeout(120_000)
    const geometry = new IndexGeometry(smallIndexShape(true))
    const runLength = 2048
    const { sparse } = studyHitRate(new WholeIndexBench(geometry), geometry, runLength, 0.25, 2, 8)
    expect(sparse.repeated).to.be.greaterThan(40 * runLength)
    // Before its first sample, which some thirty names go by for, a run of a chapter that is not cached is not found.
    expect(sparse.found / sparse.repeated).to.be.within(1 - 60 / runLength, 1 - 5 / runLength)
  })
})
