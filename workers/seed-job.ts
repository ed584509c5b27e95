/** The door of a simulator farm's thread: runs one seed, answers with its report or with what went wrong. */
import { runSeed, type SeedResult } from '../src/cli/run-seed.js'

export default function job(task: { readonly seed: number; readonly steps: number }): Promise<SeedResult> {
  return runSeed(task.seed, task.steps)
}
