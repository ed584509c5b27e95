#!/usr/bin/env node
/** `npm run sim -- --seed N --steps M`: replays one seed, or runs many, and reports what they met. */
import { crc32 } from 'node:zlib'
import { Command, InvalidArgumentError } from 'commander'
import { decodeSuperBlock } from '../format/super-block.js'
import { memoryLender } from '../host/lend-memory.js'
import { RARE, runScenario, type ScenarioReport } from '../sim/scenario.js'
import { COUNTER_COUNT, Counter } from '../vio/counters.js'

interface SimOptions {
  readonly seed: number
  readonly seeds: number
  readonly steps: number
  readonly json?: boolean
  readonly trace?: boolean
  readonly counters?: boolean
  readonly keepGoing?: boolean
}

function whole(text: string): number {
  const n = Number(text)
  if (Number.isSafeInteger(n) && n >= 0) return n
  throw new InvalidArgumentError(`a whole number from 0 is wanted, not ${text}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What all seeds met together. */
class Totals {
  private readonly sums: Record<string, number> = { noSpace: 0 }
  private readonly counters = Array.from({ length: COUNTER_COUNT }, () => 0)

  add({ rare, noSpace, counters }: ScenarioReport): void {
    for (const name of Object.keys(RARE) as (keyof typeof RARE)[])
      this.sums[name] = (this.sums[name] ?? 0) + rare[name]
    this.sums['noSpace']! += noSpace
    counters.forEach((count, counter) => {
      this.counters[counter]! += count
    })
  }

  tell(seeds: number, failed: readonly number[], withCounters: boolean): void {
    if (withCounters) this.counters.forEach((count, counter) => print(`${Counter[counter]} ${count}`))
    print(JSON.stringify({ seeds, ...this.sums, ...(failed.length > 0 && { failed }) }))
  }
}

const program = new Command('sim')
  .description('Runs the engine in one thread under a seeded scheduler, with a random client and an oracle.')
  .option('--seed <n>', 'the (first) seed', whole, 1)
  .option('--seeds <n>', 'how many seeds to run', whole, 1)
  .option('--steps <n>', 'requests a seed', whole, 300)
  .option('--trace', 'print every message')
  .option('--counters', 'print every counter at the end')
  .option('--keep-going', 'go on after a seed that fails')
  .option('--json', 'one JSON object a seed')
  .action(async (options: SimOptions) => {
    const lend = await memoryLender()
    const totals = new Totals()
    const failed: number[] = []
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      try {
        const report = runScenario({
          seed,
          steps: options.steps,
          lend,
          decodeSuperBlock: (bytes) => decodeSuperBlock(bytes, crc32),
          ...(options.trace && { trace: print }),
        })
        totals.add(report)
        const { counters: _, ...line } = report
        print(options.json ? JSON.stringify(line) : describe(report))
      } catch (error) {
        failed.push(seed)
        process.exitCode = 1
        process.stderr.write(`${describeError(error)}\n`)
        if (!options.keepGoing) break
      }
    }
    totals.tell(options.seeds, failed, options.counters === true)
  })

function describe({ seed, traceHash, events, requests }: ScenarioReport): string {
  const trace = traceHash.toString(16).padStart(8, '0')
  return `seed ${seed}: trace ${trace}, ${events} events, ${requests} requests`
}

/** The sentence with its seed, and where it comes from. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause, message } = error
  return cause instanceof Error ? `${message}\n${cause.stack}` : (error.stack ?? message)
}

await program.parseAsync()
