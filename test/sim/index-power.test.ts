import { expect } from 'chai'
import { regionOfShape } from '../../src/format/index-region.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { openCrashedIndex } from '../../src/sim/crashed-index.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { Counter } from '../../src/vio/counters.js'
import { AdminCommand, hopOfWord, IndexOp, opOfHop, zoneOfHop } from '../../src/vio/opcodes.js'
import { IndexWorld, upFrom } from './index-world.js'

const BLOCK = 4096

describe('an index whose power fails', function () {
  this.timeout(60_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  /** Looks at what a power failure would leave, at each write into the region of the index. */
  function watch(world: IndexWorld): { cuts: number; loaded: number; rebuilt: number } {
    const seen = { cuts: 0, loaded: 0, rebuilt: 0 }
    let before = world.store.moves
    world.onEvent = () => {
      if (world.store.moves === before) return
      before = world.store.moves
      seen.cuts++
      const { rebuiltFor } = openCrashedIndex(world.store.crash(world.prng), world.place)
      if (rebuiltFor === undefined) seen.loaded++
      else seen.rebuilt++
    }
    return seen
  }

  for (const sparse of [false, true]) {
    for (const zones of [1, 3]) {
      const kind = `${sparse ? 'sparse' : 'dense'}, ${zones} zones`

      it(`loads or is rebuilt at every write of its chapters and saves (${kind})`, () => {
        const world = new IndexWorld(lend, { seed: 7 + zones, zones, sparse, chapterRecords: 30 })
        world.untilSettled()
        const seen = watch(world)
        world.write(upFrom(0, 200))
        world.save()
        world.reopen()
        world.untilSettled()
        const loads = world.total(Counter.IndexLoads)
        world.write(upFrom(150, 200))
        world.save()
        expect(loads).to.equal(1)
        expect(seen.cuts).to.be.greaterThan(40)
        // Before the first chapter is written the last save holds, and after a save that one.
        expect(seen.loaded).to.be.greaterThan(0)
        expect(seen.rebuilt).to.be.greaterThan(10)
        expect(world.reports).to.deep.equal([])
      })

      it(`is rebuilt behind the serving volume, and again if that is cut off (${kind})`, () => {
        const world = new IndexWorld(lend, { seed: 70 + zones, zones, sparse, chapterRecords: 30 })
        world.untilSettled()
        world.write(upFrom(0, 250))
        world.save()
        forgetSaves(world)
        const { entries } = openCrashedIndex(world.store, world.place)
        world.reopen()
        const seen = watch(world)
        expect(world.state).to.equal('opening')
        world.write(upFrom(1000, 3))
        expect(world.reports.map((report) => report.includes('is rebuilt'))).to.deep.equal([true])
        world.untilSettled()
        expect(world.state).to.equal('online')
        expect(world.total(Counter.IndexRebuilds)).to.equal(1)
        expect(world.total(Counter.IndexEntries)).to.be.within(entries, entries + 3)
        world.write(upFrom(200, 100))
        expect(world.total(Counter.IndexPostsFound)).to.be.greaterThan(0)
        world.save()
        expect(seen.cuts).to.be.greaterThan(5)
      })

      it(`is loaded the next time, if it is saved as it was rebuilt (${kind})`, () => {
        const world = new IndexWorld(lend, { seed: 90 + zones, zones, sparse, chapterRecords: 30 })
        world.untilSettled()
        world.write(upFrom(0, 100))
        world.save()
        forgetSaves(world)
        world.reopen()
        world.untilSettled()
        expect(world.total(Counter.IndexRebuilds)).to.equal(1)
        world.save()
        expect(world.total(Counter.IndexSaves)).to.equal(1)
        world.reopen()
        world.untilSettled()
        expect([world.total(Counter.IndexLoads), world.total(Counter.IndexRebuilds)]).to.deep.equal([1, 0])
        expect(world.reports.length).to.equal(1)
      })

      it(`stands still half rebuilt while the volume rests, and goes on with it (${kind})`, () => {
        const world = new IndexWorld(lend, { seed: 110 + zones, zones, sparse, chapterRecords: 30 })
        world.untilSettled()
        world.write(upFrom(0, 100))
        world.save()
        forgetSaves(world)
        world.reopen()
        const { store } = world
        for (const part of [1, 11]) {
          const begun = store.requests
          world.until(() => store.requests === begun + part)
          world.drain()
          const told = new Set<number>()
          let ended = 0
          world.simulator.onMessage = (_step, _thread, word) => {
            const to = hopOfWord(word)
            if (opOfHop(to) === IndexOp.Administer) told.add(zoneOfHop(to))
            if (opOfHop(to) === IndexOp.Worked && told.has(zoneOfHop(to))) ended++
          }
          world.administer(AdminCommand.Suspend)
          // What is with the disk comes back, and nothing else is asked for.
          expect(ended).to.be.at.most(zones + 1)
          const { requests } = store
          for (let i = 0; i < 1000; i++) world.simulator.step()
          expect([world.state, store.requests]).to.deep.equal(['opening', requests])
          world.administer(AdminCommand.Resume)
        }
        world.untilSettled()
        expect([world.state, world.total(Counter.IndexRebuilds)]).to.deep.equal(['online', 1])
        world.write(upFrom(40, 10))
        expect(world.total(Counter.IndexPostsFound)).to.be.greaterThan(0)
      })
    }
  }

  /** As if the machine had crashed after a chapter was written: both save slots hold nothing. */
  function forgetSaves(world: IndexWorld): void {
    const region = regionOfShape(world.place.shape)
    const first = world.place.start + 2 + region.chapterBlocks
    const slot = 1 + region.volumeIndexBlocks + region.pageMapBlocks + region.openChapterBlocks
    for (const block of [first, first + slot]) world.store.write(block, new Uint8Array(BLOCK))
  }
})
