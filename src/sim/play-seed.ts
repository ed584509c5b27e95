/**
 * What a seed runs: a scenario, on a disk that may fail but never lies; or, one seed in so many, a volume on a disk that
 * cannot be trusted. What such a disk does, and to which structure, takes turns from one of those seeds to the next.
 */
import { type Harm, runDamage } from './damage.js'
import { Fault } from './lying-store.js'
import { runScenario, type ScenarioOptions } from './scenario.js'
import type { ScenarioReport } from './scenario-report.js'
import { Structure } from './structures.js'

const EVERY = 8
const STRUCTURES = Object.keys(Structure).length / 2
const FAULTS = Object.keys(Fault).length / 2

/** Runs one seed; throws a `ScenarioFailure` if anything is wrong. */
export function playSeed(options: ScenarioOptions): ScenarioReport {
  const harm = harmOfSeed(options.seed)
  return harm === null ? runScenario(options) : runDamage({ ...options, ...harm }).report
}

/** Null for a seed whose disk never lies. */
export function harmOfSeed(seed: number): Harm | null {
  if (seed % EVERY !== 0) return null
  const turn = seed / EVERY
  return { structure: turn % STRUCTURES, fault: Math.floor(turn / STRUCTURES) % FAULTS }
}
