/**
 * The memory size of the index as the geometry block stores it: a signed code.
 *
 * | code             | memory                                               |
 * |------------------|------------------------------------------------------|
 * | -256, -512, -768 | 0.25, 0.5, 0.75 GiB                                  |
 * | 1 to 1024        | as many GiB                                          |
 * | -1280 … -1792    | 0.25, 0.5, 0.75 GiB, with one chapter less (reduced) |
 * | 4097 to 5120     | code - 4096 GiB, with one chapter less (reduced)     |
 * | -1               | next to none: an index of a few chapters, for tests  |
 *
 * A reduced index comes from an old volume that gave up one chapter to make room in front of it.
 */

import { FormatError } from './format-error.js'

const REDUCED_FRACTION = -1024
const REDUCED_WHOLE = 4096
const MAXIMUM_WHOLE = 1024

export const DEFAULT_INDEX_MEMORY = -256

/** The code of the small index that the format keeps for tests and tutorials. No tool makes a volume with it. */
export const SMALL_INDEX_MEMORY = -1

export interface IndexMemory {
  /** Size in quarters of a GiB, so that it is a whole number. */
  readonly quarters: number
  readonly reduced: boolean
}

/** What a code means; undefined when it means nothing. */
export function indexMemoryOf(code: number): IndexMemory | undefined {
  if (!Number.isInteger(code)) return undefined
  if (code < 0) {
    const reduced = code < REDUCED_FRACTION
    const quarters = (reduced ? code - REDUCED_FRACTION : code) / -256
    return quarters === 1 || quarters === 2 || quarters === 3 ? { quarters, reduced } : undefined
  }
  const reduced = code > REDUCED_WHOLE
  const whole = reduced ? code - REDUCED_WHOLE : code
  return whole >= 1 && whole <= MAXIMUM_WHOLE ? { quarters: 4 * whole, reduced } : undefined
}

/** The code for a size in GiB: 0.25, 0.5, 0.75, or a whole number up to 1024. */
export function indexMemoryCode(gib: number): number {
  if (gib === 0.25 || gib === 0.5 || gib === 0.75) return -1024 * gib
  if (Number.isInteger(gib) && gib >= 1 && gib <= MAXIMUM_WHOLE) return gib
  throw new FormatError(
    'VDO_BAD_CONFIGURATION',
    `Cannot size the index: its memory is ${gib} GiB, wanted 0.25, 0.5, 0.75 or a whole number from 1 to 1024`,
  )
}

/** How a code is shown to people, in GiB. */
export function indexMemoryText(code: number): string {
  if (code === SMALL_INDEX_MEMORY) return '0 (small)'
  const memory = indexMemoryOf(code)
  return memory === undefined ? `code ${code}` : `${memory.quarters / 4}${memory.reduced ? ' (reduced)' : ''}`
}
