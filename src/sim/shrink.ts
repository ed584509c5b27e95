/**
 * Makes a run that fails smaller: leaves out kinds of trouble, then requests (delta debugging: all, halves, quarters,
 * and so on), as long as what is left fails in the same way. With less to do everything happens at other times, and a
 * failure that needs two things to meet may be missed; so each attempt may take a few schedules.
 */
import { type Reduction, TROUBLES } from './reduction.js'

/** Schedules that an attempt may take before it counts as well. */
const SCHEDULES = 3

/** A reduction whose requests are named. */
export type SmallRun = Reduction & { readonly kept: readonly number[] }

export interface ShrinkOptions {
  readonly from: SmallRun
  /** Runs it. Gives those of its requests that it came near before it failed as the first one did; null if it did not. */
  readonly failing: (run: Reduction) => readonly number[] | null
  readonly hasTime: () => boolean
}

export interface Shrunk {
  readonly run: SmallRun
  /** Runs that were made. */
  readonly attempts: number
}

export function shrink(options: ShrinkOptions): Shrunk {
  const shrinking = new Shrinking(options)
  shrinking.run()
  return { run: shrinking.best, attempts: shrinking.attempts }
}

class Shrinking {
  best: SmallRun
  attempts = 0

  constructor(private readonly options: ShrinkOptions) {
    this.best = options.from
  }

  run(): void {
    let before: SmallRun
    do {
      before = this.best
      for (const trouble of TROUBLES) this.dropTrouble(trouble)
      this.dropRequests()
    } while (this.best !== before && this.options.hasTime())
  }

  private dropTrouble(trouble: (typeof TROUBLES)[number]): void {
    const { without } = this.best
    if (!without.includes(trouble)) this.attempt({ ...this.best, without: [...without, trouble] })
  }

  /** Leaves out ever smaller pieces of what is left, the last ones first. */
  private dropRequests(): void {
    for (let size = this.best.kept.length; size >= 1 && this.options.hasTime(); size = halfOf(size)) {
      for (let end = this.best.kept.length; end > 0; end = Math.min(end - size, this.best.kept.length)) {
        const { kept } = this.best
        this.attempt({ ...this.best, kept: [...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)] })
      }
    }
  }

  /** Takes a smaller run if it fails. */
  private attempt(smaller: SmallRun): void {
    const { failing, hasTime } = this.options
    for (let i = 0; i < SCHEDULES && hasTime(); i++) {
      const candidate = { ...smaller, schedule: smaller.schedule + i }
      this.attempts++
      const kept = failing(candidate)
      if (kept === null) continue
      this.best = { ...candidate, kept }
      return
    }
  }
}

const halfOf = (size: number): number => (size === 1 ? 0 : Math.ceil(size / 2))
