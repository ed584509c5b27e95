/**
 * Gives the slab journals of a zone the entries that a crash kept from them. Blocks of the recovery journal come in
 * order, each in the buffer of a vio that visits all physical zones in turn; this zone takes what is of its own slabs.
 * A slab journal without room makes the block wait, and those behind it, so that each slab gets its entries in order.
 */
import type { Pbn, VioIndex } from '../../base/ids.js'
import { ZERO_BLOCK } from '../../base/ids.js'
import { NO_WAITER, WaitQueues } from '../../base/wait-queue.js'
import { JournalOperation } from '../../format/constants.js'
import {
  journalEntryAt,
  readJournalMappingPbn,
  readJournalOperation,
  readJournalSequence,
  readJournalUnmappingPbn,
} from '../../format/recovery-journal-block.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import type { Slab } from './slab.js'

/** What the replayer needs of its zone. */
export interface ReplayKeeper {
  readonly context: ZoneContext
  /** The zone's own slab that a block lies in, or null if it is another zone's. */
  ownSlab(block: Pbn): Slab | null
  /** The zone has what it needs of this block. */
  replayed(vio: VioIndex): void
}

export class Replayer {
  private readonly blocks: WaitQueues
  /** What comes next of the oldest block: twice the entry, plus 1 for the decrement. */
  private next = 0
  private isRunning = false

  constructor(private readonly keeper: ReplayKeeper) {
    this.blocks = WaitQueues.create(keeper.context.vios.waiterNext, 1)
  }

  /** A block of the recovery journal comes. */
  take(vio: VioIndex): void {
    this.blocks.push(0, vio)
    this.goOn()
  }

  /** Takes entries as long as there is room for them. */
  goOn(): void {
    // An entry may fill a block whose write begins at once, which makes room again.
    if (this.isRunning) return
    this.isRunning = true
    while (!this.blocks.isEmpty(0) && this.replay(this.blocks.first(0) as VioIndex)) {
      const vio = this.blocks.shift(0)
      if (vio === NO_WAITER) break
      this.next = 0
      this.keeper.replayed(vio as VioIndex)
    }
    this.isRunning = false
  }

  private replay(vio: VioIndex): boolean {
    const { arena, vios } = this.keeper.context
    const at = vios.bufferAt(vio)
    const sequence = readJournalSequence(arena, at)
    const end = vios.journalEntry[vio] * 2
    for (; this.next < end; this.next++) {
      const entry = journalEntryAt(at, this.next >> 1)
      const isIncrement = (this.next & 1) === 0
      const block = (
        isIncrement ? readJournalMappingPbn(arena, entry) : readJournalUnmappingPbn(arena, entry)
      ) as Pbn
      if (block === ZERO_BLOCK) continue
      const slab = this.keeper.ownSlab(block)
      if (slab === null) continue
      const isTree = isIncrement && readJournalOperation(arena, entry) === JournalOperation.BlockMapRemapping
      if (!slab.journal.replay(block - slab.origin, isIncrement, isTree, sequence, this.next)) return false
    }
    return true
  }
}
