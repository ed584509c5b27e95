/** Warns while a volume fills up: a full one refuses writes, and its clients may take that badly. */

import { humanSize } from '../base/sizes.js'

/** Percent of the physical blocks at which a warning is due, once each until there is room again. */
const THRESHOLDS = [80, 85, 90, 95]

interface BlockUse {
  readonly physicalBlocks: number
  readonly dataBlocksUsed: number
  readonly overheadBlocksUsed: number
  readonly blockSize: number
  readonly mode: string
}

export class FullnessWatch {
  private reached = 0

  /** Looks at the volume as it is now; gives what is to be said of it, if anything. */
  look({ physicalBlocks, dataBlocksUsed, overheadBlocksUsed, blockSize, mode }: BlockUse): string | null {
    // Blocks of slabs that are not counted are taken for used.
    if (mode !== 'normal') return null
    const used = dataBlocksUsed + overheadBlocksUsed
    const percent = Math.floor((used * 100) / physicalBlocks)
    const before = this.reached
    this.reached = THRESHOLDS.filter((threshold) => percent >= threshold).at(-1) ?? 0
    if (this.reached <= before) return null
    const free = humanSize((physicalBlocks - used) * blockSize)
    return `The volume is ${percent} % full: ${free} of physical space are left`
  }
}
