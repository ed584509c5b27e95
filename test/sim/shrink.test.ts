import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { numberRanges } from '../../src/cli/arguments.js'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { explain } from '../../src/sim/explain.js'
import { NONE_KEPT, optionsOf, type Reduction, rangesOf, TROUBLES, WHOLE } from '../../src/sim/reduction.js'
import { runScenario, type ScenarioOptions } from '../../src/sim/scenario.js'
import { shrink } from '../../src/sim/shrink.js'
import { SimStore } from '../../src/sim/sim-store.js'
import { Forgetful } from './forgetful.js'

const ALL = Array.from({ length: 300 }, (_, i) => i)

/** So many attempts and no more. */
function attempts(left: number): () => boolean {
  return () => left-- > 0
}

describe('shrinking a run that fails', () => {
  it('leaves what the failure needs: two requests far apart, and the cuts', () => {
    const { run } = shrink({
      from: { ...WHOLE, kept: ALL },
      failing: ({ kept, without }) =>
        kept!.includes(17) && kept!.includes(231) && !without.includes('cuts') ? kept : null,
      hasTime: attempts(2000),
    })
    expect(run.kept).to.deep.equal([17, 231])
    expect(run.without).to.deep.equal(TROUBLES.filter((trouble) => trouble !== 'cuts'))
  })

  it('tries other schedules where the first is well', () => {
    const { run } = shrink({
      from: { ...WHOLE, kept: ALL },
      failing: ({ kept, schedule }) =>
        kept!.length > 150 || (kept!.includes(3) && schedule % 3 === 2) ? kept : null,
      hasTime: attempts(2000),
    })
    expect(run.kept).to.deep.equal([3])
    expect(run.schedule % 3).to.equal(2)
  })

  it('gives the best so far when there is no time left', () => {
    const { run, attempts: made } = shrink({
      from: { ...WHOLE, kept: ALL },
      failing: ({ kept }) => (kept!.includes(17) ? kept : null),
      hasTime: attempts(30),
    })
    expect(made).to.be.at.most(30)
    expect(run.kept).to.include(17)
    expect(run.kept.length).to.be.below(300)
  })
})

describe('a reduction', () => {
  it('is told as options that say the same', () => {
    const kept = [0, 3, 4, 5, 17, 299]
    expect(rangesOf(kept)).to.equal('0,3-5,17,299')
    expect(optionsOf({ kept, without: ['lies', 'cuts'], schedule: 7 })).to.equal(
      '--keep 0,3-5,17,299 --without lies,cuts --schedule 7',
    )
    expect(optionsOf({ ...WHOLE, kept: [] })).to.equal('--keep none')
    expect(optionsOf(WHOLE)).to.equal('')
    expect(numberRanges('--keep', NONE_KEPT, 299)('5,0,3-5,17,299')).to.deep.equal(kept)
    expect(numberRanges('--keep', NONE_KEPT, 299)('none')).to.deep.equal([])
    for (const bad of ['', '3-', '5-3', 'a', '1,,2', '300', '0-999999999']) {
      expect(() => numberRanges('--keep', NONE_KEPT, 299)(bad)).to.throw('--keep is')
    }
  })
})

describe('a seed on a disk that forgets', function () {
  this.timeout(120_000)
  let scenario: ScenarioOptions

  before(async () => {
    scenario = {
      seed: 3,
      steps: 300,
      lend: await memoryLender(),
      decodeSuperBlock: (bytes) => decodeSuperBlock(bytes, crc32),
      makeStore: (blocks) => new Forgetful(blocks),
    }
  })

  /** What is wrong with a run of it; '' if nothing is. */
  function sentenceOf(reduction: Reduction, store = scenario.makeStore!): string {
    try {
      runScenario({ ...scenario, reduction, makeStore: store })
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }

  it('is told with a few requests, and the command that it is told with fails in the same way', () => {
    const told = explain(scenario, attempts(250))!
    expect(told.lines[2]).to.match(/^shrunk from \d{3} requests to \d in \d+ runs$/)
    const words =
      /^npm run sim -- --seed 3 --steps 300 --keep (\S+) --without (\S+)(?: --schedule (\d+))?$/.exec(
        told.replay,
      )
    expect(words, told.replay).to.not.equal(null)
    const reduction: Reduction = {
      kept: numberRanges('--keep', NONE_KEPT, 299)(words![1]!),
      without: TROUBLES.filter((trouble) => words![2]!.split(',').includes(trouble)),
      schedule: Number(words![3] ?? 0),
    }
    expect(sentenceOf(reduction)).to.equal(told.sentence)
    expect(sentenceOf(reduction, (blocks) => new SimStore(blocks))).to.equal('')
    const asked = told.lines.filter((line) =>
      /^\d+ at \d+ ms request \d+ (?:reads|writes|trims|zeroes|flushes)/.test(line),
    )
    expect(new Set(asked).size).to.equal(reduction.kept!.length)
    expect(told.lines).to.satisfy((lines: string[]) =>
      lines.some((line) => / t\d+ Bio0\.Write \d+$/.test(line)),
    )
  })

  it('is the same seed with all of its requests named', () => {
    const whole = sentenceOf(WHOLE)
    expect(whole).to.not.equal('')
    expect(sentenceOf({ ...WHOLE, kept: ALL })).to.equal(whole)
  })

  it('has nothing to tell when it is well', () => {
    expect(explain({ ...scenario, makeStore: (blocks) => new SimStore(blocks) }, attempts(10))).to.equal(null)
  })
})
