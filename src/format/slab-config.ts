/**
 * How a slab is divided: data blocks, then the blocks that hold their reference counts, then the slab journal.
 * The super block stores the division, and what is stored counts: it is computed only when a volume is formatted.
 */

import {
  MAXIMUM_OUTSTANDING_WRITES,
  REFERENCES_PER_BLOCK,
  SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK,
} from './constants.js'
import { FormatError } from './format-error.js'

export interface SlabConfig {
  /** Blocks of a slab, a power of two. */
  readonly slabBlocks: number
  readonly dataBlocks: number
  readonly referenceCountBlocks: number
  readonly slabJournalBlocks: number
  /** Slab journal blocks in use at which reference blocks begin to be written. */
  readonly flushingThreshold: number
  /** At which updates begin to wait. */
  readonly blockingThreshold: number
  /** At which a slab must be scrubbed before it takes more entries. */
  readonly scrubbingThreshold: number
}

/** Below this size the count of data blocks is rounded down to a power of two. */
const ROUNDED_BELOW = 1024

export function configureSlab(slabBlocks: number, slabJournalBlocks: number): SlabConfig {
  if (slabJournalBlocks >= slabBlocks) {
    throw new FormatError(
      'VDO_BAD_CONFIGURATION',
      `Cannot divide a slab: its journal has ${slabJournalBlocks} blocks, the whole slab ${slabBlocks}`,
    )
  }
  const referenceCountBlocks = Math.ceil((slabBlocks - slabJournalBlocks) / REFERENCES_PER_BLOCK)
  const rest = slabBlocks - slabJournalBlocks - referenceCountBlocks
  if (rest < 1) {
    throw new FormatError(
      'VDO_BAD_CONFIGURATION',
      `Cannot divide a slab: ${slabBlocks} blocks leave none for data beside ${slabJournalBlocks} of journal`,
    )
  }
  const dataBlocks = slabBlocks < ROUNDED_BELOW ? 2 ** Math.floor(Math.log2(rest)) : rest
  const flushingThreshold = Math.floor((slabJournalBlocks * 3 + 3) / 4)
  const remaining = slabJournalBlocks - flushingThreshold
  const blocking = flushingThreshold + Math.floor((remaining * 5) / 7)
  // Room for what all writes in flight may still add while a slab is being scrubbed.
  const minimumExtra = 1 + Math.floor(MAXIMUM_OUTSTANDING_WRITES / SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK)
  const scrubbingThreshold = slabJournalBlocks > minimumExtra ? slabJournalBlocks - minimumExtra : blocking
  return {
    slabBlocks,
    dataBlocks,
    referenceCountBlocks,
    slabJournalBlocks,
    flushingThreshold,
    blockingThreshold: Math.min(blocking, scrubbingThreshold),
    scrubbingThreshold,
  }
}
