#!/usr/bin/env node
/** `npm run sim -- --seed N --steps M`: replays one seed, or runs many, and reports what they met. */
import { crc32 } from 'node:zlib'
import { Command, InvalidArgumentError } from 'commander'
import { WASM_PAGE_BYTES } from '../engine/arena.js'
import { decodeSuperBlock } from '../format/super-block.js'
import { createNative, loadKernelModule } from '../host/native.js'
import { RARE, runScenario } from '../sim/scenario.js'
import type { LendMemory } from '../sim/simulator.js'

const whole = (text: string): number => {
  const n = Number(text)
  if (!Number.isSafeInteger(n) || n < 0)
    throw new InvalidArgumentError(`a whole number from 0 is wanted, not ${text}`)
  return n
}

/** Shared memory with a native over it, made anew for each simulator. */
export async function memoryLender(): Promise<LendMemory> {
  const kernel = await loadKernelModule()
  return (bytes) => {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    return { buffer: memory.buffer, native: createNative(memory, kernel) }
  }
}

const program = new Command('sim')
  .description('Runs the engine in one thread under a seeded scheduler, with a random client and an oracle.')
  .option('--seed <n>', 'the (first) seed', whole, 1)
  .option('--seeds <n>', 'how many seeds to run', whole, 1)
  .option('--steps <n>', 'requests a seed', whole, 300)
  .option('--json', 'one JSON object a seed')
  .action(async (options: { seed: number; seeds: number; steps: number; json?: boolean }) => {
    const lend = await memoryLender()
    const totals: Record<string, number> = {}
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      const report = runScenario({
        seed,
        steps: options.steps,
        lend,
        decodeSuperBlock: (bytes) => decodeSuperBlock(bytes, crc32),
      })
      for (const name of Object.keys(RARE) as (keyof typeof RARE)[]) {
        totals[name] = (totals[name] ?? 0) + report.rare[name]
      }
      totals.noSpace = (totals.noSpace ?? 0) + report.noSpace
      const { counters: _counters, ...line } = report
      process.stdout.write(
        options.json
          ? `${JSON.stringify(line)}\n`
          : `seed ${seed}: trace ${report.traceHash.toString(16).padStart(8, '0')}, ${report.events} events, ${report.requests} requests\n`,
      )
    }
    process.stdout.write(`${JSON.stringify({ seeds: options.seeds, ...totals })}\n`)
  })

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
