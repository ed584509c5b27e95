import { expect } from 'chai'
import { EngineBench } from '../../../src/cli/bench/engine-bench.js'
import { indexCost, requestCosts } from '../../../src/cli/bench/index-cost.js'
import { INDEX_ROWS, type IndexRowResult } from '../../../src/cli/bench/index-rows.js'
import type { Measured } from '../../../src/cli/bench/measure.js'
import { ROWS } from '../../../src/cli/bench/rows.js'
import { SMALL_INDEX_MEMORY } from '../../../src/format/index-memory.js'

describe('the rows of volumes in the benchmark', function () {
  this.timeout(120_000)

  it('are measured with a new index, a full one and a map, and say what the index costs', async () => {
    const told: string[] = []
    const options = {
      store: ['file'],
      names: ['map', 'index', 'full'] as const,
      threads: ['tiny'],
      depth: [16],
      repeats: 1,
      blocks: 500,
      seconds: 0,
      indexChapters: 1,
      indexMemory: SMALL_INDEX_MEMORY,
    }
    const unique = ROWS.filter(({ name }) => name === 'unique write')
    const bench = new EngineBench(options, unique, ({ index, row }) => told.push(`${index}: ${row}`))
    await bench.run()
    const { results, costs, index } = bench
    expect(results.map(({ names }) => names)).to.deep.equal(['map', 'index', 'map', 'full'])
    for (const result of results) expect(result).to.include({ isProven: true, problems: 0 })
    expect(index.map((row) => `${row.index}: ${row.row}`)).to.deep.equal(told)
    expect(told).to.include.members(['young index: index post, filling', 'full index: index post, full'])
    expect(costs.map(({ names, requestsPerBlock }) => [names, requestsPerBlock])).to.deep.equal([
      ['index', 1],
      ['full', 1],
    ])
    for (const { names, own, allowed } of costs) {
      expect(own, names).to.be.above(0)
      expect(allowed, names).to.equal(own + 1)
    }
  })

  it('compare pairs that were measured one after the other, and take the median', () => {
    const of = (cpuPerBlock: number): Measured =>
      ({ cpuPerBlock, indexRequests: { entered: 0.5, found: 0.25, missing: 1 } }) as Measured
    const costs = { entered: 2, found: 4, missing: 0.5 }
    const pairs = [
      [10, 9],
      [20, 10],
      [14, 10.25],
    ].map(([index, map]) => ({ index: of(index!), map: of(map!) }))
    const cost = { withIndex: 14, withMap: 10.25, difference: 3.75, requestsPerBlock: 1.75 }
    expect(indexCost(pairs, costs)).to.deep.equal({ ...cost, own: 2.5, allowed: 3.5, isInside: false })
    expect(indexCost(pairs, { ...costs, missing: 0.75 }).isInside).to.equal(true)
  })

  it('count a new name as much as the index that has turned over says', () => {
    const rows = [
      [INDEX_ROWS.fill, 1],
      [INDEX_ROWS.turn, 2],
      [INDEX_ROWS.miss, 3],
      [INDEX_ROWS.hit, 4],
      [INDEX_ROWS.recent, 5],
    ].map(([row, cpuPerRequest]) => ({ row, cpuPerRequest }) as IndexRowResult)
    expect(requestCosts(rows)).to.deep.equal({ entered: 2, found: 5, missing: 3 })
    expect(requestCosts(rows.filter(({ row }) => row !== INDEX_ROWS.turn)).entered).to.equal(1)
  })
})
