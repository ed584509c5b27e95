import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { openLayout } from '../../src/uds/index-layout.js'
import type { SaveAreas } from '../../src/uds/save-slot.js'
import { runSteps } from '../../src/uds/storage-steps.js'
import { Counter } from '../../src/vio/counters.js'
import { Mark } from '../../src/vio/marks.js'
import { AdminCommand, hopOfWord, IndexControl, IndexOp, opOfHop } from '../../src/vio/opcodes.js'
import { blockOf, IndexWorld, upFrom, type WatchedStore } from './index-world.js'

const BLOCK = 4096

describe('the index of a volume that serves', function () {
  this.timeout(60_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  /** Posts that found something while the same contents were written once more. */
  function foundAgain(world: IndexWorld, first: number, count: number): number {
    const before = world.total(Counter.IndexPostsFound)
    // Other blocks first, so that none of the old data are in place and nothing is shared in flight.
    world.write(upFrom(first, count), 1)
    return world.total(Counter.IndexPostsFound) - before
  }

  it('opens behind it, goes and comes as it is told, and remembers', () => {
    const world = new IndexWorld(lend, { seed: 3, zones: 2 })
    expect(world.state).to.equal('opening')
    world.untilSettled()
    expect(world.state).to.equal('online')
    world.write(upFrom(0, 30))
    expect(foundAgain(world, 0, 30)).to.equal(30)

    world.control(IndexControl.Disable)
    expect(world.state).to.equal('offline')
    expect(foundAgain(world, 0, 30)).to.equal(0)
    world.control(IndexControl.Enable)
    expect(world.state).to.equal('online')
    expect(foundAgain(world, 0, 30)).to.equal(30)

    world.control(IndexControl.Close)
    expect(world.state).to.equal('closed')
    expect(world.total(Counter.IndexEntries)).to.equal(0)
    expect(world.total(Counter.IndexSaves)).to.equal(1)
    world.write(upFrom(100, 10))
    world.control(IndexControl.Enable)
    expect(world.total(Counter.IndexLoads)).to.equal(1)
    expect(foundAgain(world, 0, 30)).to.equal(30)
    expect(foundAgain(world, 100, 10)).to.equal(0)

    world.control(IndexControl.Create)
    expect(world.state).to.equal('online')
    expect(world.total(Counter.IndexEntries)).to.equal(0)
    expect(world.reports).to.deep.equal([])
  })

  it('is never like one that was made before', () => {
    const world = new IndexWorld(lend, { seed: 17, zones: 1 })
    world.untilSettled()
    const births = new Set<string>()
    for (let made = 0; made < 4; made++) {
      // Behind the table of seven regions and the label: the time, and 32 bits of chance.
      const superBlock = Buffer.from(world.store.blockAt(world.place.start))
      births.add(superBlock.toString('hex', 24 + 7 * 24 + 32 + 8, 24 + 7 * 24 + 32 + 12))
      world.control(IndexControl.Create)
    }
    expect(births.size).to.equal(4)
  })

  it('counts the names that it knows, and those that it has forgotten', () => {
    const world = new IndexWorld(lend, { seed: 13, zones: 2, chapterRecords: 30 })
    world.untilSettled()
    world.write(upFrom(0, 300))
    const known = world.total(Counter.IndexEntries)
    const forgotten = world.total(Counter.IndexEntriesDiscarded)
    expect(world.total(Counter.IndexPostsNotFound)).to.equal(300)
    expect(known + forgotten).to.equal(300)
    // Four chapters are valid; what has ended goes when its list is looked at.
    expect(forgotten).to.be.within(50, 300 - 3 * 15)
    world.save()
    world.reopen()
    world.untilSettled()
    expect(world.total(Counter.IndexEntries)).to.equal(known)
    expect(world.total(Counter.IndexEntriesDiscarded)).to.equal(0)
  })

  it('that is closed while it is asked has saved all that it took', () => {
    const world = new IndexWorld(lend, { seed: 8, zones: 2, chapterRecords: 1000 })
    world.untilSettled()
    let content = 0
    for (let round = 0; round < 30; round++) {
      let open = 0
      for (let i = 0; i < 30; i++) {
        open++
        world.simulator.frontEnd.write(i * BLOCK, blockOf(content++), false, () => open--)
      }
      const steps = world.prng.below(400)
      for (let i = 0; i < steps; i++) world.simulator.step()
      world.control(IndexControl.Close)
      world.until(() => open === 0)
      world.control(IndexControl.Enable)
      expect(world.total(Counter.IndexEntries), `round ${round}`).to.equal(
        world.total(Counter.IndexPostsNotFound),
      )
    }
    const taken = world.total(Counter.IndexPostsNotFound)
    expect(taken).to.be.within(50, content - 50)
    expect(world.total(Mark.QuestionWhileClosed)).to.be.greaterThan(0)
  })

  it('survives a restart with any other zones', () => {
    const world = new IndexWorld(lend, { seed: 12, zones: 1, chapterRecords: 40 })
    world.untilSettled()
    world.write(upFrom(0, 90))
    const zones = new Set<number>()
    for (let life = 0; life < 5; life++) {
      world.save()
      world.reopen()
      world.untilSettled()
      zones.add(world.config.plan.counts.index)
      expect(world.total(Counter.IndexLoads)).to.equal(1)
      const used = world.total(Counter.DataBlocksAllocated)
      expect(foundAgain(world, 50, 40), `life ${life}`).to.equal(40)
      expect(world.total(Counter.DedupeAdviceValid)).to.equal(40)
      expect(world.total(Counter.DataBlocksAllocated)).to.equal(used)
    }
    expect(zones.size).to.be.greaterThan(1)
    expect(world.reports).to.deep.equal([])
  })

  for (const zones of [1, 2]) {
    it(`is saved only after the chapters that are full, however slow the disk (${zones} zones)`, () => {
      const world = new IndexWorld(lend, { seed: 50 + zones, zones, chapterRecords: 30 })
      world.untilSettled()
      // A chapter is not written until the index is to rest, and a zone that has filled the next one waits for that.
      world.store.isAsleep = (op, block) => op === DeviceOp.Write && world.store.isInside(block)
      const { openChapters } = world.simulator.arena.index!.memory
      const isNextFull = (): boolean => openChapters.some(([, next]) => next!.size === next!.capacity)
      for (let content = 0; !isNextFull(); content++) world.write([content])
      world.simulator.onMessage = (_step, _thread, word) => {
        if (opOfHop(hopOfWord(word)) === IndexOp.Administer) world.store.isAsleep = null
      }
      world.save()
      expect(world.total(Counter.IndexChaptersWritten)).to.equal(2)
      const { requests } = world.store
      for (let i = 0; i < 1000; i++) world.simulator.step()
      expect(world.store.requests).to.equal(requests)
      world.reopen()
      world.untilSettled()
      expect(world.total(Counter.IndexLoads)).to.equal(1)
      expect(world.reports).to.deep.equal([])
      // Nobody has asked anything since the chapter was closed, so the one behind it is empty.
      const { memory } = world.simulator.arena.index!
      expect(memory.openChapters.map(([even]) => even!.size)).to.deep.equal(memory.openChapters.map(() => 0))
    })
  }

  it('that is new is there after the shortest life', () => {
    const world = new IndexWorld(lend, { seed: 14, zones: 3 })
    expect(world.state).to.equal('opening')
    world.save()
    expect([world.state, world.total(Counter.IndexSaves)]).to.deep.equal(['online', 1])
    world.reopen()
    world.untilSettled()
    expect(world.total(Counter.IndexLoads)).to.equal(1)
    expect(world.reports).to.deep.equal([])
  })

  it('of a volume that has become read-only is left as it is', () => {
    const world = new IndexWorld(lend, { seed: 16, zones: 2, chapterRecords: 30 })
    world.untilSettled()
    world.write(upFrom(0, 40))
    const { store, simulator, config } = world
    const { journalOrigin, journalBlocks } = config.volume
    store.mayFail = (op, block) =>
      op === DeviceOp.Write && block >= journalOrigin && block < journalOrigin + journalBlocks
    store.failureChance = 1
    store.failuresLeft = Number.POSITIVE_INFINITY
    simulator.frontEnd.write(0, blockOf(50), true, () => {})
    world.drain()
    expect(simulator.arena.boards.readOnlyReason).to.not.equal(Status.Success)
    const { moves } = store
    for (const command of [AdminCommand.Save, AdminCommand.Resume]) {
      let answered = false
      simulator.frontEnd.administer(command, () => {
        answered = true
      })
      world.until(() => answered)
    }
    expect([world.state, world.total(Counter.IndexSaves)]).to.deep.equal(['online', 0])
    expect(store.moves).to.equal(moves)
    expect(world.reports).to.deep.equal([])
  })

  describe('whose region was spoilt', () => {
    /** More than one chapter, saved. */
    function usedWorld(): IndexWorld {
      const world = new IndexWorld(lend, { seed: 21, zones: 2, chapterRecords: 30 })
      world.untilSettled()
      world.write(upFrom(0, 100))
      world.save()
      return world
    }

    function savedAreas({ store, place }: IndexWorld): SaveAreas {
      const layout = runSteps(openLayout(place), ({ block, count, bytes }) => {
        store.read(block, count, bytes)
      })
      return layout.areasOf(layout.latest!)
    }

    function failReads(store: WatchedStore, from: number, blocks: number): void {
      store.mayFail = (op, block) =>
        op === DeviceOp.Read && store.isInside(block) && block >= from && block < from + blocks
      store.failureChance = 1
      store.failuresLeft = Number.POSITIVE_INFINITY
    }

    const spoil: Record<string, (world: IndexWorld, prng: Prng) => void> = {
      'all zeros': ({ store, place }) => {
        for (let i = 0; i < place.blocks; i++) store.write(place.start + i, new Uint8Array(BLOCK))
      },
      'nothing behind the first half': ({ store, place }) => {
        for (let i = place.blocks >> 1; i < place.blocks; i++)
          store.write(place.start + i, new Uint8Array(BLOCK))
      },
      'another volume’s index': ({ store, place }) => {
        const config = store.blockAt(place.start + 1).slice()
        config[42] ^= 1
        store.write(place.start + 1, config)
      },
      'regions that overlap': ({ store, place }) => {
        const superBlock = store.blockAt(place.start).slice()
        // The start of the fifth region: the first save.
        superBlock[24 + 4 * 24] ^= 1
        store.write(place.start, superBlock)
      },
      'a version to come': ({ store, place }) => {
        const superBlock = store.blockAt(place.start).slice()
        const at = superBlock.indexOf(0x2a) + 72
        superBlock[at] = 9
        store.write(place.start, superBlock)
      },
    }
    for (const [name, act] of Object.entries(spoil)) {
      it(`serves, says so and can have a new one (${name})`, () => {
        const world = usedWorld()
        act(world, new Prng(5))
        world.reopen()
        world.write(upFrom(0, 40))
        world.untilSettled()
        expect(world.reports.length).to.equal(1)
        if (name === 'a version to come') {
          expect(world.state).to.equal('error')
          expect(world.simulator.arena.boards.indexProblem).to.include('version')
        } else expect(world.state).to.equal('online')
        world.control(IndexControl.Create)
        expect(world.state).to.equal('online')
        world.write(upFrom(500, 40))
        expect(foundAgain(world, 500, 40)).to.equal(40)
        world.save()
        world.reopen()
        world.untilSettled()
        expect(world.total(Counter.IndexLoads)).to.equal(1)
      })
    }

    it('serves while its save cannot be read, and has it rebuilt', () => {
      const world = usedWorld()
      const { block } = savedAreas(world).openChapter
      failReads(world.store, block, 1)
      world.reopen()
      world.write(upFrom(0, 40))
      world.untilSettled()
      expect([world.state, world.total(Counter.IndexRebuilds)]).to.deep.equal(['online', 1])
      expect(world.reports.length).to.equal(1)
      expect(world.reports[0]).to.include('the index is rebuilt from its chapters: Cannot read blocks')
      world.write(upFrom(500, 40))
      expect(foundAgain(world, 500, 40)).to.equal(40)
      world.save()
    })

    for (const [name, from] of [
      ['at all', 0],
      ['behind its first half', 0.5],
    ] as const) {
      it(`serves while it cannot be read ${name}, and can have a new one once it can`, () => {
        const world = usedWorld()
        const { start, blocks } = world.place
        failReads(world.store, start + Math.floor(from * blocks), blocks)
        world.reopen()
        world.write(upFrom(0, 40))
        world.untilSettled()
        expect(world.state).to.equal('error')
        expect(world.reports.length).to.equal(1)
        expect(world.reports[0]).to.match(/the index cannot be opened: Cannot read blocks .* of the index/)
        world.control(IndexControl.Create)
        expect(world.state).to.equal('error')
        world.store.failureChance = 0
        world.control(IndexControl.Create)
        expect(world.state).to.equal('online')
        world.write(upFrom(500, 40))
        expect(foundAgain(world, 500, 40)).to.equal(40)
        expect(world.simulator.arena.boards.readOnlyReason).to.equal(0)
        world.save()
      })
    }

    it('serves when its chapters cannot be read any more, and has them gone through the next time', () => {
      const world = usedWorld()
      world.reopen()
      world.untilSettled()
      const { start, blocks } = world.place
      failReads(world.store, start, blocks)
      world.write(upFrom(10, 30))
      world.untilSettled()
      expect(world.state).to.equal('error')
      expect(world.total(Counter.IndexFailures)).to.equal(1)
      expect(world.reports).to.deep.equal([
        'Deduplication: the index is not used any more: a page of its chapters is damaged or cannot be read',
      ])
      // Whoever asked an index that failed was told that the name is not known.
      expect(world.total(Counter.IndexPostsFound)).to.equal(0)
      expect(world.simulator.arena.boards.readOnlyReason).to.equal(0)
      world.store.failureChance = 0
      world.save()
      // No chapter was written since it was saved, but what was saved may be what it failed for.
      world.reopen()
      world.untilSettled()
      expect([world.total(Counter.IndexLoads), world.total(Counter.IndexRebuilds)]).to.deep.equal([0, 1])
      expect(foundAgain(world, 45, 10)).to.equal(10)
    })

    it('serves, with bits flipped anywhere', () => {
      const prng = new Prng(99)
      const states = new Map<string, number>()
      for (let round = 0; round < 24; round++) {
        const world = new IndexWorld(lend, {
          seed: 30 + (round % 3),
          zones: 1 + (round % 2),
          chapterRecords: 30,
        })
        world.untilSettled()
        world.write(upFrom(0, 130))
        world.save()
        const { store, place } = world
        const written = Array.from({ length: place.blocks }, (_, i) => place.start + i).filter((block) =>
          store.blockAt(block).some((byte) => byte !== 0),
        )
        for (let flips = prng.pick([1, 3, 200]); flips > 0; flips--) {
          const block = prng.chance(0.3) ? place.start + prng.below(2) : prng.pick(written)
          const bytes = store.blockAt(block).slice()
          bytes[prng.below(prng.pick([300, BLOCK]))] ^= 1 << prng.below(8)
          store.write(block, bytes)
        }
        world.reopen()
        world.write(upFrom(60, 60))
        world.untilSettled()
        world.write(upFrom(0, 130))
        states.set(world.state, (states.get(world.state) ?? 0) + 1)
        world.save()
        expect(world.simulator.arena.boards.readOnlyReason).to.equal(0)
      }
      expect(states.get('online')).to.be.greaterThan(12)
    })
  })

  describe('when its answers are late', () => {
    function sleepy(contexts: number): IndexWorld {
      const world = new IndexWorld(lend, { seed: 41, zones: 1, chapterRecords: 30, contexts })
      world.untilSettled()
      world.write(upFrom(0, 200))
      world.store.isAsleep = (op, block) => op === DeviceOp.Read && world.store.isInside(block)
      return world
    }

    it('is waited for five seconds, and no longer', () => {
      const world = sleepy(64)
      const began = world.simulator.nowMs
      world.write(upFrom(120, 8), 8)
      expect(world.simulator.nowMs - began).to.be.within(5000, 5200)
      expect(world.total(Counter.DedupeAdviceTimeouts)).to.equal(8)
      expect(world.total(Mark.QueriesSkipped)).to.equal(0)
      expect(world.total(Counter.CurrentDedupeQueries)).to.equal(8)
      const before = world.total(Counter.IndexPostsFound)
      world.store.isAsleep = null
      world.until(() => world.total(Counter.CurrentDedupeQueries) === 0)
      expect(world.total(Counter.IndexPostsFound)).to.equal(before + 8)
      world.save()
    })

    it('is not asked when all questions are still with it, and asked again when they are back', () => {
      const world = sleepy(2)
      world.write(upFrom(120, 20), 20)
      const skipped = world.total(Mark.QueriesSkipped)
      expect(skipped).to.be.greaterThan(0)
      expect(world.total(Counter.DedupeAdviceTimeouts)).to.be.greaterThan(skipped)
      world.store.isAsleep = null
      world.save()
      expect(world.state).to.equal('online')
    })
  })
})
