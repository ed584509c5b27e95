/**
 * A synchronous store as a `BlockDevice`: gathers a batch, then does its reads, its writes in the order of the
 * store with neighbours joined, and one sync for all its flushes, and tells the completions after the last of these
 * calls. Whatever the completions submit is the next batch, done before `kick` returns.
 */
import { assert } from '../base/assert.js'
import { type BlockDevice, type Completed, DeviceOp, type SynchronousDevice } from './block-device.js'

/** How many pieces one joined write may have: half of what the kernel takes in one call. */
const MAX_JOINED = 512

/** The requests of a batch, a row each. */
class Batch {
  readonly ops: Uint8Array
  readonly blocks: Float64Array
  readonly counts: Int32Array
  readonly ats: Float64Array
  readonly tags: Int32Array
  readonly statuses: Int32Array
  size = 0

  constructor(capacity: number) {
    this.ops = new Uint8Array(capacity)
    this.blocks = new Float64Array(capacity)
    this.counts = new Int32Array(capacity)
    this.ats = new Float64Array(capacity)
    this.tags = new Int32Array(capacity)
    this.statuses = new Int32Array(capacity)
  }
}

export class BatchedDevice implements BlockDevice {
  private completed: Completed | undefined
  /** The batch that submissions join, and the one being done. */
  private filling: Batch
  private doing: Batch
  private busy = false
  /** The writes of a batch in the order of the store: rows, and the columns that a joined write takes. */
  private readonly order: Int32Array
  private readonly ats: Float64Array
  private readonly counts: Int32Array

  /** `capacity` is the most requests ever outstanding; more is a defect. */
  constructor(
    private readonly store: SynchronousDevice,
    private readonly capacity: number,
  ) {
    this.filling = new Batch(capacity)
    this.doing = new Batch(capacity)
    this.order = new Int32Array(capacity)
    this.ats = new Float64Array(capacity)
    this.counts = new Int32Array(capacity)
  }

  get blockCount(): number {
    return this.store.blockCount
  }

  attach(completed: Completed): void {
    assert(this.completed === undefined, 'a device has one receiver of completions')
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    const batch = this.filling
    const row = batch.size
    assert(row < this.capacity, 'no more requests are outstanding than the device was made for')
    batch.ops[row] = op
    batch.blocks[row] = block
    batch.counts[row] = count
    batch.ats[row] = at
    batch.tags[row] = tag
    batch.size = row + 1
  }

  kick(): void {
    // A completion that submits and kicks finds this loop still running: it takes the new batch next.
    if (this.busy) return
    const { completed } = this
    assert(completed !== undefined, 'a device is attached before it works')
    this.busy = true
    while (this.filling.size > 0) {
      const batch = this.filling
      this.filling = this.doing
      this.doing = batch
      this.perform(batch)
      const { size } = batch
      for (let row = 0; row < size; row++) completed(batch.tags[row]!, batch.statuses[row]!)
      batch.size = 0
    }
    this.busy = false
  }

  private perform(batch: Batch): void {
    const { store, order } = this
    const { ops, blocks, counts, ats, statuses, size } = batch
    let writes = 0
    let flushes = 0
    for (let row = 0; row < size; row++) {
      if (ops[row] === DeviceOp.Read) statuses[row] = store.read(blocks[row]!, counts[row]!, ats[row]!)
      else if (ops[row] === DeviceOp.Write) order[writes++] = row
      else flushes++
    }
    if (writes > 0) this.write(batch, writes)
    if (flushes === 0) return
    const status = store.sync()
    for (let row = 0; row < size; row++) if (ops[row] === DeviceOp.Flush) statuses[row] = status
  }

  /** Does the writes whose rows stand in `order`, each run of neighbours in one call. */
  private write(batch: Batch, writes: number): void {
    const { order, ats, counts } = this
    const { blocks, statuses } = batch
    this.sort(blocks, writes)
    for (let i = 0; i < writes; i++) {
      ats[i] = batch.ats[order[i]!]!
      counts[i] = batch.counts[order[i]!]!
    }
    for (let first = 0; first < writes; ) {
      const block = blocks[order[first]!]!
      let after = block + counts[first]!
      let end = first + 1
      while (end < writes && end - first < MAX_JOINED && blocks[order[end]!] === after)
        after += counts[end++]!
      const status =
        end === first + 1
          ? this.store.write(block, counts[first]!, ats[first]!)
          : this.store.writeJoined(block, ats, counts, first, end)
      while (first < end) statuses[order[first++]!] = status
    }
  }

  /** Sorts the first `count` rows of `order` by block, stably. Allocation makes runs: most are in order already. */
  private sort(blocks: Float64Array, count: number): void {
    const { order } = this
    for (let i = 1; i < count; i++) {
      const row = order[i]!
      const block = blocks[row]!
      let place = i
      while (place > 0 && blocks[order[place - 1]!]! > block) {
        order[place] = order[place - 1]!
        place--
      }
      order[place] = row
    }
  }
}
