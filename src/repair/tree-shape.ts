/** How large the trees of the block map can be. */
import { ENTRIES_PER_PAGE } from '../format/constants.js'
import { leafCount } from '../format/layout.js'
import type { Volume } from '../vio/volume.js'

/** Pages of a height (leaves: 0) in the tree of `root`. Leaves are dealt to the trees in turn, so some have one less. */
export function pagesOfTree(
  { logicalBlocks, rootCount }: Pick<Volume, 'logicalBlocks' | 'rootCount'>,
  root: number,
  height: number,
): number {
  const leaves = Math.max(0, Math.ceil((leafCount(logicalBlocks) - root) / rootCount))
  return Math.ceil(leaves / ENTRIES_PER_PAGE ** height)
}
