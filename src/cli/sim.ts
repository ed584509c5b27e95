#!/usr/bin/env node
/** `npm run sim -- --seed N --steps M`: replays one seed, or runs many on all cores, and reports what they met. */
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { Piscina } from 'piscina'
import { RARE, type ScenarioReport } from '../sim/scenario.js'
import { COUNTER_COUNT, Counter } from '../vio/counters.js'
import { wholeNumber } from './arguments.js'
import { ExitStatus } from './exit-status.js'
import { runProgram } from './run-program.js'
import { runSeed, type SeedResult } from './run-seed.js'

interface SimOptions {
  readonly seed: number
  readonly seeds: number
  readonly steps: number
  readonly jobs: number
  readonly json?: boolean
  readonly trace?: boolean
  readonly counters?: boolean
  readonly keepGoing?: boolean
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What all seeds met together. */
class Totals {
  private readonly sums = { noSpace: 0, powerCuts: 0, engineRecoveries: 0, rebuilds: 0 }
  private readonly rare: Record<string, number> = {}
  private readonly counters = Array.from({ length: COUNTER_COUNT }, () => 0)

  add({ rare, noSpace, powerCuts, engineRecoveries, rebuilds, counters }: ScenarioReport): void {
    for (const name of Object.keys(RARE) as (keyof typeof RARE)[])
      this.rare[name] = (this.rare[name] ?? 0) + rare[name]
    this.sums.noSpace += noSpace
    this.sums.powerCuts += powerCuts
    this.sums.engineRecoveries += engineRecoveries
    this.sums.rebuilds += rebuilds
    counters.forEach((count, counter) => {
      this.counters[counter]! += count
    })
  }

  tell(seeds: number, failed: readonly number[], withCounters: boolean): void {
    if (withCounters) this.counters.forEach((count, counter) => print(`${Counter[counter]} ${count}`))
    print(JSON.stringify({ seeds, ...this.sums, ...this.rare, ...(failed.length > 0 && { failed }) }))
  }
}

const seedNumber = wholeNumber('--seed', 0, Number.MAX_SAFE_INTEGER)

const program = new Command('sim')
  .description('run the engine in one thread under a seeded scheduler, with a random client and an oracle')
  .option('--seed <n>', 'the (first) seed, 0 to 9007199254740991', seedNumber, 1)
  .option('--seeds <n>', 'how many seeds to run, 1 to 1000000000', wholeNumber('--seeds', 1, 1e9), 1)
  .option('--steps <n>', 'requests a seed, 1 to 10000000', wholeNumber('--steps', 1, 1e7), 300)
  .option(
    '--jobs <n>',
    'seeds at a time, each on a thread, 1 to 256',
    wholeNumber('--jobs', 1, 256),
    Math.min(256, availableParallelism()),
  )
  .option('--trace', 'print every message, one seed at a time')
  .option('--counters', 'print every counter at the end')
  .option('--keep-going', 'go on after a seed that fails')
  .option('--json', 'one JSON object a seed')
  .action(async (options: SimOptions) => {
    const totals = new Totals()
    const failed: number[] = []
    let ran = 0
    for await (const result of results(options)) {
      ran++
      if ('report' in result) {
        totals.add(result.report)
        const { counters: _, ...line } = result.report
        print(options.json ? JSON.stringify(line) : describe(result.report))
        continue
      }
      failed.push(result.seed)
      process.exitCode = ExitStatus.Failed
      process.stderr.write(`${result.failure}\n`)
      if (!options.keepGoing) break
    }
    totals.tell(ran, failed, options.counters === true)
  })

/** Results in the order of their seeds, however many run at a time. */
async function* results({ seed, seeds, steps, jobs, trace }: SimOptions): AsyncGenerator<SeedResult> {
  if (trace === true || seeds === 1 || jobs <= 1) {
    for (let s = seed; s < seed + seeds; s++)
      yield await runSeed(s, steps, trace === true ? print : undefined)
    return
  }
  const farm = new Piscina<{ seed: number; steps: number }, SeedResult>({
    filename: new URL('../../workers/seed-job.js', import.meta.url).href,
    maxThreads: jobs,
  })
  try {
    const running: Promise<SeedResult>[] = []
    for (let s = seed; s < seed + seeds || running.length > 0; ) {
      while (s < seed + seeds && running.length < jobs * 2) running.push(farm.run({ seed: s++, steps }))
      yield await running.shift()!
    }
  } finally {
    await farm.destroy()
  }
}

function describe({ seed, traceHash, events, requests }: ScenarioReport): string {
  return `seed ${seed}: trace ${traceHash.slice(0, 16)}…, ${events} events, ${requests} requests`
}

await runProgram(program)
