/** What is wrong with a seed, and how far its clients had come. */

/** Its cause says where. */
export class ScenarioFailure extends Error {
  constructor(
    seed: number,
    /** Numbers of the client's requests in the sessions up to then, made or not. */
    readonly requests: readonly number[],
    cause: unknown,
  ) {
    super(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

interface Run<Report> {
  run(): Report
  /** Numbers of the client's requests in all sessions up to now. */
  readonly requests: readonly number[]
}

/** Makes a run of a seed and runs it; whatever is thrown is a `ScenarioFailure`. */
export function runOrFail<Report>(seed: number, make: () => Run<Report>): Report {
  let made: Run<Report> | null = null
  try {
    made = make()
    return made.run()
  } catch (error) {
    throw new ScenarioFailure(seed, made?.requests ?? [], error)
  }
}
