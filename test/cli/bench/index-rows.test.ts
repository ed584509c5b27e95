import { expect } from 'chai'
import { INDEX_ROWS, type IndexRowResult, measureIndex } from '../../../src/cli/bench/index-rows.js'
import { NameStream } from '../../../src/cli/bench/name-stream.js'
import { VolumeIndexBench } from '../../../src/cli/bench/volume-index-bench.js'
import { WholeIndexBench } from '../../../src/cli/bench/whole-index-bench.js'
import { IndexGeometry, smallIndexShape } from '../../../src/uds/geometry.js'

describe('the index part of the benchmark', () => {
  for (const Bench of [VolumeIndexBench, WholeIndexBench]) {
    it(`fills an index, turns it over, and asks for what is there and what is not (${Bench.name})`, function () {
      this.timeout(30_000)
      const geometry = new IndexGeometry(smallIndexShape(false))
      const results: IndexRowResult[] = []
      measureIndex(new Bench(geometry), new NameStream(1), 2, (result) => results.push(result))
      expect(results.map(({ row }) => row)).to.deep.equal(Object.values(INDEX_ROWS))
      for (const result of results) expect(result.isProven, result.row).to.equal(true)
      const [fill, full] = results
      expect(fill!.records).to.equal(3 * geometry.recordsPerChapter)
      expect(fill!.requests).to.equal(fill!.records)
      // What has ended goes when its list is next looked at, and every list is looked at in every small chapter.
      expect(full!.records).to.be.within(3 * geometry.recordsPerChapter, 4 * geometry.recordsPerChapter)
      expect(full!.requestsPerFalsePositive).to.be.greaterThan(1000)
      expect(results[3]!.foundShare).to.equal(1)
    })
  }

  it('has names that meet in their keys as often as chance has it, and never are the same', () => {
    const names = new NameStream(7)
    const words = new Uint32Array(4)
    const count = 200_000
    const seen = new Set<string>()
    const keys = new Set<number>()
    for (let i = 0; i < count; i++) {
      names.write(i, words, 0)
      seen.add(words.join())
      keys.add(words[1] >>> 4)
    }
    expect(seen.size).to.equal(count)
    // n²/2 pairs, each with a chance of one in 2^28.
    const expected = count ** 2 / 2 / 2 ** 28
    expect(count - keys.size).to.be.within(expected * 0.5, expected * 1.6)
  })
})
