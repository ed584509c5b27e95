import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { runSeeds } from '../../src/cli/seed-farm.js'

describe('a farm of seeds', function () {
  this.timeout(60_000)

  it('gives results in the order of the seeds, and ends in peace when nobody listens any more', async () => {
    const seen: number[] = []
    const complaints: unknown[] = []
    const hear = (reason: unknown): void => void complaints.push(reason)
    process.prependListener('unhandledRejection', hear)
    for await (const { seed } of runSeeds({ first: { seed: 7, steps: 20 }, seeds: 1000, jobs: 2 })) {
      seen.push(seed)
      if (seen.length === 3) break
    }
    await turn()
    process.removeListener('unhandledRejection', hear)
    expect(seen).to.deep.equal([7, 8, 9])
    expect(complaints).to.deep.equal([])
  })
})
