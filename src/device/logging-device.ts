/**
 * Another device whose writes and flushes are told to a log, in the order in which they begin and end: what the
 * contract of block-device.ts promises of them, a flush and a write at a time, can be read off it. Reads pass by.
 */
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DEVICE_BLOCK_BYTES, DeviceOp } from './block-device.js'

/** Hears of writes and flushes. Each has a number of its own, from 1 in the order of the beginnings. */
export interface IoLog {
  /** A write of whole blocks from `block` on begins. The bytes are lent for the call. */
  writeBegun(request: number, block: number, bytes: Uint8Array): void
  /** A flush begins: it covers the writes that have ended. */
  flushBegun(request: number): void
  /** `isDone` is false if it failed. */
  ended(request: number, isDone: boolean): void
}

export class LoggingDevice implements BlockDevice {
  private begun = 0
  private completed: Completed = () => {}
  /** From the tag of a request under way to its number. */
  private readonly underWay = new Map<number, number>()

  constructor(
    private readonly inner: BlockDevice,
    private readonly arena: Uint8Array,
    private readonly log: IoLog,
  ) {}

  get blockCount(): number {
    return this.inner.blockCount
  }

  attach(completed: Completed): void {
    this.completed = completed
    this.inner.attach((tag, status) => this.ended(tag, status))
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    if (op !== DeviceOp.Read) {
      const request = ++this.begun
      this.underWay.set(tag, request)
      if (op === DeviceOp.Flush) this.log.flushBegun(request)
      else this.log.writeBegun(request, block, this.arena.subarray(at, at + count * DEVICE_BLOCK_BYTES))
    }
    this.inner.submit(op, block, count, at, tag)
  }

  kick(): void {
    this.inner.kick()
  }

  private ended(tag: number, status: Status): void {
    const request = this.underWay.get(tag)
    if (request !== undefined) {
      this.underWay.delete(tag)
      this.log.ended(request, status === Status.Success)
    }
    this.completed(tag, status)
  }
}
