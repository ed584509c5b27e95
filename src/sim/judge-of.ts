/** Who found out that a run is wrong: by the name of the error, since it may be another copy's of the same class. */

/** Sentences of the scenario by who says them. */
const JUDGES: readonly (readonly [RegExp, string])[] = [
  [/audit after a crash/, 'audit after a crash'],
  [/after a crash/, 'oracle after a crash'],
  [/the audit finds|dirty after a save/, 'audit after a save'],
  [/the counters? |count as allocated/, 'counters at rest'],
  [/is read-only/, 'engine, by read-only mode'],
]

/** `error` is what `runScenario` throws. */
export function judgeOf({ cause: found, message }: Error): string {
  const cause = found instanceof Error ? found : null
  if (cause?.name === 'OrderViolation') return `order: ${(cause as Error & { rule: string }).rule}`
  if (cause?.name === 'AssertionFailure') return 'assertion'
  if (cause?.constructor.name === 'WorkloadFailure') return 'oracle'
  return JUDGES.find(([pattern]) => pattern.test(cause?.message ?? message))?.[1] ?? 'recovery after a crash'
}
