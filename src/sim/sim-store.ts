/**
 * The simulator's disk: blocks in memory behind the submit-and-complete contract. Requests complete one at a time,
 * in an order that the seed chooses. A write takes its data when it is submitted or when it completes, whichever
 * finds out more: a buffer that changes too early, or one that is filled too late.
 *
 * No two requests may meet in a block while one of them writes: on a real disk either could win.
 */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DEVICE_BLOCK_BYTES, DeviceOp } from '../device/block-device.js'

/** The blocks themselves, shared by all device objects over them. */
export class SimStore {
  /** Requests that were submitted, ever: an engine at rest adds none. */
  requests = 0
  private readonly blocks = new Map<number, Uint8Array>()
  /** By block: how many reads are under way, or -1 for a write. */
  private readonly underWay = new Map<number, number>()

  constructor(readonly blockCount: number) {}

  /** A block's bytes; zeros if it was never written. */
  blockAt(block: number): Uint8Array {
    return this.blocks.get(block) ?? ZEROS
  }

  /** Reads blocks as an audit does. */
  read(block: number, count: number, into: Uint8Array): boolean {
    if (block < 0 || block + count > this.blockCount) return false
    for (let i = 0; i < count; i++) into.set(this.blockAt(block + i), i * DEVICE_BLOCK_BYTES)
    return true
  }

  write(block: number, bytes: Uint8Array): void {
    assert(block >= 0 && block < this.blockCount, 'a write stays on the disk')
    this.blocks.set(block, bytes.slice())
  }

  begin(block: number, isWrite: boolean): void {
    const others = this.underWay.get(block) ?? 0
    assert(isWrite ? others === 0 : others >= 0, 'nothing else is under way in a block that is written')
    this.underWay.set(block, isWrite ? -1 : others + 1)
  }

  end(block: number): void {
    const others = this.underWay.get(block)
    if (others === undefined || others <= 1) this.underWay.delete(block)
    else this.underWay.set(block, others - 1)
  }
}

const ZEROS = new Uint8Array(DEVICE_BLOCK_BYTES)

interface Pending {
  readonly op: DeviceOp
  readonly block: number
  readonly count: number
  readonly at: number
  readonly tag: number
  /** What a write took when it was submitted. */
  readonly taken: Uint8Array | null
}

/** One bio zone's door to the store. */
export class SimDevice implements BlockDevice {
  readonly blockCount: number
  private completed: Completed = () => {}
  private readonly pending: Pending[] = []

  constructor(
    private readonly store: SimStore,
    private readonly arena: Uint8Array,
    private readonly prng: Prng,
  ) {
    this.blockCount = store.blockCount
  }

  attach(completed: Completed): void {
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    this.store.requests++
    const isWrite = op === DeviceOp.Write
    if (op !== DeviceOp.Flush) {
      assert(block >= 0 && block + count <= this.blockCount, 'a request stays on the disk')
      for (let i = 0; i < count; i++) this.store.begin(block + i, isWrite)
    }
    const taken =
      isWrite && this.prng.chance(0.5) ? this.arena.slice(at, at + count * DEVICE_BLOCK_BYTES) : null
    this.pending.push({ op, block, count, at, tag, taken })
  }

  kick(): void {}

  get outstanding(): number {
    return this.pending.length
  }

  /** Completes one request of the seed's choosing. */
  step(): void {
    const [request] = this.pending.splice(this.prng.below(this.pending.length), 1)
    const { op, block, count, at, tag, taken } = request
    for (let i = 0; i < count && op !== DeviceOp.Flush; i++) {
      const from = at + i * DEVICE_BLOCK_BYTES
      this.store.end(block + i)
      if (op === DeviceOp.Read) {
        this.arena.set(this.store.blockAt(block + i), from)
      } else {
        const bytes = taken?.subarray(i * DEVICE_BLOCK_BYTES, (i + 1) * DEVICE_BLOCK_BYTES)
        this.store.write(block + i, bytes ?? this.arena.subarray(from, from + DEVICE_BLOCK_BYTES))
      }
    }
    this.completed(tag, Status.Success)
  }
}
