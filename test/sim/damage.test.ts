/**
 * The table "A disk that cannot be trusted" of docs/crash-safety.md is run as it stands there: who it says finds what a
 * disk did to a structure is seen to find it, by some seed; what is wrong is read without a word only where it says that
 * nobody may find it, and where it says so, not before someone has. Whatever happens, the engine goes on, and a rebuild
 * gives a volume in which everything agrees.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { decodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { type DamageResult, Finder, type Harm, runDamage } from '../../src/sim/damage.js'
import { explain } from '../../src/sim/explain.js'
import { Fault } from '../../src/sim/lying-store.js'
import { harmOfSeed, playSeed } from '../../src/sim/play-seed.js'
import { WHOLE } from '../../src/sim/reduction.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { Structure } from '../../src/sim/structures.js'
import { ROOT } from '../tools.js'

const STEPS = 180
const LEAST_SEEDS = 2
const MOST_SEEDS = 100
const STRAY_SEEDS = 2

const STRUCTURES: Readonly<Record<string, Structure>> = {
  data: Structure.Data,
  'compressed block': Structure.Packed,
  'recovery journal': Structure.RecoveryJournal,
  'slab journal': Structure.SlabJournal,
  'reference block': Structure.References,
  'slab summary': Structure.Summary,
  'map root': Structure.Root,
  'map page': Structure.MapPage,
  'super block': Structure.SuperBlock,
  index: Structure.Index,
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'write lost': Fault.Lost,
  'write misplaced': Fault.Misplaced,
  'bits flipped': Fault.Flipped,
  unreadable: Fault.Unreadable,
}

const FINDERS: Readonly<Record<string, Finder>> = {
  opening: Finder.Opening,
  load: Finder.Load,
  service: Finder.Service,
  read: Finder.Read,
  index: Finder.Index,
  audit: Finder.Audit,
}
const NOBODY = 'nobody'
const ALWAYS = 'always '
const HARMLESS = 'harmless'

/** The first seed, or for round 1 the second, of those with such a disk. */
function seedOf({ structure, fault }: Harm, round: number): number {
  for (let seed = 0, left = round; ; seed++) {
    const harm = harmOfSeed(seed)
    if (harm?.structure === structure && harm.fault === fault && left-- === 0) return seed
  }
}

/** A cell of the table. */
interface Claim {
  readonly structure: Structure
  readonly fault: Fault
  readonly text: string
}

/** The table's cells, row by row. */
function readTable(): Claim[] {
  const lines = readFileSync(join(ROOT, 'docs', 'crash-safety.md'), 'utf8').split('\n')
  const cellsOf = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  const top = lines.findIndex((line) => Object.keys(FAULTS).every((fault) => cellsOf(line).includes(fault)))
  const faults = cellsOf(lines[top]!).slice(1)
  const rows = lines.slice(top + 2, lines.indexOf('', top))
  return rows.flatMap((line) => {
    const [name, ...cells] = cellsOf(line)
    return cells.map((text, i) => ({ structure: STRUCTURES[name!]!, fault: FAULTS[faults[i]!]!, text }))
  })
}

describe('a disk that cannot be trusted', function () {
  this.timeout(120_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  const decode = (bytes: Uint8Array) => decodeSuperBlock(bytes, crc32)

  /** A seed that `npm run sim` has for such a disk. */
  function run(harm: Harm, round: number): DamageResult {
    return runDamage({ seed: seedOf(harm, round), ...harm, steps: STEPS, lend, decodeSuperBlock: decode })
  }

  /** Runs seeds until everyone who is named has found something. */
  function check({ structure, fault, text }: Claim): void {
    const isAlways = text.startsWith(ALWAYS)
    const missing = new Set(text.replace(ALWAYS, '').split(', '))
    const isHarmless = missing.delete(HARMLESS)
    for (const name of missing) expect([...Object.keys(FINDERS), NOBODY]).to.include(name)
    for (let round = 0; round < LEAST_SEEDS || (missing.size > 0 && round < MOST_SEEDS); round++) {
      const { finders, isMisread, isMisreadFirst, report } = run({ structure, fault }, round)
      const where = `seed ${report.seed}: ${report.reports.join('; ')}`
      for (const [name, finder] of Object.entries(FINDERS)) if (finders.has(finder)) missing.delete(name)
      expect(isAlways && isMisreadFirst, where).to.equal(false)
      if (!isMisread) continue
      expect(isHarmless, where).to.equal(false)
      if (finders.size > 0) continue
      expect(text.split(', '), where).to.include(NOBODY)
      missing.delete(NOBODY)
    }
    expect([...missing], `who finds nothing with ${MOST_SEEDS} seeds`).to.deep.equal([])
  }

  const claims = readTable()

  it('has a row for every structure', () => {
    const rows = Object.values(STRUCTURES).length
    expect(new Set(claims.map(({ structure }) => structure)).size).to.equal(rows)
    expect(claims.length).to.equal(rows * Object.keys(FAULTS).length)
  })

  for (const claim of claims) {
    const { structure, fault, text } = claim
    it(`is found out by ${text} (${Structure[structure]}, ${Fault[fault]})`, () => check(claim))
  }

  it('is what some seeds of every farm have, each fault of each structure in turn', () => {
    const pairs = Object.values(STRUCTURES).flatMap((structure) =>
      [...Object.values(FAULTS), Fault.Stray].map((fault) => ({ structure, fault })),
    )
    const farm = Array.from({ length: 8 * pairs.length }, (_, seed) => harmOfSeed(1000 + seed))
    expect(farm.filter((harm) => harm !== null)).to.have.deep.members(pairs)
  })

  it('does the same again with the same seed, also when all its requests are named', () => {
    const seed = seedOf({ structure: Structure.MapPage, fault: Fault.Misplaced }, 3)
    const options = { seed, steps: STEPS, lend, decodeSuperBlock: decode }
    const first = playSeed(options)
    expect(first.faults).to.be.above(0)
    expect(playSeed(options)).to.deep.equal(first)
    const kept = Array.from({ length: STEPS }, (_, number) => number)
    expect(playSeed({ ...options, reduction: { ...WHOLE, kept } })).to.deep.equal(first)
    expect(playSeed({ ...options, reduction: { ...WHOLE, without: ['damage'] } }).faults).to.equal(0)
  })

  it('is told in few requests when its seed fails', () => {
    const seed = seedOf({ structure: Structure.References, fault: Fault.Flipped }, 0)
    const refuse = (bytes: Uint8Array) => {
      const superBlock = decode(bytes)
      if (superBlock.state === VolumeState.ForceRebuild) throw new Error('no rebuild today')
      return superBlock
    }
    let attempts = 0
    const scenario = { seed, steps: STEPS, lend, decodeSuperBlock: refuse }
    const told = explain(scenario, () => attempts++ < 40)!
    expect(told.sentence).to.equal(`seed ${seed}: no rebuild today`)
    expect(told.replay).to.match(/--keep none --without .*damage/)
    expect(told.lines).to.include('the disk: References, Flipped')
  })

  it('does no more harm than damage does when its writes go anywhere', () => {
    for (const structure of Object.values(STRUCTURES)) {
      for (let round = 0; round < STRAY_SEEDS; round++) run({ structure, fault: Fault.Stray }, round)
    }
  })
})
