/** A freshly formatted volume in shared memory, of 8 slabs of 32 MiB and the small index; and what to write to it. */
import { Prng } from '../../src/base/prng.js'
import { createRamSegments } from '../../src/device/ram-device.js'
import { SMALL_INDEX_MEMORY } from '../../src/format/index-memory.js'
import { indexRegionOf } from '../../src/format/index-region.js'
import { formatMemory } from '../../src/host/carry-out-format.js'

const BLOCK = 4096

export interface MemoryVolumeOptions {
  readonly slabs?: number
  readonly slabBits?: number
  readonly logicalBlocks?: number
  readonly indexSparse?: boolean
}

/** As many as a volume with such an index and so many slabs takes. */
export function physicalBlocksOf(
  slabs: number,
  slabBits: number,
  { indexMemory, indexSparse }: { readonly indexMemory: number; readonly indexSparse: boolean },
): number {
  const { blockCount } = indexRegionOf(indexMemory, indexSparse)
  return 1 + blockCount + 1 + 60 + slabs * 2 ** slabBits + 32_768 + 64
}

export function formatInMemory({
  slabs = 8,
  slabBits = 13,
  logicalBlocks = 100_000,
  indexSparse = false,
}: MemoryVolumeOptions = {}) {
  const index = { indexMemory: SMALL_INDEX_MEMORY, indexSparse }
  const physicalBlocks = physicalBlocksOf(slabs, slabBits, index)
  const segments = createRamSegments(physicalBlocks)
  const plan = formatMemory(segments, {
    physicalBlocks,
    logicalBlocks,
    slabBits,
    ...index,
    nonce: 0x1234_5678_9abcn,
    uuid: new Uint8Array(16).fill(7),
  })
  return { segments, plan, superBlockPbn: plan.geometry.dataRegionStart }
}

/** The volume's state as its super block says. */
export function stateOnDisk(segments: readonly SharedArrayBuffer[], superBlockPbn: number): number {
  return new DataView(segments[0]).getUint32(superBlockPbn * BLOCK + 40, true)
}

/** Bytes that do not compress, the same for the same seed and like no others. */
export function noise(seed: number, length = BLOCK): Uint8Array {
  const bytes = new Uint8Array(length)
  new Prng(seed).fill(bytes)
  return bytes
}
