/** A freshly formatted volume in a sparse file, of slabs of 32 MiB and the index that volumes have by default. */
import { DEFAULT_INDEX_MEMORY } from '../../src/format/index-memory.js'
import type { FormatPlan } from '../../src/format/volume-format.js'
import { formatFile } from '../../src/host/format-file.js'
import { BLOCK, GIB } from './chaos.js'
import { physicalBlocksOf } from './memory-volume.js'

/** What clients have of it. */
export const LOGICAL_BYTES = 2 * GIB

export async function formatSparse(
  path: string,
  { slabs = 40, logicalBytes = LOGICAL_BYTES } = {},
): Promise<FormatPlan> {
  const index = { indexMemory: DEFAULT_INDEX_MEMORY, indexSparse: false }
  const slabBits = 13
  const { plan } = await formatFile({
    path,
    sizeBytes: physicalBlocksOf(slabs, slabBits, index) * BLOCK,
    logicalBytes,
    slabBits,
    ...index,
    nonce: 7n,
    uuid: new Uint8Array(16).fill(9),
  })
  return plan
}
