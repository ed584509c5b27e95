/**
 * The simulator's disk: blocks in memory behind the submit-and-complete contract. Requests complete one at a time,
 * in an order that the seed chooses; a write takes its data when it completes, so that a buffer that changes too
 * early is found out. A flush completes after every request that was complete when it was submitted.
 */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DEVICE_BLOCK_BYTES, DeviceOp } from '../device/block-device.js'

/** The blocks themselves, shared by all device objects over them. */
export class SimStore {
  private readonly blocks = new Map<number, Uint8Array>()

  constructor(readonly blockCount: number) {}

  /** A block's bytes; zeros if it was never written. */
  read(block: number): Uint8Array {
    return this.blocks.get(block) ?? ZEROS
  }

  write(block: number, bytes: Uint8Array): void {
    assert(block >= 0 && block < this.blockCount, 'a write stays on the disk')
    this.blocks.set(block, bytes.slice())
  }
}

const ZEROS = new Uint8Array(DEVICE_BLOCK_BYTES)

interface Pending {
  readonly op: DeviceOp
  readonly block: number
  readonly count: number
  readonly at: number
  readonly tag: number
}

/** One bio zone's door to the store. */
export class SimDevice implements BlockDevice {
  readonly blockCount: number
  private completed: Completed = () => {}
  private readonly pending: Pending[] = []

  constructor(
    private readonly store: SimStore,
    private readonly arena: Uint8Array,
  ) {
    this.blockCount = store.blockCount
  }

  attach(completed: Completed): void {
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    this.pending.push({ op, block, count, at, tag })
  }

  kick(): void {}

  get outstanding(): number {
    return this.pending.length
  }

  /** Completes one request of the seed's choosing. */
  step(prng: Prng): void {
    const [request] = this.pending.splice(prng.below(this.pending.length), 1)
    const { op, block, count, at, tag } = request
    if (op !== DeviceOp.Flush && (block < 0 || block + count > this.blockCount)) {
      this.completed(tag, Status.IoError)
      return
    }
    for (let i = 0; i < count && op !== DeviceOp.Flush; i++) {
      const from = at + i * DEVICE_BLOCK_BYTES
      if (op === DeviceOp.Read) this.arena.set(this.store.read(block + i), from)
      else this.store.write(block + i, this.arena.subarray(from, from + DEVICE_BLOCK_BYTES))
    }
    this.completed(tag, Status.Success)
  }
}
