/** How an audit reads: blocks into memory of its own, by their number on the device or by PBN. */

import { BLOCK_SIZE } from '../format/constants.js'
import type { Volume } from '../vio/volume.js'

/** The store under audit. It is only read. */
export interface AuditDisk {
  /** Reads `count` blocks from `block` of the device on to the start of `into`; false if it cannot. */
  read(block: number, count: number, into: Uint8Array): boolean
}

/** The same by PBN, for a volume: what does not lie in it cannot be read. */
export class VolumeReader {
  constructor(
    private readonly disk: AuditDisk,
    private readonly volume: Volume,
  ) {}

  read(pbn: number, count: number, into: Uint8Array): boolean {
    const { bioOffset, physicalBlocks } = this.volume
    if (pbn <= bioOffset || pbn + count > physicalBlocks) return false
    return this.disk.read(pbn - bioOffset, count, into)
  }

  /**
   * Visits blocks in the order given, which should ascend; neighbours are read together. `visit` gets bytes and
   * where the block starts in them, or null for a block that cannot be read.
   */
  visit(pbns: ArrayLike<number>, visit: (index: number, bytes: Uint8Array | null, at: number) => void): void {
    for (let first = 0; first < pbns.length; ) {
      let count = 1
      while (count < RUN_BLOCKS && first + count < pbns.length && pbns[first + count] === pbns[first] + count)
        count++
      const whole = this.read(pbns[first], count, this.run)
      for (let i = 0; i < count; i++) {
        if (whole) visit(first + i, this.run, i * BLOCK_SIZE)
        else visit(first + i, this.read(pbns[first + i], 1, this.run) ? this.run : null, 0)
      }
      first += count
    }
  }

  private readonly run = new Uint8Array(RUN_BLOCKS * BLOCK_SIZE)
}

const RUN_BLOCKS = 64
