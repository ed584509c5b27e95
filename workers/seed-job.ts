/** The door of a simulator farm's thread: runs one seed, answers with its report or with what went wrong. */
import { runSeed, type SeedResult, type SeedTask } from '../src/cli/run-seed.js'

export default function job(task: SeedTask): Promise<SeedResult> {
  return runSeed(task)
}
