/**
 * The table "A disk that cannot be trusted" of docs/crash-safety.md is run as it stands there: who it says finds what a
 * disk did to a structure is seen to find it, by some seed; and where it says so, nothing that is wrong is ever read
 * without a word. Whatever happens, the engine goes on, and a rebuild gives a volume in which everything agrees.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { type DamageReport, Finder, runDamage } from '../../src/sim/damage.js'
import { Fault } from '../../src/sim/lying-store.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { Structure } from '../../src/sim/structures.js'
import { ROOT } from '../tools.js'

const STEPS = 60
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

  function run(seed: number, structure: Structure, fault: Fault): DamageReport {
    const decode = (bytes: Uint8Array) => decodeSuperBlock(bytes, crc32)
    return runDamage({ seed, structure, fault, steps: STEPS, lend, decodeSuperBlock: decode })
  }

  /** Runs seeds until everyone who is named has found something. */
  function check({ structure, fault, text }: Claim): void {
    const isAlways = text.startsWith(ALWAYS)
    const missing = new Set(text === '–' ? [] : text.replace(ALWAYS, '').split(', '))
    const isHarmless = missing.delete(HARMLESS)
    for (const name of missing) expect([...Object.keys(FINDERS), NOBODY]).to.include(name)
    for (let seed = 1; seed <= LEAST_SEEDS || (missing.size > 0 && seed <= MOST_SEEDS); seed++) {
      const { finders, isMisread, words } = run(seed, structure, fault)
      for (const [name, finder] of Object.entries(FINDERS)) if (finders.has(finder)) missing.delete(name)
      if (!isMisread) continue
      expect(isHarmless, `seed ${seed}: ${words.join('; ')}`).to.equal(false)
      if (finders.size > 0) continue
      expect(isAlways, `seed ${seed}: ${words.join('; ')}`).to.equal(false)
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

  it('does no more harm than damage does when its writes go anywhere', () => {
    for (const structure of Object.values(STRUCTURES)) {
      for (let seed = 1; seed <= STRAY_SEEDS; seed++) run(seed, structure, Fault.Stray)
    }
  })
})
