/**
 * What a deduplication index does: it remembers for a name (128 bits, four 32-bit words) where a block of that
 * name was last known to be. It is a hint: it may forget, and may be wrong.
 *
 * An index serves one zone and answers before it returns.
 */

/** Where a block may be. One per zone, filled in by the index, so that an answer allocates nothing. */
export interface Advice {
  pbn: number
  state: number
}

export interface NameIndex {
  /** Entries that it holds now, and how many it has forgotten for want of room. */
  readonly size: number
  readonly discarded: number
  /** Finds a name and makes it the most recent. False, with `advice` untouched, if it is not known. */
  query(w0: number, w1: number, w2: number, w3: number, advice: Advice): boolean
  /** As `query`; a name that is not known is entered with what is offered. */
  post(w0: number, w1: number, w2: number, w3: number, pbn: number, state: number, advice: Advice): boolean
  /** Enters or overwrites. True if the name was known. */
  update(w0: number, w1: number, w2: number, w3: number, pbn: number, state: number): boolean
}
