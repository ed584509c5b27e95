/**
 * Who owns this lbn, this pbn, this name: the arithmetic that spreads work over zones (dm-vdo's rules). Pure and
 * the same on every thread.
 */
import type { Lbn, Pbn, VioIndex } from '../base/ids.js'
import { ENTRIES_PER_PAGE } from '../format/constants.js'
import type { Volume, ZoneCounts } from './volume.js'

export class Placement {
  private readonly slabShift: number

  constructor(
    readonly volume: Volume,
    readonly counts: ZoneCounts,
  ) {
    this.slabShift = Math.log2(volume.slabBlocks)
  }

  /** Leaves are dealt to the trees in turn, trees to the logical zones in turn. */
  logicalZone(lbn: Lbn): number {
    return (Math.floor(lbn / ENTRIES_PER_PAGE) % this.volume.rootCount) % this.counts.logical
  }

  slab(pbn: Pbn): number {
    return Math.floor((pbn - this.volume.depotOrigin) / this.volume.slabBlocks)
  }

  /** The owner of a data block's slab. The zero block has none. */
  physicalZone(pbn: Pbn): number {
    return this.slab(pbn) % this.counts.physical
  }

  /** Whether a map entry may name this block: one of the data blocks of some slab. */
  isDataBlock(pbn: number): boolean {
    const offset = pbn - this.volume.depotOrigin
    if (offset < 0 || offset >= this.volume.slabCount * this.volume.slabBlocks) return false
    return offset % this.volume.slabBlocks < this.volume.slabDataBlocks
  }

  /** Whether a page of the block map may lie there: a root, or what is allocated like data. */
  isMapPage(pbn: number): boolean {
    const { rootCount, rootOrigin } = this.volume
    return (pbn >= rootOrigin && pbn < rootOrigin + rootCount) || this.isDataBlock(pbn)
  }

  /** The log2 of the slab size. */
  get slabBits(): number {
    return this.slabShift
  }

  /** From the first byte of a record name. */
  hashZone(firstNameByte: number): number {
    return (firstNameByte * this.counts.hash) >> 8
  }

  /** Any cpu zone will do: spread by vio. */
  cpu(vio: VioIndex): number {
    return vio % this.counts.cpu
  }

  /** Bio 0 writes and syncs; the others, when there are any, read. */
  get writer(): number {
    return 0
  }

  reader(vio: VioIndex): number {
    return this.counts.bio === 1 ? 0 : 1 + (vio % (this.counts.bio - 1))
  }
}
