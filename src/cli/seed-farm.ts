/** Seeds on all cores: their results in the order of the seeds, however many run at a time. */
import { Piscina } from 'piscina'
import { runSeed, type SeedResult, type SeedTask } from './run-seed.js'

/** As many seeds as any time has room for. */
export const MOST_SEEDS = 1e9

export interface SeedsToRun {
  /** The first of them. */
  readonly first: SeedTask
  readonly seeds: number
  /** Seeds at a time. */
  readonly jobs: number
  /** No seed is begun from then on, by `performance.now`. */
  readonly until?: number
}

/** Whoever stops listening stops the farm. */
export async function* runSeeds(wanted: SeedsToRun): AsyncGenerator<SeedResult> {
  const { first, seeds, jobs, until = Number.POSITIVE_INFINITY } = wanted
  let begun = 0
  const next = (): SeedTask | null =>
    begun < seeds && performance.now() < until ? { ...first, seed: first.seed + begun++ } : null
  if (seeds === 1 || jobs <= 1) {
    for (let task = next(); task !== null; task = next()) yield await runSeed(task)
    return
  }
  const farm = new Piscina<SeedTask, SeedResult>({
    filename: new URL('../../workers/seed-job.js', import.meta.url).href,
    maxThreads: jobs,
  })
  try {
    const running: Promise<SeedResult>[] = []
    for (;;) {
      // One that waits for each that runs, so that no thread is idle while a result is looked at.
      while (running.length < jobs * 2) {
        const task = next()
        if (task === null) break
        const result = farm.run(task)
        // It is rejected when the farm ends before it; nobody may be listening then.
        result.catch(() => {})
        running.push(result)
      }
      const oldest = running.shift()
      if (oldest === undefined) return
      yield await oldest
    }
  } finally {
    await farm.destroy()
  }
}
