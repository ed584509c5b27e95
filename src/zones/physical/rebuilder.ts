/**
 * A zone's part in a rebuild. First all that its slabs say is forgotten: their journals are erased, their counts are 0.
 * Then pages of the block map pass by, and each block that they name and that is the zone's own is counted, or marked
 * as refused. At the end the counts of every slab in use are written, and the summary with them.
 */
import { type Pbn, pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { readEntryPbn, readEntryState, writeEntry } from '../../format/block-map-page.js'
import { BLOCK_SIZE, ENTRIES_PER_PAGE, MAPPING_STATE_UNMAPPED } from '../../format/constants.js'
import { BioOp, hop, PhysicalOp } from '../../vio/opcodes.js'
import { REFUSED_STATE } from '../../vio/page-patch.js'
import { IoKind } from '../../vio/vio-table.js'
import { VioUse } from './metadata-vios.js'
import { Change } from './reference-counts.js'
import type { ReplayKeeper } from './replayer.js'
import type { Slab, SlabKeeper } from './slab.js'
import { SlabStatus } from './slab-status.js'

/** What the rebuilder needs of its zone. */
export interface RebuildKeeper extends SlabKeeper, ReplayKeeper {
  /** All slab journals are blank, or could not be made so (the zone is read-only then). */
  erased(): void
}

export class Rebuilder {
  /** Of the slab at hand: the next position to erase. */
  private slab = 0
  private position = 0
  private writing = 0
  private isDone = false

  constructor(
    private readonly keeper: RebuildKeeper,
    private readonly slabs: readonly Slab[],
  ) {}

  /** Forgets what the slabs said. */
  erase(): void {
    // Until the counts are whole no slab is of use to anybody.
    for (const slab of this.slabs) slab.status = SlabStatus.Rebuilding
    this.eraseMore()
  }

  /** A vio to erase a block with. */
  granted(vio: VioIndex): void {
    const { arena, vios, placement, post, zone } = this.keeper.context
    if (this.keeper.isReadOnly || this.slab === this.slabs.length) {
      this.keeper.vios.release(vio)
      this.check()
      return
    }
    const block = this.slabs[this.slab].journal.blockPbn(this.position)
    this.step()
    this.writing++
    const at = vios.bufferAt(vio)
    arena.fill(0, at, at + BLOCK_SIZE)
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.Metadata, pbn(block), at, 0, hop(PhysicalOp.SlabJournalErased, zone))
    post.send(hop(BioOp.Write, placement.writer), vio)
    this.eraseMore()
  }

  erased(vio: VioIndex): void {
    const { keeper } = this
    const status = keeper.context.vios.status[vio]
    this.writing--
    if (status !== Status.Success) keeper.fail(status)
    keeper.vios.release(vio)
    this.check()
  }

  /** Counts what is the zone's own of a page of the map, which lies in the buffer of a repair vio. */
  count(vio: VioIndex): void {
    const { arena, vios } = this.keeper.context
    const at = vios.bufferAt(vio)
    const change = vios.pageSlot[vio] === 1 ? Change.MapIncrement : Change.Increment
    for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
      const block = readEntryPbn(arena, at, slot) as Pbn
      if (block === ZERO_BLOCK || readEntryState(arena, at, slot) === MAPPING_STATE_UNMAPPED) continue
      const slab = this.keeper.ownSlab(block)
      if (slab === null) continue
      slab.counts.create()
      if (slab.counts.replay(change, block - slab.origin)) continue
      writeEntry(arena, at, slot, ZERO_BLOCK, REFUSED_STATE)
    }
  }

  /** The counts are whole: those of slabs in use are to be written, every block of them. */
  finish(): void {
    for (const slab of this.slabs) {
      slab.status = SlabStatus.Rebuilt
      if (slab.counts.isInMemory) slab.counts.dirtyAll()
    }
  }

  private step(): void {
    this.position++
    if (this.position < this.keeper.context.volume.slabJournalBlocks) return
    this.position = 0
    this.slab++
  }

  private eraseMore(): void {
    if (this.slab < this.slabs.length && !this.keeper.isReadOnly) {
      this.keeper.vios.request(this.slabs[this.slab].local, VioUse.Erase)
    }
    this.check()
  }

  private check(): void {
    const isOver = this.slab === this.slabs.length || this.keeper.isReadOnly
    if (this.isDone || !isOver || this.writing > 0) return
    this.isDone = true
    this.keeper.erased()
  }
}
