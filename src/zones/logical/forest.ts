/**
 * The interior pages of the trees that one logical zone owns: root `r` belongs to zone `r mod zones`. A page that
 * was once read or made stays in memory, in segments of the zone's own; a leaf never does (page-cache.ts).
 *
 * Height 4 is a root page, at a fixed place on the disk; height 1 leads to leaves. A row names a page: all rows of
 * a tree follow each other, height by height, whether the page exists or not.
 */
import { assert } from '../../base/assert.js'
import { type Lbn, type Pbn, pbn, ZERO_BLOCK } from '../../base/ids.js'
import { formatPage, judgePage, PageVerdict } from '../../format/block-map-page.js'
import { BLOCK_SIZE, ENTRIES_PER_PAGE, TREE_HEIGHT } from '../../format/constants.js'
import { Counter } from '../../vio/counters.js'
import type { ZoneContext } from '../../vio/zone-context.js'

/** The height of the pages at fixed places. */
export const ROOT_HEIGHT = TREE_HEIGHT - 1

const PAGES_PER_SEGMENT = 64
const SEGMENT_BYTES = PAGES_PER_SEGMENT * BLOCK_SIZE

export class Forest {
  /** How many interior pages there can be. */
  readonly rows: number
  /** How many leaves there can be in all trees of the zone. */
  readonly leaves: number
  private readonly leavesPerTree: number
  /** Where the rows of each height begin within a tree. */
  private readonly heightStart: number[] = []
  readonly rowsOfTree: number
  /** Where a page is on the disk; 0 while it is not in memory. */
  private readonly places: Float64Array
  /** Which of the pages in memory it is. */
  private readonly slots: Int32Array
  private readonly segments: Uint8Array[] = []
  private used = 0

  constructor(private readonly context: ZoneContext) {
    const { volume, counts, zone } = context
    const trees = Math.ceil((volume.rootCount - zone) / counts.logical)
    this.leavesPerTree = Math.ceil(Math.ceil(volume.logicalBlocks / ENTRIES_PER_PAGE) / volume.rootCount)
    this.leaves = this.leavesPerTree * trees
    let pages = this.leavesPerTree
    let rows = 0
    this.heightStart.push(0)
    for (let height = 1; height <= ROOT_HEIGHT; height++) {
      pages = Math.ceil(pages / ENTRIES_PER_PAGE)
      this.heightStart.push(rows)
      rows += pages
    }
    assert(pages === 1, 'a tree has one root page')
    this.rowsOfTree = rows
    this.rows = rows * trees
    this.places = new Float64Array(this.rows)
    this.slots = new Int32Array(this.rows)
  }

  rootOf(lbn: Lbn): number {
    return Math.floor(lbn / ENTRIES_PER_PAGE) % this.context.volume.rootCount
  }

  rootPbn(root: number): Pbn {
    return pbn(this.context.volume.rootOrigin + root)
  }

  /** The index of the page of this height, among those of the same tree and height, on the way to an lbn. */
  index(lbn: Lbn, height: number): number {
    let index = Math.floor(Math.floor(lbn / ENTRIES_PER_PAGE) / this.context.volume.rootCount)
    for (let h = 0; h < height; h++) index = Math.floor(index / ENTRIES_PER_PAGE)
    return index
  }

  /** The row of the page of this height on the way to an lbn. */
  row(lbn: Lbn, height: number): number {
    const { zone, counts } = this.context
    const root = this.rootOf(lbn)
    assert(root % counts.logical === zone, 'a zone walks its own trees')
    return (
      ((root - zone) / counts.logical) * this.rowsOfTree + this.heightStart[height] + this.index(lbn, height)
    )
  }

  /** A number for the leaf of an lbn, of the zone's own. */
  leafNumber(lbn: Lbn): number {
    const { zone, counts } = this.context
    return ((this.rootOf(lbn) - zone) / counts.logical) * this.leavesPerTree + this.index(lbn, 0)
  }

  isLoaded(row: number): boolean {
    return this.places[row] !== 0
  }

  /** Where a loaded page is on the disk. */
  pagePbn(row: number): Pbn {
    return pbn(this.places[row])
  }

  /** The memory that a loaded page lies in, and where in it. */
  bytes(row: number): Uint8Array {
    return this.segments[Math.floor(this.slots[row] / PAGES_PER_SEGMENT)]
  }
  at(row: number): number {
    return (this.slots[row] % PAGES_PER_SEGMENT) * BLOCK_SIZE
  }

  /** A new page, empty, never written. */
  create(row: number, place: Pbn): void {
    const { nonceLow, nonceHigh } = this.context.volume
    this.makeRoom(row, place)
    formatPage(this.bytes(row), this.at(row), nonceLow, nonceHigh, place, false)
  }

  /** A page that was read to `from` in the arena; one that is not valid stands for an empty one. */
  adopt(row: number, place: Pbn, from: number): void {
    const { arena, volume } = this.context
    if (judgePage(arena, from, volume.nonceLow, volume.nonceHigh, place) !== PageVerdict.Valid) {
      return this.create(row, place)
    }
    this.makeRoom(row, place)
    this.bytes(row).set(arena.subarray(from, from + BLOCK_SIZE), this.at(row))
  }

  /** Copies a page into the arena, to be written. */
  snapshot(row: number, to: number): void {
    const at = this.at(row)
    this.context.arena.set(this.bytes(row).subarray(at, at + BLOCK_SIZE), to)
  }

  private makeRoom(row: number, place: Pbn): void {
    assert(this.places[row] === 0 && place !== ZERO_BLOCK, 'a page enters memory once')
    if (this.used === this.segments.length * PAGES_PER_SEGMENT) {
      this.segments.push(new Uint8Array(SEGMENT_BYTES))
      this.context.counters[Counter.PrivateBytes] += SEGMENT_BYTES
    }
    this.slots[row] = this.used++
    this.places[row] = place
  }
}
