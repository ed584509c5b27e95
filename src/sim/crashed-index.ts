/**
 * Opens the index on a disk as the engine would after a power failure, all of it at once and from aside: it has to
 * load, or to be rebuilt from its chapters.
 */
import { IndexContent, openContent } from '../uds/index-content.js'
import type { IndexPlace } from '../uds/index-layout.js'
import { runSteps, StorageOp } from '../uds/storage-steps.js'
import type { SimStore } from './sim-store.js'

export interface CrashedIndex {
  /** Why it had to be rebuilt; undefined if it was loaded. */
  readonly rebuiltFor: string | undefined
  /** Names that it knows. */
  readonly entries: number
}

/** Throws an IndexError if the index can be neither loaded nor rebuilt. Nothing is written. */
export function openCrashedIndex(disk: SimStore, place: IndexPlace): CrashedIndex {
  const opening = openContent(place, ({ geometry }) => IndexContent.empty(geometry, 1))
  const { content, rebuiltFor } = runSteps(opening, ({ op, block, count, bytes, at }) => {
    if (op === StorageOp.Pause) return
    if (op !== StorageOp.Read) throw new Error('opening an index that is there writes nothing')
    if (!disk.read(block, count, bytes.subarray(at))) throw new Error('the index reads outside of the disk')
  })
  return { rebuiltFor: rebuiltFor?.message, entries: content.entries }
}
