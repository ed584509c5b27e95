/**
 * How a part is measured: alternately with all others, in slices of a few milliseconds, so that whatever else the
 * machine does meets all alike; of each part the best and the middle slice count.
 */

/** Something that the engine does often. */
export interface Part {
  readonly name: string
  /** Does it `times` times over. */
  run(times: number): void
  /** Throws unless what the part does is right; before it is timed. */
  check?(): void
}

export interface Measured {
  readonly name: string
  /** CPU time for one, nanoseconds. */
  readonly best: number
  readonly median: number
}

const SLICES = 25
const SLICE_NS = 8e6
const WARM_UP = 3000

/** Measures all parts, interleaved. */
export function measure(parts: readonly Part[]): Measured[] {
  const times = parts.map((part) => {
    part.check?.()
    part.run(WARM_UP)
    return Math.max(1, Math.ceil(SLICE_NS / cost(part, WARM_UP)))
  })
  const costs = parts.map(() => [] as number[])
  for (let slice = 0; slice < SLICES; slice++) {
    parts.forEach((part, i) => {
      costs[i]!.push(cost(part, times[i]!))
    })
  }
  return parts.map(({ name }, i) => {
    const sorted = costs[i]!.sort((a, b) => a - b)
    return { name, best: sorted[0]!, median: sorted[SLICES >> 1]! }
  })
}

/** CPU nanoseconds of this thread's process for one of `times`. */
function cost(part: Part, times: number): number {
  const before = process.cpuUsage()
  part.run(times)
  const { user, system } = process.cpuUsage(before)
  return Math.max(1, ((user + system) * 1000) / times)
}
