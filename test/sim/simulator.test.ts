import { availableParallelism, tmpdir } from 'node:os'
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { explainSeed } from '../../src/cli/explain-seed.js'
import { runSeeds } from '../../src/cli/seed-farm.js'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { Coverage } from '../../src/sim/coverage.js'
import { runScenario, type ScenarioOptions } from '../../src/sim/scenario.js'
import type { ScenarioReport } from '../../src/sim/scenario-report.js'
import { SimStore } from '../../src/sim/sim-store.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { WeakNames } from '../../src/sim/weak-names.js'
import { Forgetful } from './forgetful.js'

const SEEDS = 640
const CRASH_SEEDS = 500
const STEPS = 200
/** Rare branches that so few seeds may miss when anything changes; `npm run test:long` wants them too. */
const SELDOM: readonly string[] = [
  'AgentReplaced',
  'AllocationAwaitsScrubber',
  'CommitAskedAtRest',
  'EndingHashLockMet',
  'IndexFailures',
  'IndexReadsStalled',
  'NameMovedMeanwhile',
  'OutdatedReadRefused',
  'PageOfEndedChapter',
  'QuestionWhileClosed',
  'ReadOnlyDuringSuperBlock',
  'SavedWhileRecovering',
  'SlabJournalAwaitsFlush',
  'TreePageUncounted',
  'UnscrubbedSlabPromoted',
]
/** How long a seed that fails is made smaller. */
const SHRINK_SECONDS = 30
/** Seeds that judge a part which is not what it should be, and how many of them must find out, and more. */
const FEW = 24
const MOST = 14
/** Bits of a record name where unequal blocks should meet. */
const NAME_BITS = 4

describe('the whole engine in one thread', function () {
  this.timeout(600_000)
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
    for (let seed = 1; seed <= FEW; seed++) {
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

  it(`keeps its promises with ${SEEDS} seeds, the power cut in ${CRASH_SEEDS} of them and more`, async () => {
    const coverage = new Coverage()
    const first = { seed: 1, steps: STEPS }
    for await (const result of runSeeds({ first, seeds: SEEDS, jobs: availableParallelism() })) {
      if (!('report' in result)) {
        const told = await explainSeed({ ...first, seed: result.seed }, SHRINK_SECONDS, tmpdir())
        throw new Error(told ?? result.failure)
      }
      coverage.add(result.report)
    }
    expect(coverage.crashSeeds).to.be.at.least(CRASH_SEEDS)
    for (const [name, count] of Object.entries(coverage.sums)) expect(count, name).to.be.above(0)
    const never = coverage.neverTaken.filter((name) => !SELDOM.includes(name))
    expect(never, 'every rare branch is taken').to.deep.equal([])
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
      expect(caught({ lend: lendWith(Trusting) })).to.be.above(MOST)
    })

    it('an engine that takes what is almost zeros for zeros', () => {
      class Careless extends WeakNames {
        override isZero(at: number, length: number): boolean {
          return super.isZero(at + 2048, length - 2048)
        }
      }
      expect(caught({ lend: lendWith(Careless) })).to.be.above(MOST)
    })

    it('an engine that spoils what it compresses', () => {
      class Spoiling extends WeakNames {
        override compress(from: number, to: number, capacity: number): number {
          const size = super.compress(from, to, capacity)
          return size > 100 ? size - 1 : size
        }
      }
      expect(caught({ lend: lendWith(Spoiling) })).to.be.above(MOST)
    })

    it('a disk that forgets what it was told to keep', () => {
      expect(caught({ makeStore: (blocks) => new Forgetful(blocks) })).to.be.above(MOST)
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
      expect(caught({ makeStore: (blocks) => new Lossy(blocks) })).to.be.above(MOST)
    })
  })
})
