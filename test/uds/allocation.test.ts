import { expect } from 'chai'
import { NameStream } from '../../src/cli/bench/name-stream.js'
import { WholeIndexBench } from '../../src/cli/bench/whole-index-bench.js'
import { IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'

/** So many requests between two looks at the heap: few enough that most looks see no chapter end. */
const SLICE = 4000
const SLICES = 21

/** Bytes of heap that most slices of requests leave, each. A collection of garbage spoils a slice, and is rare. */
function heapPerRequest(run: (first: number) => void): number {
  const grown = Array.from({ length: SLICES }, (_, slice) => {
    const before = process.memoryUsage().heapUsed
    run(slice * SLICE)
    return process.memoryUsage().heapUsed - before
  })
  return grown.sort((a, b) => a - b)[SLICES >> 1]! / SLICE
}

describe('an index at work', () => {
  it('allocates nothing for a request', function () {
    this.timeout(30_000)
    const index = new WholeIndexBench(new IndexGeometry(smallIndexShape(false)))
    const names = new NameStream(5)
    const count = 4 * index.recordsPerChapter
    index.post(names, 0, count)
    index.query(names, count / 2, SLICE)
    index.query(names, 2 * count, SLICE)
    const posts = heapPerRequest((first) => index.post(names, count + first, SLICE))
    const hits = heapPerRequest((first) => index.query(names, count + first, SLICE))
    const misses = heapPerRequest((first) => index.query(names, 10 * count + first, SLICE))
    expect(index.facts().found).to.be.greaterThan(SLICE * (SLICES - 1))
    for (const bytes of [posts, hits, misses]) expect(bytes).to.be.below(4)
  })
})
