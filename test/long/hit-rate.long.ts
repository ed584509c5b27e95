/**
 * What a dense and a sparse index of the same window find of the same requests, over four times the window, with
 * names that come again alone, in short and in long runs. Prints the table.
 */

import { expect } from 'chai'
import { WholeIndexBench } from '../../src/cli/bench/whole-index-bench.js'
import { IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'
import { type HitRate, studyHitRate } from '../uds/reuse-study.js'

/** Both have 40 chapters; all but two of the second are sparse. */
const DENSE = new IndexGeometry({ ...smallIndexShape(false), baseChapters: 40 })
const SPARSE = new IndexGeometry(smallIndexShape(true))

/** Names in a run, and the share of a dense index's finds that a sparse one has to have. */
const RUNS = [
  { length: 1, share: 0.05 },
  { length: 64, share: 0.55 },
  { length: 1024, share: 0.96 },
  { length: 8192, share: 0.99 },
]

const percent = (part: number, of: number): string => `${((100 * part) / of).toFixed(2)} %`

describe('a dense and a sparse index side by side', () => {
  before(() => expect(DENSE.chapters).to.equal(SPARSE.chapters))

  for (const { length, share } of RUNS) {
    it(`find names that come again in runs of ${length}`, function () {
      this.timeout(600_000)
      const study = (geometry: IndexGeometry): HitRate =>
        studyHitRate(new WholeIndexBench(geometry), geometry, length, 4, 1)
      const dense = study(DENSE)
      const sparse = study(SPARSE)
      for (const [name, { requests, hits, predicted, sparse: old }] of Object.entries({ dense, sparse })) {
        const ofOld =
          old.repeated === 0 ? '' : `, ${percent(old.found, old.repeated)} of those in sparse chapters`
        process.stdout.write(
          `      ${name}: finds ${percent(hits, requests)} of ${requests}, LRU ${percent(predicted, requests)}${ofOld}\n`,
        )
      }
      expect(dense.hits / dense.predicted).to.be.within(0.98, 1.02)
      expect(sparse.predicted).to.equal(dense.predicted)
      expect(sparse.hits / dense.hits).to.be.within(share, 1)
    })
  }
})
