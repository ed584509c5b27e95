/**
 * A store that begins to fail: reads, writes and syncs each work a given number of times more and then fail, on
 * every thread alike, until they are healed. For tests of what a volume does on a store that dies under it.
 */
import { Status } from '../base/status.js'
import { DeviceOp, type SynchronousDevice } from './block-device.js'

/** Calls that never fail. */
const SOUND = -1
const OPS = 3

/** Says when calls fail, in shared memory. `memory` crosses to the threads that use the store. */
export class Faults {
  private readonly left: Int32Array

  constructor(readonly memory = new SharedArrayBuffer(OPS * Int32Array.BYTES_PER_ELEMENT)) {
    this.left = new Int32Array(memory)
  }

  /** A schedule by which nothing fails yet. */
  static none(): Faults {
    const faults = new Faults()
    faults.left.fill(SOUND)
    return faults
  }

  /** `calls` more calls of this kind work, and then none. */
  failAfter(op: DeviceOp, calls: number): void {
    Atomics.store(this.left, op, calls)
  }

  heal(op: DeviceOp): void {
    Atomics.store(this.left, op, SOUND)
  }

  /** Takes a call; whether it fails. */
  strikes(op: DeviceOp): boolean {
    for (;;) {
      const left = Atomics.load(this.left, op)
      if (left <= 0) return left === 0
      if (Atomics.compareExchange(this.left, op, left, left - 1) === left) return false
    }
  }
}

export class FaultyDevice implements SynchronousDevice {
  constructor(
    private readonly inner: SynchronousDevice,
    private readonly faults: Faults,
  ) {}

  get blockCount(): number {
    return this.inner.blockCount
  }

  read(block: number, count: number, at: number): Status {
    return this.faults.strikes(DeviceOp.Read) ? Status.IoError : this.inner.read(block, count, at)
  }

  write(block: number, count: number, at: number): Status {
    return this.faults.strikes(DeviceOp.Write) ? Status.IoError : this.inner.write(block, count, at)
  }

  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status {
    if (this.faults.strikes(DeviceOp.Write)) return Status.IoError
    return this.inner.writeJoined(block, ats, counts, first, end)
  }

  sync(): Status {
    return this.faults.strikes(DeviceOp.Flush) ? Status.IoError : this.inner.sync()
  }
}
