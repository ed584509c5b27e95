/**
 * What the slabs of a read-only volume say may be anything: a rebuild counts on the block map alone, and must forget
 * the rest. So before one all of it is made wrong: each counter, the summary, and each slab journal, whose blocks are
 * ones that the volume could have written itself, long after those that it will write.
 */
import { isZero } from '../base/bytes.js'
import type { Prng } from '../base/prng.js'
import { BLOCK_SIZE, SLAB_SUMMARY_BLOCKS } from '../format/constants.js'
import {
  appendSlabJournalEntry,
  openSlabJournalBlock,
  writeSlabJournalHead,
} from '../format/slab-journal-block.js'
import type { Volume } from '../vio/volume.js'
import type { SimStore } from './sim-store.js'

/** How often the journals went round, and the block of the recovery journal that they have come to. */
const ROUNDS = 1000
const RECOVERY_SEQUENCE = 2 ** 40

export function spoilSlabs(disk: SimStore, volume: Volume, prng: Prng): void {
  const { slabDataBlocks, slabReferenceBlocks, slabJournalBlocks, summaryOrigin, nonceLow, nonceHigh } =
    volume
  const block = new Uint8Array(BLOCK_SIZE).fill(prng.between(1, 255))
  for (let i = 0; i < SLAB_SUMMARY_BLOCKS; i++) disk.write(summaryOrigin + i, block)
  for (const start of slabStarts(volume)) {
    block.fill(prng.between(1, 254))
    const counts = start + slabDataBlocks
    for (let i = 0; i < slabReferenceBlocks; i++) disk.write(counts + i, block)
    for (let position = 0; position < slabJournalBlocks; position++) {
      const sequence = ROUNDS * slabJournalBlocks + position
      openSlabJournalBlock(block, 0, sequence, nonceLow, nonceHigh)
      writeSlabJournalHead(block, 0, sequence)
      appendSlabJournalEntry(block, 0, prng.below(slabDataBlocks), true, false, RECOVERY_SEQUENCE, position)
      disk.write(counts + slabReferenceBlocks + position, block)
    }
  }
}

/** Whether every slab journal is blank, as a rebuild leaves it. */
export function areSlabJournalsBlank(disk: SimStore, volume: Volume): boolean {
  const { slabDataBlocks, slabReferenceBlocks, slabJournalBlocks } = volume
  return slabStarts(volume).every((start) => {
    const journal = start + slabDataBlocks + slabReferenceBlocks
    for (let i = 0; i < slabJournalBlocks; i++) {
      if (!isZero(disk.blockAt(journal + i), 0, BLOCK_SIZE)) return false
    }
    return true
  })
}

function slabStarts({ depotOrigin, slabCount, slabBlocks }: Volume): number[] {
  return Array.from({ length: slabCount }, (_, slab) => depotOrigin + slab * slabBlocks)
}
