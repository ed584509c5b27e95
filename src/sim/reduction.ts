/**
 * A run with parts of it left out. A seed draws each part of its run from a generator of the part's own, so that what
 * is left stays what it was: a client's request is the same whatever others are made, and so is each session.
 */

/** What a seed may bring beside its client's requests. */
export const TROUBLES = [
  /** The power fails. */
  'cuts',
  /** What a power failure would leave is looked at. */
  'looks',
  /** Requests of the disk fail. */
  'failures',
  /** The disk loses or misplaces what is written, or spoils it. */
  'damage',
  /** Requests of the disk lie for long. */
  'delays',
  /** The index lies. */
  'lies',
  /** The volume is suspended and saved, compression and the index are switched, between requests. */
  'interludes',
  /** Unequal blocks have the same name. */
  'weak-names',
] as const
export type Trouble = (typeof TROUBLES)[number]

export interface Reduction {
  /** Numbers of the client's requests that are made, ascending; null for all. */
  readonly kept: readonly number[] | null
  readonly without: readonly Trouble[]
  /** Which of the many orders that the seed could have drawn for messages and the disk; 0 is its own. */
  readonly schedule: number
}

/** Nothing is left out. */
export const WHOLE: Reduction = { kept: null, without: [], schedule: 0 }

/** Those of the numbers from `first` on, `count` of them, that are kept. */
export function keptWithin({ kept }: Reduction, first: number, count: number): readonly number[] {
  if (kept === null) return Array.from({ length: count }, (_, i) => first + i)
  return kept.filter((number) => number >= first && number < first + count)
}

/** Ascending numbers as ranges: `12,17-19`. */
export function rangesOf(numbers: readonly number[]): string {
  const ranges: string[] = []
  for (let i = 0; i < numbers.length; ) {
    let end = i
    while (numbers[end + 1] === numbers[end]! + 1) end++
    ranges.push(end === i ? `${numbers[i]}` : `${numbers[i]}-${numbers[end]}`)
    i = end + 1
  }
  return ranges.join(',')
}

/** The options that bring a reduction about. */
export function optionsOf({ kept, without, schedule }: Reduction): string {
  return [
    ...(kept === null ? [] : [`--keep ${kept.length === 0 ? NONE_KEPT : rangesOf(kept)}`]),
    ...(without.length === 0 ? [] : [`--without ${without.join(',')}`]),
    ...(schedule === 0 ? [] : [`--schedule ${schedule}`]),
  ].join(' ')
}

/** How to say that no request is made. */
export const NONE_KEPT = 'none'
