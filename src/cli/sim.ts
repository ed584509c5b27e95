#!/usr/bin/env node
/**
 * `npm run sim -- --seed N --steps M`: replays one seed, or runs many on all cores, for a number of them or for a time,
 * and reports what they met and what they never did. A seed that fails is made small, and told in a file.
 */
import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { Coverage } from '../sim/coverage.js'
import { NONE_KEPT, type Reduction, TROUBLES, type Trouble, WHOLE } from '../sim/reduction.js'
import type { ScenarioReport } from '../sim/scenario-report.js'
import { decimalNumber, listOf, numberRanges, oneOf, wholeNumber } from './arguments.js'
import { ExitStatus } from './exit-status.js'
import { explainSeed } from './explain-seed.js'
import { runProgram } from './run-program.js'
import { runSeed, type SeedResult, type SeedTask } from './run-seed.js'
import { MOST_SEEDS, runSeeds } from './seed-farm.js'

interface SimOptions extends Pick<Reduction, 'without' | 'schedule'> {
  readonly seed: number
  readonly seeds?: number
  readonly minutes?: number
  readonly steps: number
  readonly jobs: number
  readonly keep: readonly number[] | null
  readonly shrink: number
  readonly traceFolder: string
  readonly json?: boolean
  readonly trace?: boolean
  readonly counters?: boolean
  readonly keepGoing?: boolean
}

const MINUTE_MS = 60_000
const SCHEDULES = 2 ** 20
const MOST_STEPS = 10_000_000

const program = new Command('sim')
  .description('run the engine in one thread under a seeded scheduler, with a random client and an oracle')
  .option(
    '--seed <n>',
    'the (first) seed, 0 to 9007199254740991',
    wholeNumber('--seed', 0, Number.MAX_SAFE_INTEGER),
    1,
  )
  .option(
    '--seeds <n>',
    'how many seeds to run, 1 to 1000000000 (default: 1)',
    wholeNumber('--seeds', 1, MOST_SEEDS),
  )
  .addOption(
    new Option('--minutes <n>', 'how long to begin new seeds, 0.01 to 100000, instead of how many there are')
      .argParser(decimalNumber('--minutes', 0.01, 100_000))
      .conflicts(['seeds', 'trace']),
  )
  .option('--steps <n>', `requests a seed, 1 to ${MOST_STEPS}`, wholeNumber('--steps', 1, MOST_STEPS), 300)
  .option(
    '--jobs <n>',
    'seeds at a time, each on a thread, 1 to 256',
    wholeNumber('--jobs', 1, 256),
    Math.min(256, availableParallelism()),
  )
  .option(
    '--keep <ranges>',
    'the only requests to make, like 3,17-19, or none (default: all)',
    numberRanges('--keep', NONE_KEPT, MOST_STEPS - 1),
    null,
  )
  .option(
    '--without <kinds>',
    `what to leave out, of ${TROUBLES.join(', ')}`,
    listOf('--without', oneOf('--without', TROUBLES)),
    [] as Trouble[],
  )
  .option(
    '--schedule <n>',
    `another order of messages than the seed's own, 0 to ${SCHEDULES}`,
    wholeNumber('--schedule', 0, SCHEDULES),
    0,
  )
  .option(
    '--shrink <seconds>',
    'how long to make a run that fails smaller, 0 to 86400',
    wholeNumber('--shrink', 0, 86_400),
    60,
  )
  .option('--trace-folder <path>', 'where sim-SEED.trace goes, which tells of a seed that fails', '.')
  .option('--trace', 'print every message, one seed at a time')
  .option('--counters', 'print every counter and mark at the end')
  .option('--keep-going', 'go on after a seed that fails')
  .option('--json', 'one JSON object a seed, and one for all of them')
  .action(async (options: SimOptions) => {
    const first: SeedTask = { seed: options.seed, steps: options.steps, reduction: reductionOf(options) }
    const coverage = new Coverage()
    const failed: number[] = []
    for await (const result of results(options, first)) {
      if ('report' in result) {
        coverage.add(result.report)
        const { counters: _, ...line } = result.report
        print(options.json ? JSON.stringify(line) : describe(result.report))
        continue
      }
      failed.push(result.seed)
      process.exitCode = ExitStatus.Failed
      complain(result.failure)
      const told = await explainSeed({ ...first, seed: result.seed }, options.shrink, options.traceFolder)
      if (told !== null) complain(told)
      if (!options.keepGoing) break
    }
    if (options.counters) for (const [name, count] of coverage.counters()) print(`${name} ${count}`)
    if (options.json) print(JSON.stringify(summary(coverage, failed)))
    else for (const line of summaryLines(coverage, failed)) print(line)
  })

function reductionOf({ keep, without, schedule }: SimOptions): Reduction {
  return { ...WHOLE, kept: keep, without, schedule }
}

function results(options: SimOptions, first: SeedTask): AsyncGenerator<SeedResult> {
  const { seeds = 1, minutes, jobs, trace } = options
  if (minutes !== undefined) {
    return runSeeds({ first, seeds: MOST_SEEDS, jobs, until: performance.now() + minutes * MINUTE_MS })
  }
  return trace ? traced(first, seeds) : runSeeds({ first, seeds, jobs })
}

/** One at a time, so that their lines do not mix. */
async function* traced(first: SeedTask, seeds: number): AsyncGenerator<SeedResult> {
  for (let i = 0; i < seeds; i++) yield await runSeed({ ...first, seed: first.seed + i }, print)
}

function describe({ seed, traceHash, events, requests }: ScenarioReport): string {
  return `seed ${seed}: trace ${traceHash.slice(0, 16)}…, ${events} events, ${requests} requests`
}

function summary({ seeds, crashSeeds, sums, rare, neverTaken }: Coverage, failed: readonly number[]) {
  return { seeds: seeds + failed.length, crashSeeds, ...sums, rare, neverTaken, failed }
}

function summaryLines(coverage: Coverage, failed: readonly number[]): string[] {
  const { seeds, crashSeeds, sums, rare, neverTaken } = coverage
  const branches = Object.keys(rare).length
  return [
    `${seeds} seeds were well, ${crashSeeds} of them with power cuts: ${sums.messages} messages, ` +
      `${sums.requests} requests, ${sums.noSpace} of them without space`,
    `${sums.powerCuts} power cuts, and ${sums.crashes} looked at from aside; ${sums.engineRecoveries} recoveries, ` +
      `${sums.failedRecoveries} that failed; ${sums.readOnlyEntries} volumes read-only, ${sums.rebuilds} rebuilt`,
    `${sums.faults} lies of disks that cannot be trusted, and blocks that they spoilt; ` +
      `found out in ${sums.foundOut} volumes, misread in ${sums.misread} others`,
    `${branches - neverTaken.length} of ${branches} rare branches were taken`,
    ...(neverTaken.length > 0 ? [`never: ${neverTaken.join(', ')}`] : []),
    ...(failed.length > 0 ? [`failed: seeds ${failed.join(', ')}`] : []),
  ]
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function complain(lines: string): void {
  process.stderr.write(`${lines}\n`)
}

await runProgram(program)
