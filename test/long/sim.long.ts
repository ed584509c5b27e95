/**
 * More seeds of the simulator than `npm test` has time for, on all cores, until every rare branch was taken. The seeds
 * are fixed; UVDO_SIM_SEED starts elsewhere.
 */
import { availableParallelism, tmpdir } from 'node:os'
import { expect } from 'chai'
import { explainSeed } from '../../src/cli/explain-seed.js'
import { runSeeds } from '../../src/cli/seed-farm.js'
import { Coverage } from '../../src/sim/coverage.js'

const FIRST_SEED = Number(process.env['UVDO_SIM_SEED'] ?? 100_000)
const STEPS = 300
const LEAST_SEEDS = 2000
const MOST_SEEDS = 20_000
const SHRINK_SECONDS = 60

describe('many seeds', function () {
  this.timeout(7_200_000)

  it('keep their promises, and leave no rare branch out', async () => {
    const coverage = new Coverage()
    const first = { seed: FIRST_SEED, steps: STEPS }
    for await (const result of runSeeds({ first, seeds: MOST_SEEDS, jobs: availableParallelism() })) {
      if (!('report' in result)) {
        const told = await explainSeed({ ...first, seed: result.seed }, SHRINK_SECONDS, tmpdir())
        throw new Error(told ?? result.failure)
      }
      coverage.add(result.report)
      if (coverage.seeds >= LEAST_SEEDS && coverage.neverTaken.length === 0) break
    }
    expect(coverage.neverTaken).to.deep.equal([])
  })
})
