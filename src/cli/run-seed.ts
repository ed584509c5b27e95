/** One seed of the simulator, for the command itself and for the threads of its farm. */
import { crc32 } from 'node:zlib'
import { decodeSuperBlock } from '../format/super-block.js'
import { memoryLender } from '../host/lend-memory.js'
import { runScenario, type ScenarioReport } from '../sim/scenario.js'

export type SeedResult =
  | { readonly seed: number; readonly report: ScenarioReport }
  /** The sentence with its seed, and where it comes from. */
  | { readonly seed: number; readonly failure: string }

let lender: ReturnType<typeof memoryLender> | null = null

/** Runs a seed; what is wrong with it is a result too. */
export async function runSeed(
  seed: number,
  steps: number,
  trace?: (line: string) => void,
): Promise<SeedResult> {
  lender ??= memoryLender()
  const lend = await lender
  try {
    const decode = (bytes: Uint8Array) => decodeSuperBlock(bytes, crc32)
    return {
      seed,
      report: runScenario({ seed, steps, lend, decodeSuperBlock: decode, ...(trace && { trace }) }),
    }
  } catch (error) {
    return { seed, failure: describeError(error) }
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause, message } = error
  return cause instanceof Error ? `${message}\n${cause.stack}` : (error.stack ?? message)
}
