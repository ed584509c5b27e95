/**
 * One of the users of a volume: a connection, or the library. What it asks for takes turns with what the others ask
 * for, block by block, and leaves them half of the pool, so that one with much to do is not in the way of one with
 * little.
 *
 * It lives on the front end's thread, and needs no end: one that asks for nothing holds nothing.
 */
import { BLOCK_SIZE } from '../format/constants.js'
import type { Completion, ExportTarget } from './export-target.js'
import { NO_BYTES, Request, RequestKind } from './request.js'

/** What a client needs of the front end. */
export interface RequestTaker {
  readonly sizeBytes: number
  isInside(offset: number, length: number): boolean
  /** Takes a request that starts at `offset` and has `length` bytes; `done` is called later. */
  submit(
    client: Client,
    kind: RequestKind,
    offset: number,
    length: number,
    bytes: Uint8Array,
    fua: boolean,
    done: Completion,
  ): void
  flush(done: Completion): void
  forClient(): ExportTarget
}

export class Client implements ExportTarget {
  /** Requests with blocks to launch, in turn. */
  readonly queue: Request[] = []
  /** Blocks that are launched and not answered. */
  inFlight = 0
  /** Among the clients that take turns now. */
  hasTurn = false

  constructor(private readonly front: RequestTaker) {}

  get sizeBytes(): number {
    return this.front.sizeBytes
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.front.submit(this, RequestKind.Read, offset, into.length, into, false, done)
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.front.submit(this, RequestKind.Write, offset, bytes.length, bytes, fua, done)
  }

  /** Rounds inwards: a hint for whole blocks. What reaches beyond the end is refused as it is. */
  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    const start = Math.min(Math.ceil(offset / BLOCK_SIZE) * BLOCK_SIZE, offset + length)
    const end = Math.max(Math.floor((offset + length) / BLOCK_SIZE) * BLOCK_SIZE, start)
    if (this.front.isInside(offset, length)) this.zero(start, end - start, fua, done)
    else this.zero(offset, length, fua, done)
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.front.submit(this, RequestKind.Discard, offset, length, NO_BYTES, fua, done)
  }

  flush(done: Completion): void {
    this.front.flush(done)
  }

  forClient(): ExportTarget {
    return this.front.forClient()
  }

  /** Whether a request waits for its turn. */
  holds(request: Request): boolean {
    return this.queue.includes(request)
  }
}
