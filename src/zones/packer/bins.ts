/**
 * The packer's bins: fragments that wait for company. Each bin is one packed block in the making; the bins stand
 * in order of free space, the fullest first, so that the first one with room is the best fit.
 *
 * Beside them is the *canceled bin*: fragments that were taken out of a batch because someone forbade that they
 * linger, and that may not go on before that someone's message arrives. It has no size.
 *
 * A fragment is in one bin at most. All memory is laid out once; the packer owns it.
 */
import { assert } from '../../base/assert.js'
import { NO_VIO, type VioIndex } from '../../base/ids.js'
import { COMPRESSED_PAYLOAD_SIZE } from '../../format/constants.js'

/** What `select` and `binOf` give for no bin. */
export const NO_BIN = -1

export class Bins {
  /** The number of the canceled bin, as `binOf` gives it. */
  readonly canceledBin: number
  /** Members of bin b, from `b * slots` up. */
  private readonly members: Int32Array
  private readonly used: Int32Array
  private readonly free: Int32Array
  /** Bins by free space, ascending. */
  private readonly order: Int32Array
  /** For each vio its bin and its place there. */
  private readonly bins: Int32Array
  private readonly places: Int32Array
  private canceled = 0

  constructor(
    readonly count: number,
    readonly slots: number,
    vioCount: number,
  ) {
    assert(count >= 1 && slots >= 2, 'a packer has a bin and room for a pair in it')
    this.canceledBin = count
    this.members = new Int32Array(count * slots)
    this.used = new Int32Array(count)
    this.free = new Int32Array(count).fill(COMPRESSED_PAYLOAD_SIZE)
    this.order = Int32Array.from({ length: count }, (_, bin) => bin)
    this.bins = new Int32Array(vioCount).fill(NO_BIN)
    this.places = new Int32Array(vioCount)
  }

  binOf(vio: VioIndex): number {
    return this.bins[vio]
  }

  usedSlots(bin: number): number {
    return this.used[bin]
  }

  freeBytes(bin: number): number {
    return this.free[bin]
  }

  isFull(bin: number): boolean {
    return this.used[bin] === this.slots || this.free[bin] === 0
  }

  get canceledCount(): number {
    return this.canceled
  }

  /**
   * The bin for a fragment: the best fit; or, when none has room, the fullest, which is then to be written first;
   * or none, when the fullest holds no more than the fragment itself would fill.
   */
  select(size: number): number {
    for (let rank = 0; rank < this.count; rank++) {
      const bin = this.order[rank]
      if (this.free[bin] >= size) return bin
    }
    const fullest = this.order[0]
    return size >= COMPRESSED_PAYLOAD_SIZE - this.free[fullest] ? NO_BIN : fullest
  }

  add(bin: number, vio: VioIndex, size: number): void {
    assert(this.bins[vio] === NO_BIN, 'a fragment is in one bin at most')
    assert(
      size > 0 && size <= this.free[bin] && this.used[bin] < this.slots,
      'a bin has room for the fragment',
    )
    this.bins[vio] = bin
    this.places[vio] = this.used[bin]
    this.members[bin * this.slots + this.used[bin]++] = vio
    this.free[bin] -= size
  }

  /** Takes the newest fragment out of a bin that is being emptied; its bytes count as free when the bin is empty. */
  pop(bin: number): VioIndex {
    if (this.used[bin] === 0) {
      this.free[bin] = COMPRESSED_PAYLOAD_SIZE
      return NO_VIO
    }
    const vio = this.members[bin * this.slots + --this.used[bin]] as VioIndex
    this.bins[vio] = NO_BIN
    return vio
  }

  cancel(vio: VioIndex): void {
    assert(this.bins[vio] === NO_BIN, 'a fragment is in one bin at most')
    this.bins[vio] = this.canceledBin
    this.canceled++
  }

  /** Takes one fragment out of whichever bin it is in. The last of its bin moves into the gap. */
  remove(vio: VioIndex, size: number): void {
    const bin = this.bins[vio]
    assert(bin !== NO_BIN, 'whoever is evicted is in a bin')
    this.bins[vio] = NO_BIN
    if (bin === this.canceledBin) {
      this.canceled--
      return
    }
    const place = this.places[vio]
    const last = this.members[bin * this.slots + --this.used[bin]]
    if (last !== vio) {
      this.members[bin * this.slots + place] = last
      this.places[last] = place
    }
    this.free[bin] += size
    this.settle(bin)
  }

  /** Puts a bin whose free space changed back into order: before the first that has more. */
  settle(bin: number): void {
    const { order, free, count } = this
    let rank = order.indexOf(bin)
    while (rank + 1 < count && free[order[rank + 1]] <= free[bin]) order[rank] = order[++rank]
    while (rank > 0 && free[order[rank - 1]] > free[bin]) order[rank] = order[--rank]
    order[rank] = bin
  }
}
