/**
 * Which block is handed out next. One slab of the zone is *open*: blocks are taken from its cursor on, to its end;
 * then the slab of the highest priority is opened. Partly used slabs with much room come first, untouched ones next
 * (whose journals and counts have cost nothing so far), fuller ones after them, full ones last; equals take turns.
 *
 * Only rebuilt slabs are here. A slab is in the priority table exactly while it is rebuilt and not open.
 */
import { assert } from '../../base/assert.js'
import { type Pbn, ZERO_BLOCK } from '../../base/ids.js'
import { NO_ROW, PriorityTable } from '../../base/priority-table.js'
import { Counter } from '../../vio/counters.js'
import type { ZoneContext } from '../../vio/zone-context.js'
import { NOTHING_FREE } from './reference-counts.js'
import type { Slab } from './slab.js'

/** The priority of a slab without a free block. */
const FULL = 0

export class Allocator {
  private readonly table: PriorityTable
  private readonly untouched: number
  private open: Slab | null = null

  constructor(
    private readonly context: ZoneContext,
    private readonly slabs: readonly Slab[],
    slabCount: number,
  ) {
    this.table = new PriorityTable(slabCount)
    this.untouched = 1 + log2(Math.max(1, Math.floor((context.volume.slabDataBlocks * 3) / 4)))
    // What is not known to be free counts as used, so that space appears as slabs are rebuilt.
    context.counters[Counter.DataBlocksAllocated] = slabCount * context.volume.slabDataBlocks
  }

  /** Whether any slab can be opened. */
  get isEmpty(): boolean {
    return this.table.isEmpty && this.open === null
  }

  /** A slab's counts are in memory: its blocks may be handed out. */
  add(slab: Slab): void {
    const { counters } = this.context
    assert(slab.isRebuilt, 'only a rebuilt slab gives blocks')
    counters[Counter.DataBlocksAllocated] -= slab.counts.free
    if (!slab.journal.isBlank) counters[Counter.SlabsOpened]++
    this.enqueue(slab)
  }

  /** A free block, now provisionally referenced; the zero block if the zone has none. */
  allocate(): Pbn {
    if (this.open !== null) {
      const block = allocateIn(this.open)
      if (block !== ZERO_BLOCK) return block
      const exhausted = this.open
      this.open = null
      this.enqueue(exhausted)
    }
    if (this.table.highest <= FULL) return ZERO_BLOCK
    const local = this.table.dequeue()
    assert(local !== NO_ROW, 'a priority in use has a slab')
    this.start(this.slabs[local])
    const block = allocateIn(this.slabs[local])
    assert(block !== ZERO_BLOCK, 'a slab that is not full has a free block')
    return block
  }

  /** A rebuilt slab has `delta` more free blocks. */
  freeChanged(slab: Slab, delta: number): void {
    this.context.counters[Counter.DataBlocksAllocated] -= delta
    if (slab === this.open || this.priorityOf(slab) === slab.priority) return
    this.table.remove(slab.local)
    this.enqueue(slab)
  }

  /** Whether the statistics know of every block that is free, as they must. */
  get isCounted(): boolean {
    const { counters, volume } = this.context
    let free = 0
    for (const slab of this.slabs) if (slab.isRebuilt) free += slab.counts.free
    return counters[Counter.DataBlocksAllocated] === this.slabs.length * volume.slabDataBlocks - free
  }

  private start(slab: Slab): void {
    this.open = slab
    slab.counts.resetCursor()
    if (slab.journal.isBlank) {
      this.context.counters[Counter.SlabsOpened]++
      // What lies on disk is garbage until each reference block was written once.
      slab.counts.dirtyAll()
    } else {
      this.context.counters[Counter.SlabsReopened]++
    }
  }

  private enqueue(slab: Slab): void {
    slab.priority = this.priorityOf(slab)
    this.table.enqueue(slab.local, slab.priority)
  }

  private priorityOf(slab: Slab): number {
    const { free } = slab.counts
    if (free === 0) return FULL
    if (slab.journal.isBlank) return this.untouched
    const priority = 1 + log2(free)
    return priority < this.untouched ? priority : priority + 1
  }
}

function allocateIn(slab: Slab): Pbn {
  if (slab.counts.free === 0) return ZERO_BLOCK
  const sbn = slab.counts.allocate()
  return sbn === NOTHING_FREE ? ZERO_BLOCK : ((slab.origin + sbn) as Pbn)
}

const log2 = (n: number): number => 31 - Math.clz32(n)
