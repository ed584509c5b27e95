/** What many seeds met together: how much happened, and how often each rare branch was taken. */
import { nameOfWord, RARE, ROW_WORDS } from '../vio/marks.js'
import { noneOf, type ScenarioReport, TALLIED } from './scenario-report.js'

/** What of a report is added up. */
const SUMMED = [...TALLIED, 'crashes'] as const

export type Sums = Readonly<Record<(typeof SUMMED)[number], number>>

export class Coverage {
  seeds = 0
  /** Seeds in which the power was cut. */
  crashSeeds = 0
  private readonly summed = noneOf(SUMMED)
  private readonly words = Array.from({ length: ROW_WORDS }, () => 0)

  add(report: ScenarioReport): void {
    this.seeds++
    if (report.powerCuts > 0) this.crashSeeds++
    for (const name of SUMMED) this.summed[name] += report[name]
    for (const [word, count] of report.counters.entries()) this.words[word]! += count
  }

  get sums(): Sums {
    return this.summed
  }

  /** By its name, how often each rare branch was taken. */
  get rare(): Record<string, number> {
    return Object.fromEntries(RARE.map((word) => [nameOfWord(word)!, this.words[word]!]))
  }

  /** The rare branches that no seed took. */
  get neverTaken(): string[] {
    return RARE.filter((word) => this.words[word] === 0).map((word) => nameOfWord(word)!)
  }

  /** Every counter and mark with its name. */
  *counters(): Generator<readonly [name: string, count: number]> {
    for (const [word, count] of this.words.entries()) {
      const name = nameOfWord(word)
      if (name !== undefined) yield [name, count]
    }
  }
}
