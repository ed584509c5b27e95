/**
 * The walks of a rebuild: all interior pages from the roots down, then all leaves. A page is read, what cannot be is
 * marked in the buffer, then the page visits each physical zone, which counts the blocks that are its own and marks
 * those that cannot be counted. What is marked when the page comes home is unmapped, by a patch to a logical zone.
 *
 * ```
 * read ──► judged here ──► counted: physical 0 ► 1 ► … ──► home: children noted ──► patched, if anything was marked
 * ```
 *
 * Interior pages come first and alone, so that each has its mark in the counts before a leaf can claim its block.
 * A page that cannot be read, or is that of another place, becomes an empty one.
 */
import { type Pbn, type VioIndex, ZERO_BLOCK } from '../base/ids.js'
import { Status } from '../base/status.js'
import { isValidLocation } from '../format/block-map-entry.js'
import {
  formatPage,
  judgePage,
  PageVerdict,
  readEntryPbn,
  readEntryState,
  writeEntry,
} from '../format/block-map-page.js'
import {
  ENTRIES_PER_PAGE,
  MAPPING_STATE_UNCOMPRESSED,
  MAPPING_STATE_UNMAPPED,
  TREE_HEIGHT,
} from '../format/constants.js'
import { Mark } from '../vio/marks.js'
import { BioOp, hop, LogicalOp, PhysicalOp, RepairOp } from '../vio/opcodes.js'
import { addToPatch, openPatch, PATCH_CAPACITY, REFUSED_STATE } from '../vio/page-patch.js'
import { IoKind } from '../vio/vio-table.js'
import type { ZoneContext } from '../vio/zone-context.js'
import type { RepairWork } from './repair-work.js'
import { pagesOfTree } from './tree-shape.js'

/** Pages that wait for their visit, as columns. */
export class PageList {
  readonly pbns: number[] = []
  readonly heights: number[] = []
  /** A leaf's number among all leaves; of an interior page its number among those of its height and tree. */
  readonly indices: number[] = []
  readonly roots: number[] = []

  get length(): number {
    return this.pbns.length
  }

  add(pbn: number, height: number, index: number, root: number): void {
    this.pbns.push(pbn)
    this.heights.push(height)
    this.indices.push(index)
    this.roots.push(root)
  }
}

/** A page is lost only if it cannot be read this often. */
const MOST_TRIES = 3

enum Stage {
  Reading = 0,
  Counting,
  Patching,
}

/** What both walks share: the way of one page. `Page` numbers are rows of the list. */
abstract class PageWalk implements RepairWork {
  private next = 0
  /** By vio: which page, and how far it has come. */
  private readonly pages: Int32Array
  private readonly stages: Uint8Array
  private readonly tries: Uint8Array
  /** Pages that are rewritten whatever is in them. */
  private readonly isRuined: Uint8Array
  private readonly dropped = new Uint16Array(ENTRIES_PER_PAGE)
  /** Slots that did not fit a patch: page and slots, to be sent with the next vio. */
  private readonly rest: { readonly pbn: number; readonly slots: Uint16Array }[] = []

  constructor(
    protected readonly context: ZoneContext,
    protected readonly list: PageList,
  ) {
    const rows = context.shape.dataVios + context.pools.otherVios
    this.pages = new Int32Array(rows)
    this.stages = new Uint8Array(rows)
    this.tries = new Uint8Array(rows)
    this.isRuined = new Uint8Array(rows)
  }

  /** Whether the entry may stand in the page, as far as its form and its place go. */
  protected abstract isPossible(page: number, slot: number, pbn: number, state: number): boolean
  /** The entry stays. */
  protected abstract keep(page: number, slot: number, pbn: number): void
  protected abstract readonly isTree: boolean

  begin(vio: VioIndex): boolean {
    const more = this.rest.pop()
    if (more !== undefined) {
      this.patch(vio, more.pbn, more.slots)
      return true
    }
    if (this.next === this.list.length) return false
    this.pages[vio] = this.next++
    this.tries[vio] = 0
    this.read(vio)
    return true
  }

  private read(vio: VioIndex): void {
    const { placement, post, vios } = this.context
    const pbn = this.list.pbns[this.pages[vio]] as Pbn
    this.stages[vio] = Stage.Reading
    this.tries[vio]++
    vios.status[vio] = Status.Success
    vios.aim(vio, IoKind.PageCache, pbn, vios.bufferAt(vio), 0, hop(RepairOp.PageRead, 0))
    post.send(hop(BioOp.Read, placement.reader(vio)), vio)
  }

  /** An unreadable page is an empty one. */
  survives(vio: VioIndex, status: Status): boolean {
    return this.stages[vio] === Stage.Reading && status === Status.IoError
  }

  end(vio: VioIndex): boolean {
    switch (this.stages[vio] as Stage) {
      case Stage.Reading:
        return this.judge(vio)
      case Stage.Counting:
        return this.conclude(vio)
      case Stage.Patching:
        return false
    }
  }

  /** The page is in the buffer, or could not be read. */
  private judge(vio: VioIndex): boolean {
    const { arena, counts, post, vios, volume, counters } = this.context
    const { nonceLow, nonceHigh } = volume
    const page = this.pages[vio]
    const pbn = this.list.pbns[page]
    const at = vios.bufferAt(vio)
    const isRead = vios.status[vio] === Status.Success
    if (!isRead && this.tries[vio] < MOST_TRIES) {
      this.read(vio)
      return true
    }
    const verdict = isRead ? judgePage(arena, at, nonceLow, nonceHigh, pbn) : PageVerdict.Bad
    vios.status[vio] = Status.Success
    this.isRuined[vio] = verdict === PageVerdict.Bad ? 1 : 0
    if (verdict !== PageVerdict.Valid) {
      counters[Mark.UnwrittenPageWalked]++
      formatPage(arena, at, nonceLow, nonceHigh, pbn, false)
      return this.conclude(vio)
    }
    for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
      const block = readEntryPbn(arena, at, slot)
      const state = readEntryState(arena, at, slot)
      if (block === ZERO_BLOCK && state === MAPPING_STATE_UNMAPPED) continue
      if (!this.isPossible(page, slot, block, state)) writeEntry(arena, at, slot, ZERO_BLOCK, REFUSED_STATE)
    }
    this.stages[vio] = Stage.Counting
    vios.pageSlot[vio] = this.isTree ? 1 : 0
    post.send(hop(PhysicalOp.CountPage, counts.physical - 1), vio)
    return true
  }

  private conclude(vio: VioIndex): boolean {
    const { arena, vios } = this.context
    const page = this.pages[vio]
    const at = vios.bufferAt(vio)
    let count = 0
    for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
      const block = readEntryPbn(arena, at, slot)
      const state = readEntryState(arena, at, slot)
      if (block === ZERO_BLOCK && state === REFUSED_STATE) this.dropped[count++] = slot
      else if (state !== MAPPING_STATE_UNMAPPED) this.keep(page, slot, block)
    }
    if (count === 0 && this.isRuined[vio] === 0) return false
    this.patch(vio, this.list.pbns[page], this.dropped.subarray(0, count))
    return true
  }

  private patch(vio: VioIndex, pbn: number, slots: Uint16Array): void {
    const { arena, counts, post, vios } = this.context
    const at = vios.bufferAt(vio)
    this.stages[vio] = Stage.Patching
    openPatch(arena, at)
    const fitting = Math.min(slots.length, PATCH_CAPACITY)
    for (let i = 0; i < fitting; i++) addToPatch(arena, at, slots[i], ZERO_BLOCK, MAPPING_STATE_UNMAPPED)
    if (fitting < slots.length) this.rest.push({ pbn, slots: slots.slice(fitting) })
    vios.pagePbn[vio] = pbn as Pbn
    post.send(hop(LogicalOp.PatchPage, pbn % counts.logical), vio)
  }
}

/** Walks the interior pages. Gives the leaves, and counts all pages that are allocated. */
export class TreeWalk extends PageWalk {
  readonly leaves = new PageList()
  treePages = 0
  protected readonly isTree = true

  constructor(context: ZoneContext) {
    const { rootCount, rootOrigin } = context.volume
    const roots = new PageList()
    for (let root = 0; root < rootCount; root++) roots.add(rootOrigin + root, TREE_HEIGHT - 1, 0, root)
    super(context, roots)
  }

  protected isPossible(page: number, slot: number, pbn: number, state: number): boolean {
    const { heights, indices, roots } = this.list
    const { placement, volume } = this.context
    const index = indices[page] * ENTRIES_PER_PAGE + slot
    const isWithin = index < pagesOfTree(volume, roots[page], heights[page] - 1)
    return isWithin && state === MAPPING_STATE_UNCOMPRESSED && placement.isDataBlock(pbn)
  }

  protected keep(page: number, slot: number, pbn: number): void {
    const { heights, indices, roots } = this.list
    const root = roots[page]
    const index = indices[page] * ENTRIES_PER_PAGE + slot
    this.treePages++
    if (heights[page] > 1) this.list.add(pbn, heights[page] - 1, index, root)
    else this.leaves.add(pbn, 0, index * this.context.volume.rootCount + root, root)
  }
}

/** Walks the leaves. Counts what is mapped. */
export class LeafWalk extends PageWalk {
  mappings = 0
  protected readonly isTree = false

  protected isPossible(page: number, slot: number, pbn: number, state: number): boolean {
    const { placement, volume } = this.context
    if (this.list.indices[page] * ENTRIES_PER_PAGE + slot >= volume.logicalBlocks) return false
    return isValidLocation(pbn, state) && (pbn === ZERO_BLOCK || placement.isDataBlock(pbn))
  }

  protected keep(): void {
    this.mappings++
  }
}
