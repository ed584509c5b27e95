/** One seed of the simulator, for the command itself and for the threads of its farm. */
import { crc32 } from 'node:zlib'
import { decodeSuperBlock } from '../format/super-block.js'
import { memoryLender } from '../host/lend-memory.js'
import { playSeed } from '../sim/play-seed.js'
import type { Reduction } from '../sim/reduction.js'
import type { ScenarioOptions } from '../sim/scenario.js'
import type { ScenarioReport } from '../sim/scenario-report.js'
import type { Trace } from '../sim/trace.js'

export interface SeedTask {
  readonly seed: number
  readonly steps: number
  readonly reduction?: Reduction
}

export type SeedResult =
  | { readonly seed: number; readonly report: ScenarioReport }
  /** The sentence with its seed, and where it comes from. */
  | { readonly seed: number; readonly failure: string }

let lender: ReturnType<typeof memoryLender> | null = null

/** What the simulator needs to run a seed on this machine. */
export async function scenarioOf(task: SeedTask): Promise<ScenarioOptions> {
  lender ??= memoryLender()
  return { ...task, lend: await lender, decodeSuperBlock: (bytes) => decodeSuperBlock(bytes, crc32) }
}

/** Runs a seed; what is wrong with it is a result too. */
export async function runSeed(task: SeedTask, trace?: Trace): Promise<SeedResult> {
  const scenario = await scenarioOf(task)
  const { seed } = task
  try {
    return { seed, report: playSeed({ ...scenario, ...(trace && { trace }) }) }
  } catch (error) {
    return { seed, failure: describeError(error) }
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause, message } = error
  return cause instanceof Error ? `${message}\n${cause.stack}` : (error.stack ?? message)
}
