/**
 * Which rows of the vio table are whose: data vios (the front end's), flush vios (the front end's), then the fixed
 * pools of metadata vios, one for each zone that does metadata I/O.
 */
import { assert } from '../base/assert.js'
import { type VioIndex, vioIndex } from '../base/ids.js'
import { MAX_OPERAND } from './opcodes.js'
import type { ZoneCounts } from './volume.js'
import type { VolumeShape } from './volume-shape.js'

/** A run of rows. */
export interface VioPool {
  readonly first: VioIndex
  readonly count: number
}

/** The admin zone's vios: the super block, and one for a flush. */
const ADMIN_VIOS = 2

export class MetadataPools {
  readonly data: VioPool
  readonly flush: VioPool
  readonly journal: VioPool
  readonly admin: VioPool
  readonly flusher: VioPool
  readonly logical: readonly VioPool[]
  readonly physical: readonly VioPool[]
  readonly index: readonly VioPool[]
  readonly repair: VioPool
  /** All rows but the data vios. */
  readonly otherVios: number

  constructor(shape: VolumeShape, counts: ZoneCounts) {
    let next = 0
    const take = (count: number): VioPool => {
      const pool = { first: vioIndex(next), count }
      next += count
      return pool
    }
    this.data = take(shape.dataVios)
    this.flush = take(shape.flushVios)
    // A vio for each block of the tail and one for the flush before reaping.
    this.journal = take(shape.journalTailBlocks + 1)
    this.admin = take(ADMIN_VIOS)
    this.flusher = take(1)
    this.logical = Array.from({ length: counts.logical }, () => take(shape.blockMapVios))
    this.physical = Array.from({ length: counts.physical }, () => take(shape.allocatorVios))
    this.index = Array.from({ length: counts.index }, () => take(indexVioCount(shape)))
    this.repair = take(shape.repairVios)
    this.otherVios = next - shape.dataVios
    assert(next <= MAX_OPERAND, 'every vio fits the operand of a message')
    assert(this.otherVios === otherVioCount(shape, counts), 'the count of vios is known beforehand')
  }
}

/** An index in memory has no I/O. */
function indexVioCount({ index, indexVios }: VolumeShape): number {
  return index === null ? 0 : indexVios
}

/** All rows but the data vios, as a sum. */
export function otherVioCount(shape: VolumeShape, counts: ZoneCounts): number {
  const { flushVios, journalTailBlocks, blockMapVios, allocatorVios, repairVios } = shape
  const ofMaps = counts.logical * blockMapVios + counts.physical * allocatorVios
  const ofIndex = counts.index * indexVioCount(shape)
  return flushVios + journalTailBlocks + 1 + ADMIN_VIOS + 1 + ofMaps + ofIndex + repairVios
}
