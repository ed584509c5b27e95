/**
 * What the block map was found to refer to: for each data block how many times, as a page of the tree or as data,
 * and which of its fragments. Memory is taken slab by slab, when something in the slab is met.
 */

import type { Volume } from '../vio/volume.js'

/** A counter with this bit is of a page of the tree. */
const TREE_PAGE = 0x8000
const MAXIMUM = 0x7fff
/** In the fragments of a block: it is also mapped as a whole. Bits 0 to 13 are its slots. */
const WHOLE = 0x8000

export class FoundReferences {
  private readonly counts: (Uint16Array | undefined)[] = []
  private readonly uses: (Uint16Array | undefined)[] = []

  constructor(private readonly volume: Volume) {}

  /** The slab that has `pbn` as a data block, or -1. */
  slabOf(pbn: number): number {
    const { depotOrigin, slabBlocks, slabCount, slabDataBlocks } = this.volume
    const offset = pbn - depotOrigin
    const slab = Math.floor(offset / slabBlocks)
    return offset >= 0 && slab < slabCount && offset % slabBlocks < slabDataBlocks ? slab : -1
  }

  /** Claims a data block as a page of the tree; false if it was one before. */
  claimTreePage(pbn: number): boolean {
    const slab = this.slabOf(pbn)
    const counts = this.countsOf(slab)
    const sbn = this.sbnOf(pbn, slab)
    if ((counts[sbn] & TREE_PAGE) !== 0) return false
    counts[sbn] |= TREE_PAGE
    return true
  }

  isTreePage(pbn: number): boolean {
    const slab = this.slabOf(pbn)
    return ((this.counts[slab]?.[this.sbnOf(pbn, slab)] ?? 0) & TREE_PAGE) !== 0
  }

  /** Counts a mapping to a data block: to the fragment in `slot`, or to the whole for -1. */
  addMapping(pbn: number, slot: number): void {
    const slab = this.slabOf(pbn)
    const sbn = this.sbnOf(pbn, slab)
    const counts = this.countsOf(slab)
    if ((counts[sbn] & MAXIMUM) < MAXIMUM) counts[sbn]++
    const uses = (this.uses[slab] ??= new Uint16Array(this.volume.slabDataBlocks))
    uses[sbn] |= slot < 0 ? WHOLE : 1 << slot
  }

  /** Whether anything in the slab was met. */
  hasSlab(slab: number): boolean {
    return this.counts[slab] !== undefined
  }

  /** Mappings to a data block. */
  mappings(slab: number, sbn: number): number {
    return (this.counts[slab]?.[sbn] ?? 0) & MAXIMUM
  }

  /** Whether a data block is a page of the tree. */
  isTree(slab: number, sbn: number): boolean {
    return ((this.counts[slab]?.[sbn] ?? 0) & TREE_PAGE) !== 0
  }

  /** A bit for each slot of a data block that something is mapped to. */
  fragments(slab: number, sbn: number): number {
    return (this.uses[slab]?.[sbn] ?? 0) & ~WHOLE
  }

  /** Whether a data block is mapped as a whole. */
  isMappedWhole(slab: number, sbn: number): boolean {
    return ((this.uses[slab]?.[sbn] ?? 0) & WHOLE) !== 0
  }

  private countsOf(slab: number): Uint16Array {
    return (this.counts[slab] ??= new Uint16Array(this.volume.slabDataBlocks))
  }

  private sbnOf(pbn: number, slab: number): number {
    return pbn - this.volume.depotOrigin - slab * this.volume.slabBlocks
  }
}
