/** What a run of one seed has met. */

/** What a run adds up, and whoever runs many seeds. */
export const TALLIED = [
  /** Between zones. */
  'messages',
  /** Of the scheduler. */
  'events',
  /** Of clients, and those that found no space. */
  'requests',
  'noSpace',
  /** Power failures after which the engine itself went on with what the disk had. */
  'powerCuts',
  /** Power failures, and looks at what one would leave, while no block was free. */
  'fullCrashes',
  /** Recoveries that the engine completed, and those that a disk let fail. */
  'engineRecoveries',
  'failedRecoveries',
  /** Read-only volumes that were rebuilt, and rebuilds that a disk let fail. */
  'rebuilds',
  'failedRebuilds',
  /** Disks that failed and made the volume read-only. */
  'readOnlyEntries',
  /** Lies of disks that cannot be trusted, and blocks that they spoilt. */
  'faults',
  /** Volumes of which somebody found that out, and others of which a client read what is wrong. */
  'foundOut',
  'misread',
] as const

type Tally = Record<(typeof TALLIED)[number], number>

export interface ScenarioReport extends Readonly<Tally> {
  readonly seed: number
  /** The digests of all sessions, one after another. */
  readonly traceHash: string
  /** Power failures that were looked at from aside, and how many of them needed a recovery. */
  readonly crashes: number
  readonly recoveries: number
  /** Counters and marks, by Counter and Mark, over all sessions. */
  readonly counters: readonly number[]
  readonly reports: readonly string[]
}

/** Nothing of each yet. */
export function noneOf<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
}
