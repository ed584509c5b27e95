/**
 * Which zone of the index answers for a name: the one that has its list. An index in memory goes by a byte of the
 * name.
 */
import { regionOfShape, type SubIndexSize } from '../format/index-region.js'
import { zoneOfName } from '../format/record-name.js'
import type { ZoneCounts } from './volume.js'
import type { VolumeShape } from './volume-shape.js'

export class IndexPlacement {
  private readonly zones: number
  /** The parts of the volume index; null for an index in memory. */
  private readonly parts: readonly SubIndexSize[] | null

  constructor({ index }: VolumeShape, counts: ZoneCounts) {
    this.zones = counts.index
    this.parts = index === null ? null : regionOfShape(index).subIndexes
  }

  /** The zone of the 16 bytes of `names` at `at`. */
  zoneOf(names: Uint8Array, at: number): number {
    if (this.parts !== null) return zoneOfName(this.parts, this.zones, names, at)
    // The first byte chooses the hash zone; by the second one, hash and index zones mix.
    return (names[at + 1] * this.zones) >> 8
  }
}
