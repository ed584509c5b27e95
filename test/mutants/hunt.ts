/**
 * `node hunt.js FOLDER SEEDS STEPS`: runs seeds of the simulator on the engine that was compiled to FOLDER until one
 * finds something wrong, and says which, and who found it. A program of its own, since it may die or never end.
 */
import { pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import { judgeOf } from '../../src/sim/judge-of.js'

export interface Catch {
  readonly seed: number
  readonly judge: string
  readonly sentence: string
}

/** What is printed, as JSON: what was found, or null, and how many seeds there was time for. */
export interface Hunt {
  readonly caught: Catch | null
  readonly seeds: number
}

/** The compiled engine's own modules, which cannot be imported by name. */
interface Engine {
  readonly runScenario: typeof import('../../src/sim/scenario.js').runScenario
  readonly memoryLender: typeof import('../../src/host/lend-memory.js').memoryLender
  readonly decodeSuperBlock: typeof import('../../src/format/super-block.js').decodeSuperBlock
}

async function engineAt(folder: string): Promise<Engine> {
  const load = (file: string): Promise<Engine> =>
    import(pathToFileURL(`${folder}/src/${file}.js`).href) as Promise<Engine>
  const [scenario, lend, format] = await Promise.all(
    ['sim/scenario', 'host/lend-memory', 'format/super-block'].map(load),
  )
  const { runScenario } = scenario
  const { memoryLender } = lend
  const { decodeSuperBlock } = format
  return { runScenario, memoryLender, decodeSuperBlock }
}

/** No seed is begun after that. */
const MOST_MS = 240_000

async function hunt(folder: string, seeds: number, steps: number): Promise<Hunt> {
  const { runScenario, memoryLender, decodeSuperBlock } = await engineAt(folder)
  const lend = await memoryLender()
  const deadline = Date.now() + MOST_MS
  let seed = 0
  while (seed < seeds && Date.now() < deadline) {
    seed++
    try {
      runScenario({ seed, steps, lend, decodeSuperBlock: (bytes) => decodeSuperBlock(bytes, crc32) })
    } catch (error) {
      const caught = error as Error
      return { seeds: seed, caught: { seed, judge: judgeOf(caught), sentence: caught.message } }
    }
  }
  return { seeds: seed, caught: null }
}

const [folder, seeds, steps] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await hunt(folder, Number(seeds), Number(steps))))
