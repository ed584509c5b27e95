import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { Coverage } from '../../src/sim/coverage.js'
import { runScenario, type ScenarioOptions, type ScenarioReport } from '../../src/sim/scenario.js'
import { SimStore } from '../../src/sim/sim-store.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { WeakNames } from '../../src/sim/weak-names.js'

const SEEDS = 200
const STEPS = 200
/** Bits of a record name where unequal blocks should meet. */
const NAME_BITS = 4

describe('the whole engine in one thread', function () {
  this.timeout(180_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  function run(seed: number, parts: Partial<ScenarioOptions> = {}): ScenarioReport {
    const decode = (bytes: Uint8Array) => decodeSuperBlock(bytes, crc32)
    return runScenario({ seed, steps: STEPS, lend, decodeSuperBlock: decode, ...parts })
  }

  /** How many of a few seeds find out that a part is not what it should be. */
  function caught(parts: Partial<ScenarioOptions>): number {
    let found = 0
    for (let seed = 1; seed <= 24; seed++) {
      try {
        run(seed, parts)
      } catch {
        found++
      }
    }
    return found
  }

  /** Memory with a helper of the engine that is not what it should be. */
  function lendWith(plant: typeof WeakNames): LendMemory {
    return (bytes) => {
      const { buffer, native, hasher } = lend(bytes)
      return { buffer, hasher, native: new plant(native, new Uint8Array(buffer), NAME_BITS) }
    }
  }

  it(`keeps its promises with ${SEEDS} seeds, which together take every rare branch`, () => {
    const coverage = new Coverage()
    for (let seed = 1; seed <= SEEDS; seed++) coverage.add(run(seed))
    for (const [name, count] of Object.entries(coverage.sums)) expect(count, name).to.be.above(0)
    expect(coverage.neverTaken).to.deep.equal([])
  })

  it('does the same again with the same seed, and something else with another', () => {
    const first = run(5)
    expect(run(5)).to.deep.equal(first)
    expect(run(6).traceHash).to.not.equal(first.traceHash)
  })

  describe('finds', () => {
    it('an engine that does not verify duplicates', () => {
      class Trusting extends WeakNames {
        override equal(): boolean {
          return true
        }
      }
      expect(caught({ lend: lendWith(Trusting) })).to.be.above(17)
    })

    it('an engine that takes what is almost zeros for zeros', () => {
      class Careless extends WeakNames {
        override isZero(at: number, length: number): boolean {
          return super.isZero(at + 2048, length - 2048)
        }
      }
      expect(caught({ lend: lendWith(Careless) })).to.be.above(17)
    })

    it('an engine that spoils what it compresses', () => {
      class Spoiling extends WeakNames {
        override compress(from: number, to: number, capacity: number): number {
          const size = super.compress(from, to, capacity)
          return size > 100 ? size - 1 : size
        }
      }
      expect(caught({ lend: lendWith(Spoiling) })).to.be.above(17)
    })

    it('a disk that forgets what it was told to keep', () => {
      class Forgetful extends SimStore {
        override endFlush(): void {}
        protected override blank(): SimStore {
          return new Forgetful(this.blockCount)
        }
      }
      expect(caught({ makeStore: (blocks) => new Forgetful(blocks) })).to.be.above(17)
    })

    it('a disk that loses a write now and then', () => {
      class Lossy extends SimStore {
        private taken = 0
        override write(block: number, bytes: Uint8Array): void {
          if (++this.taken % 50 !== 0) super.write(block, bytes)
        }
        protected override blank(): SimStore {
          return new Lossy(this.blockCount)
        }
      }
      expect(caught({ makeStore: (blocks) => new Lossy(blocks) })).to.be.above(17)
    })
  })
})
