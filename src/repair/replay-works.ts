/** The works of a recovery: read the journal, have map pages patched, have slab journals filled up. */
import type { Pbn, VioIndex } from '../base/ids.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { BioOp, hop, LogicalOp, PhysicalOp, RepairOp } from '../vio/opcodes.js'
import { addToPatch, openPatch, PATCH_CAPACITY, readPatchLength } from '../vio/page-patch.js'
import { IoKind } from '../vio/vio-table.js'
import type { ZoneContext } from '../vio/zone-context.js'
import type { JournalMappings } from './journal-mappings.js'
import { blockAt, entriesOf, type JournalExtent, type JournalRing } from './journal-ring.js'
import type { RepairWork } from './repair-work.js'

/** Reads every block of the recovery journal to `bytes`. */
export class JournalReading implements RepairWork {
  private next = 0

  constructor(
    private readonly context: ZoneContext,
    private readonly bytes: Uint8Array,
  ) {}

  begin(vio: VioIndex): boolean {
    const { placement, post, vios, volume } = this.context
    if (this.next === volume.journalBlocks) return false
    const pbn = (volume.journalOrigin + this.next++) as Pbn
    vios.aim(vio, IoKind.Journal, pbn, vios.bufferAt(vio), 0, hop(RepairOp.JournalRead, 0))
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
    return true
  }

  end(vio: VioIndex): boolean {
    const { arena, vios, volume } = this.context
    const at = vios.bufferAt(vio)
    const position = vios.ioPbn[vio] - volume.journalOrigin
    this.bytes.set(arena.subarray(at, at + BLOCK_SIZE), position * BLOCK_SIZE)
    return false
  }
}

/**
 * Has mappings entered into their pages, page by page. Who owns a page cannot be told from its number, so pages are
 * dealt to the logical zones; a page's patches go to one zone, and so are made in their order.
 */
export class MapPatching implements RepairWork {
  private readonly rows: Float64Array
  private next = 0

  constructor(
    private readonly context: ZoneContext,
    private readonly mappings: JournalMappings,
  ) {
    this.rows = mappings.rowsByPage()
  }

  begin(vio: VioIndex): boolean {
    const { arena, counts, post, vios } = this.context
    const { mappings, rows } = this
    if (this.next === rows.length) return false
    const at = vios.bufferAt(vio)
    const page = mappings.pages[rows[this.next]]
    openPatch(arena, at)
    while (this.next < rows.length && readPatchLength(arena, at) < PATCH_CAPACITY) {
      const row = rows[this.next]
      if (mappings.pages[row] !== page) break
      addToPatch(arena, at, mappings.slots[row], mappings.pbns[row], mappings.states[row])
      this.next++
    }
    vios.pagePbn[vio] = page as Pbn
    post.send(hop(LogicalOp.PatchPage, page % counts.logical), vio)
    return true
  }

  end(): boolean {
    return false
  }
}

/** Sends the journal's blocks, from the slab journal head on, past the physical zones. */
export class EntryReplaying implements RepairWork {
  private next: number

  constructor(
    private readonly context: ZoneContext,
    private readonly ring: JournalRing,
    private readonly extent: JournalExtent,
  ) {
    this.next = extent.slabJournalHead
  }

  begin(vio: VioIndex): boolean {
    const { arena, post, vios } = this.context
    const { ring, extent } = this
    if (this.next > extent.tail) return false
    const from = blockAt(ring, this.next)
    arena.set(ring.bytes.subarray(from, from + BLOCK_SIZE), vios.bufferAt(vio))
    vios.journalEntry[vio] = entriesOf(ring, extent, this.next)
    this.next++
    post.send(hop(PhysicalOp.ReplayEntries, 0), vio)
    return true
  }

  end(): boolean {
    return false
  }
}
