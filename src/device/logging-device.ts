/**
 * Other devices whose writes and flushes are told to a log, in the order in which they begin and end. Reads pass by.
 *
 * Two layers, one for each contract of block-device.ts. A `SynchronousDevice` begins and ends each call before the
 * next, so that the log of a `LoggingStore` is the order of the calls on a file itself.
 */
import { Status } from '../base/status.js'
import {
  type BlockDevice,
  type Completed,
  DEVICE_BLOCK_BYTES,
  DeviceOp,
  type SynchronousDevice,
} from './block-device.js'

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

export class LoggingStore implements SynchronousDevice {
  private begun = 0

  constructor(
    private readonly inner: SynchronousDevice,
    private readonly arena: Uint8Array,
    private readonly log: IoLog,
  ) {}

  get blockCount(): number {
    return this.inner.blockCount
  }

  read(block: number, count: number, at: number): Status {
    return this.inner.read(block, count, at)
  }

  write(block: number, count: number, at: number): Status {
    const request = this.beginWrite(block, count, at)
    return this.end(request, request, this.inner.write(block, count, at))
  }

  /** A joined write is told as one write for each piece: the store may do some of them and not the others. */
  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status {
    const request = this.begun + 1
    let next = block
    for (let i = first; i < end; i++) {
      this.beginWrite(next, counts[i]!, ats[i]!)
      next += counts[i]!
    }
    return this.end(request, this.begun, this.inner.writeJoined(block, ats, counts, first, end))
  }

  sync(): Status {
    const request = ++this.begun
    this.log.flushBegun(request)
    return this.end(request, request, this.inner.sync())
  }

  private beginWrite(block: number, count: number, at: number): number {
    const request = ++this.begun
    this.log.writeBegun(request, block, this.arena.subarray(at, at + count * DEVICE_BLOCK_BYTES))
    return request
  }

  private end(first: number, last: number, status: Status): Status {
    for (let request = first; request <= last; request++) this.log.ended(request, status === Status.Success)
    return status
  }
}
