/**
 * Which zone of the index answers for a name. The lists of the volume index are dealt out to the zones in runs, so
 * this is the arithmetic by which a name finds its list. An index in memory goes by a byte of the name.
 */
import { regionOfShape } from '../format/index-region.js'
import type { ZoneCounts } from './volume.js'
import type { VolumeShape } from './volume-shape.js'

/** In a sparse index these names have lists of their own. */
const SAMPLE_MASK = 31

export class IndexPlacement {
  private readonly zones: number
  /** For names that are no samples, or all; for samples. Lists, and how many of them a zone has. */
  private readonly lists: readonly number[]
  private readonly perZone: readonly number[]

  constructor({ index }: VolumeShape, counts: ZoneCounts) {
    this.zones = counts.index
    this.lists = index === null ? [] : regionOfShape(index).subIndexes.map(({ listCount }) => listCount)
    this.perZone = this.lists.map((count) => Math.ceil(count / this.zones))
  }

  /** The zone of the 16 bytes of `names` at `at`. */
  zoneOf(names: Uint8Array, at: number): number {
    if (this.zones === 1) return 0
    // The first byte chooses the hash zone; by the second one, hash and index zones mix.
    if (this.lists.length === 0) return (names[at + 1] * this.zones) >> 8
    const part = this.lists.length > 1 && (names[at + 15] & SAMPLE_MASK) === 0 ? 1 : 0
    const high = ((names[at] << 24) | (names[at + 1] << 16) | (names[at + 2] << 8) | names[at + 3]) >>> 0
    const list = (high * 4096 + ((names[at + 4] << 4) | (names[at + 5] >>> 4))) % this.lists[part]
    return Math.floor(list / this.perZone[part])
  }
}
