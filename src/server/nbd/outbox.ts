/**
 * What waits to go out on one socket. Small pieces (headers, small reads) are gathered in a batch and leave in
 * one call a turn of the event loop; large data go out from where they lie, between batches, in one vectored
 * write.
 *
 * A batch is never written again where it has been handed to the socket: it is filled on behind that, and comes
 * back to the free list when it is full and all its bytes have left.
 */

import type { Socket } from 'node:net'

import { assert } from '../../base/assert.js'

const BATCH_SIZE = 64 * 1024
const MAXIMUM_FREE_BATCHES = 4
/** Data up to this size are copied into the batch: a copy is cheaper than a piece of a vectored write. */
export const MAXIMUM_COPIED = 16 * 1024

class Batch {
  readonly bytes = new Uint8Array(BATCH_SIZE)
  start = 0
  end = 0
  writes = 0
  full = false
  readonly sent: () => void

  constructor(outbox: Outbox) {
    this.sent = () => outbox.batchSent(this)
  }
}

/** The sending side of one connection. */
export class Outbox {
  private batch: Batch
  private readonly free: Batch[] = []
  private corked = false
  /** The array that `room` gives places in. */
  bytes: Uint8Array

  /** `sent` is told whenever bytes have left. */
  constructor(
    private readonly socket: Socket,
    private readonly sent: () => void,
  ) {
    this.batch = new Batch(this)
    this.bytes = this.batch.bytes
  }

  /** Bytes that have not left this process. */
  get unsent(): number {
    return this.socket.writableLength + this.batch.end - this.batch.start
  }

  /** A place in `bytes` for `size` bytes, which the caller fills before it calls anything else here. */
  room(size: number): number {
    assert(size <= BATCH_SIZE, 'a batch holds what is asked')
    if (this.batch.end + size > BATCH_SIZE) this.turnOver()
    const at = this.batch.end
    this.batch.end += size
    return at
  }

  /** Sends bytes of any size: small ones by copy at once, large ones as they lie, told by `sent` when gone. */
  copy(bytes: Uint8Array): void {
    if (bytes.length > MAXIMUM_COPIED) return this.lend(bytes, undefined)
    const at = this.room(bytes.length)
    this.bytes.set(bytes, at)
  }

  /** Sends bytes from where they lie. They must not change until `sent`. */
  lend(bytes: Uint8Array, sent: (() => void) | undefined): void {
    this.cork()
    this.push()
    if (sent === undefined) this.socket.write(bytes)
    else this.socket.write(bytes, sent)
  }

  /** Hands everything to the socket. Called once a turn. */
  flush(): void {
    this.push()
    if (!this.corked) return
    this.corked = false
    this.socket.uncork()
  }

  batchSent(batch: Batch): void {
    batch.writes -= 1
    if (batch.full && batch.writes === 0) this.recycle(batch)
    this.sent()
  }

  private cork(): void {
    if (this.corked) return
    this.corked = true
    this.socket.cork()
  }

  private push(): void {
    const { batch } = this
    if (batch.start === batch.end) return
    batch.writes += 1
    const bytes = batch.bytes.subarray(batch.start, batch.end)
    batch.start = batch.end
    this.socket.write(bytes, batch.sent)
  }

  private turnOver(): void {
    this.cork()
    this.push()
    const { batch } = this
    batch.full = true
    this.batch = this.free.pop() ?? new Batch(this)
    this.bytes = this.batch.bytes
    if (batch.writes === 0) this.recycle(batch)
  }

  private recycle(batch: Batch): void {
    batch.start = 0
    batch.end = 0
    batch.full = false
    if (this.free.length < MAXIMUM_FREE_BATCHES) this.free.push(batch)
  }
}
