/** A seed that fails is made as small as time allows, and told. */
import { judgeOf } from './judge-of.js'
import { playSeed } from './play-seed.js'
import { optionsOf, type Reduction, WHOLE } from './reduction.js'
import type { ScenarioOptions } from './scenario.js'
import { ScenarioFailure } from './scenario-failure.js'
import { shrink } from './shrink.js'
import { tellStory } from './story.js'

export interface Explained {
  /** The smallest run that was found to fail in the same way. */
  readonly reduction: Reduction
  /** What is wrong with it. */
  readonly sentence: string
  /** The command that replays it. */
  readonly replay: string
  /** Its story, line by line. */
  readonly lines: readonly string[]
}

/** Null if the scenario does not fail. Gives the best of what was found when there is no time any more. */
export function explain(scenario: ScenarioOptions, hasTime: () => boolean): Explained | null {
  const first = failureOf(scenario)
  if (first === null) return null
  const whole = scenario.reduction ?? WHOLE
  const { run, attempts } = shrink({
    from: { ...whole, kept: first.requests },
    failing: (reduction) => {
      const failure = failureOf({ ...scenario, reduction })
      return failure !== null && isAlike(failure, first) ? failure.requests : null
    },
    hasTime,
  })
  const reduction = attempts === 0 ? whole : run
  const { seed, steps } = scenario
  const replay = `npm run sim -- --seed ${seed} --steps ${steps} ${optionsOf(reduction)}`.trimEnd()
  const shrinking = `shrunk from ${first.requests.length} requests to ${run.kept.length} in ${attempts} runs`
  const lines = tellStory({ ...scenario, reduction }, { replay, shrinking })
  return { reduction, sentence: lines[0]!, replay, lines }
}

/** Whether the same judge has found it; an assertion is a judge of its own. */
function isAlike(failure: ScenarioFailure, first: ScenarioFailure): boolean {
  const judge = judgeOf(first)
  return judgeOf(failure) === judge && (judge !== 'assertion' || failure.message === first.message)
}

/** What is wrong with a seed, or null. */
function failureOf(scenario: ScenarioOptions): ScenarioFailure | null {
  try {
    playSeed(scenario)
    return null
  } catch (error) {
    if (error instanceof ScenarioFailure) return error
    throw error
  }
}
