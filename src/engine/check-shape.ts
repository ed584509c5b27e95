/**
 * What the engine needs of its sizes so that nothing overflows and nobody waits for ever. VDO's own sizes pass with
 * any zones within VDO's limits; the simulator's small ones are held to the same rules.
 */
import { VdoError } from '../base/errors.js'
import {
  JOURNAL_ENTRIES_PER_BLOCK,
  MAXIMUM_FRAGMENTS,
  REFERENCE_MAXIMUM,
  SLAB_JOURNAL_ENTRIES_PER_BLOCK,
  SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK,
  SLAB_SUMMARY_BLOCKS_PER_ZONE,
} from '../format/constants.js'
import { otherVioCount } from '../vio/metadata-pools.js'
import { MAX_OPERAND } from '../vio/opcodes.js'
import type { Volume, ZoneCounts } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'

/** For each size the least and the most that it may be, and why. */
type Limit = readonly [size: Exclude<keyof VolumeShape, 'index'>, least: number, most: number, why: string]

const ANY = Number.MAX_SAFE_INTEGER

function limitsOf(shape: VolumeShape, volume: Volume, counts: ZoneCounts): Limit[] {
  const { dataVios } = shape
  const reserve = Math.min(Math.floor(volume.journalBlocks / 4), shape.journalTailBlocks)
  const mostAge = Math.floor((volume.journalBlocks - reserve) / 2)
  return [
    ['dataVios', 1, MAX_OPERAND, 'a message has 16 bits for a vio'],
    ['discardVios', 1, dataVios, 'discards take theirs from the data vios'],
    ['flushVios', 1, MAX_OPERAND, 'a message has 16 bits for a vio'],
    ['maxDiscardBlocks', 1, 2 ** 20 - 1, 'VDO allows no longer ones'],
    ['journalEntriesPerBlock', 1, JOURNAL_ENTRIES_PER_BLOCK, 'a journal block has no room for more'],
    ['journalTailBlocks', 2, MAX_OPERAND, 'one block fills while another is written'],
    ['slabJournalEntriesPerBlock', 2, SLAB_JOURNAL_ENTRIES_PER_BLOCK, 'a block has no room for more'],
    [
      'slabJournalMixedEntriesPerBlock',
      1,
      Math.min(shape.slabJournalEntriesPerBlock, SLAB_JOURNAL_FULL_ENTRIES_PER_BLOCK),
      'a block with tree pages holds no more than one without',
    ],
    ['packerBins', 1, ANY, 'fragments wait in a bin'],
    ['packerSlots', 2, MAXIMUM_FRAGMENTS, 'a packed block has from 2 to 14 fragments'],
    ['maximumReferences', shape.packerSlots, REFERENCE_MAXIMUM, 'all fragments of a block refer to it'],
    ['cachePages', counts.logical, ANY, 'each logical zone works on a page'],
    ['blockMapAge', 1, mostAge, 'pages are written before the journal is half full'],
    ['blockMapVios', 2, ANY, 'one is kept for flushes'],
    ['allocatorVios', SLAB_SUMMARY_BLOCKS_PER_ZONE + 2, ANY, 'the summary keeps four'],
    ['repairVios', 1, MAX_OPERAND, 'repair works with one at least'],
    ['pbnLocks', dataVios * 2, ANY, 'each data vio may hold its own block and a duplicate'],
    ['dedupeContexts', 1, ANY, 'a question needs one'],
    ['queryTimeoutMs', 1, ANY, 'the index answers later than at once'],
    ['allocationsPerZone', 1, ANY, 'the next zone comes after at least one'],
    ['indexNames', 1, ANY, 'an index remembers at least one name'],
    ['indexChapterRecords', counts.index, ANY, 'each zone puts a record into a chapter'],
    ['indexVios', 5, ANY, 'four are kept for work other than reading pages'],
  ]
}

/**
 * Blocks that a slab journal needs beyond its blocking threshold: those that entries can fill which wait there, of all
 * vios, with an increment and a decrement each; the block that the wait began in; and two that stay free, since a tail
 * that comes round to the first place of the ring looks like that of a slab that was never used.
 */
export function blocksBeyondBlocking(dataVios: number, entriesPerBlock: number): number {
  return Math.ceil((2 * dataVios) / entriesPerBlock) + 3
}

/** Throws for the first size that the engine cannot run with. */
export function requireRunnable(shape: VolumeShape, volume: Volume, counts: ZoneCounts): void {
  for (const [size, least, most, why] of limitsOf(shape, volume, counts)) {
    const value = shape[size]
    if (Number.isSafeInteger(value) && value >= least && value <= most) continue
    const wanted = most === ANY ? `at least ${least}` : `a whole number from ${least} to ${most}`
    throw refusal(`${size} is ${value}, wanted ${wanted}: ${why}`)
  }
  const binned = shape.packerBins * shape.packerSlots
  if (binned >= shape.dataVios) {
    throw refusal(
      `packerBins × packerSlots is ${binned}, wanted less than dataVios (${shape.dataVios}): full bins must leave vios to go on with`,
    )
  }
  const rows = shape.dataVios + otherVioCount(shape, counts)
  if (rows > MAX_OPERAND) {
    throw refusal(`all vios together are ${rows}, wanted at most ${MAX_OPERAND}`)
  }
  const room = volume.slabJournalBlocks - volume.slabJournalBlocking
  const needed = blocksBeyondBlocking(shape.dataVios, shape.slabJournalMixedEntriesPerBlock)
  if (room < needed) {
    throw refusal(
      `a slab journal has ${room} blocks beyond its blocking threshold, wanted at least ${needed}: entries that wait there are durable, and a recovery must find room for them`,
    )
  }
}

function refusal(why: string): VdoError {
  return new VdoError('VDO_BAD_SHAPE', `Cannot run with these sizes: ${why}`)
}
