/** Tells of a seed that fails in a file, as small as it could be made in the time. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { explain } from '../sim/explain.js'
import { type SeedTask, scenarioOf } from './run-seed.js'

/**
 * Looks for a smaller run for so many seconds, and writes `sim-SEED.trace` into a folder. Gives three lines: what is
 * wrong, the command that replays it, the file. Null if the seed does not fail.
 */
export async function explainSeed(task: SeedTask, seconds: number, folder: string): Promise<string | null> {
  const scenario = await scenarioOf(task)
  const until = performance.now() + seconds * 1000
  const explained = explain(scenario, () => performance.now() < until)
  if (explained === null) return null
  const { sentence, replay, lines } = explained
  const path = join(folder, `sim-${task.seed}.trace`)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return `${sentence}\nreplay: ${replay}\ntrace: ${path}`
}
