import { expect } from 'chai'
import { Prng } from '../../../src/base/prng.js'
import { Counter } from '../../../src/vio/counters.js'
import { Mark } from '../../../src/vio/marks.js'
import { SharingWorld } from './sharing-world.js'

describe('sharing, in any order of messages', () => {
  it('maps every write to its own data, within the references of each block, and leaves nothing held', async function () {
    this.timeout(20_000)
    const rare = [
      Mark.HashRollOvers,
      Mark.PackerEvictions,
      Counter.CompressedBlocksWritten,
      Counter.DedupeAdviceValid,
      Counter.DedupeAdviceStale,
      Counter.DedupeAdviceTimeouts,
      Mark.QueriesSkipped,
      Counter.ConcurrentDataMatches,
      Counter.ConcurrentHashCollisions,
      Counter.IndexEntriesDiscarded,
    ]
    const seen = new Map(rare.map((counter) => [counter, 0]))
    for (let seed = 1; seed <= 30; seed++) {
      const world = await SharingWorld.make(new Prng(seed))
      try {
        for (let step = 0; step < 3000; step++) world.step()
        world.settle()
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
      for (const counter of rare) seen.set(counter, seen.get(counter)! + world.counters(counter))
      expect(world.writes).to.be.above(100)
      expect(world.failures).to.be.below(world.writes / 2)
    }
    for (const [counter, count] of seen) expect(count, Counter[counter]).to.be.above(0)
  })
})
