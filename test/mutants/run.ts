/**
 * `npm run test:mutants`: shows that the judges bite. Each deliberate fault is put into a copy of the engine, and
 * seeds are run on it until one finds it. A fault that no seed finds makes this fail.
 *
 * `-- WORD…` runs only those whose name has a word; UVDO_MUTANT_SEEDS says how many seeds a fault may take.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT, run } from '../tools.js'
import { buildMutant } from './apply.js'
import type { Hunt } from './hunt.js'
import type { Mutant } from './mutant.js'
import { MUTANTS } from './mutants.js'

const SEEDS = Number(process.env['UVDO_MUTANT_SEEDS'] ?? 1000)
const STEPS = 200
const AT_A_TIME = 2
/** Beyond the hunt's own limit: an engine that takes so long is one that never ends. */
const TIME_LIMIT_MS = 300_000
const HUNT = fileURLToPath(new URL('hunt.js', import.meta.url))

/** An engine that dies or hangs is found by that. */
async function hunted(mutant: Mutant, folder: string): Promise<Hunt> {
  try {
    buildMutant(mutant, folder)
    const { status, stdout, stderr } = await run(
      process.execPath,
      [HUNT, folder, String(SEEDS), String(STEPS)],
      TIME_LIMIT_MS,
    )
    if (status === 0) return JSON.parse(stdout) as Hunt
    const sentence = stderr.trim().split('\n').at(-1) ?? ''
    const judge = status === null ? 'a run that never ends' : 'a process that died'
    return { seeds: 0, caught: { seed: 0, judge, sentence } }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const words = process.argv.slice(2)
const chosen = MUTANTS.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.toLowerCase().includes(word.toLowerCase())),
)
const survivors: string[] = []
let next = 0

async function work(): Promise<void> {
  while (next < chosen.length) {
    const number = next++
    const mutant = chosen[number]
    const { caught, seeds } = await hunted(mutant, join(ROOT, 'dist', 'mutants', String(number)))
    if (caught === null) survivors.push(mutant.name)
    const told =
      caught === null
        ? `SURVIVES ${seeds} seeds`
        : `seed ${caught.seed}, ${caught.judge}\n    ${caught.sentence.slice(0, 200)}`
    process.stdout.write(`${mutant.name}: ${told}\n`)
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, work))
rmSync(join(ROOT, 'dist', 'mutants'), { recursive: true, force: true })
process.stdout.write(`${chosen.length - survivors.length} of ${chosen.length} faults found\n`)
if (survivors.length > 0) {
  process.stderr.write(`No seed finds: ${survivors.join('; ')}\n`)
  process.exitCode = 1
}
