/**
 * A request in flight and its pieces. A request of any size becomes calls of at most PIECE_SIZE on the target, so
 * that memory follows what is in flight and not what was asked for. Requests and pieces are pooled by their
 * connection, each piece with its completion bound once: in steady state a request allocates nothing here.
 */

import type { Completion } from '../../engine/export-target.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import { Command, CommandFlag, NbdError } from './protocol.js'

/** The most bytes of one call on the target. Pieces end on a block, so that no block is in two of them. */
export const PIECE_SIZE = 256 * 1024
/** Data up to this size live in the piece itself. */
const OWN_SIZE = 16 * 1024

/** One call on the target. */
export class Piece {
  request: Request | undefined
  next: Piece | undefined
  offset = 0
  /** What the call reads into or writes from; empty when it carries no data. */
  bytes: Uint8Array = NO_BYTES
  /** A pooled buffer under `bytes`, to give back. */
  borrowed: Uint8Array | undefined
  length = 0
  completed = false
  readonly done: Completion
  /** Called when the socket has sent `bytes`. */
  readonly sent: () => void
  private own: Uint8Array | undefined

  constructor(done: (piece: Piece, status: number) => void, sent: (piece: Piece) => void) {
    this.done = (status) => done(this, status)
    this.sent = () => sent(this)
  }

  /** Gives `bytes` room for `length`, from the piece's own memory when that is enough. */
  makeRoom(length: number, buffers: BufferPool): void {
    if (length <= OWN_SIZE) {
      this.own ??= new Uint8Array(OWN_SIZE)
      this.bytes = this.own.subarray(0, length)
    } else {
      this.borrowed = buffers.take(length)
      this.bytes = length === this.borrowed.length ? this.borrowed : this.borrowed.subarray(0, length)
    }
  }

  /** Forgets everything but its own memory. */
  reset(buffers: BufferPool): void {
    if (this.borrowed !== undefined) buffers.give(this.borrowed)
    this.borrowed = undefined
    this.request = undefined
    this.next = undefined
    this.bytes = NO_BYTES
    this.completed = false
  }
}

const NO_BYTES = new Uint8Array(0)

/** How the data of a READ travel. */
export enum ReadForm {
  /** Chunks in any order, as pieces complete. */
  Chunks = 0,
  /** One run of bytes after one head, pieces in order. */
  Run = 1,
}

/** One request that was accepted. */
export class Request {
  command = Command.Flush
  flags = 0
  cookieHigh = 0
  cookieLow = 0
  offset = 0
  length = 0
  form = ReadForm.Run
  error = NbdError.None
  errorOffset = 0
  /** Where the next piece starts, from 0 to `length`. */
  progress = 0
  launched = false
  outstanding = 0
  /** Whether the head of its reply has been sent. */
  answered = false
  /** Whether it has ended, so that its row may be used again. */
  settled = false
  /** Pieces in order: of a WRITE until they are launched, of a READ in run form until they are sent. */
  first: Piece | undefined
  last: Piece | undefined

  get fua(): boolean {
    return (this.flags & CommandFlag.Fua) !== 0
  }

  get complete(): boolean {
    return this.launched && this.outstanding === 0
  }

  append(piece: Piece): void {
    if (this.last === undefined) this.first = piece
    else this.last.next = piece
    this.last = piece
  }

  shift(): Piece | undefined {
    const piece = this.first
    if (piece === undefined) return undefined
    this.first = piece.next
    if (this.first === undefined) this.last = undefined
    piece.next = undefined
    return piece
  }

  /** The length of the piece that starts at `progress`. */
  nextPieceLength(): number {
    const start = this.offset + this.progress
    const left = this.length - this.progress
    return Math.min(left, PIECE_SIZE - (start % BLOCK_SIZE))
  }
}

/**
 * Buffers shared by the connections of a server, in sizes that double from OWN_SIZE to PIECE_SIZE, so that none is
 * more than twice what it holds. A bounded number of idle ones is kept.
 */
export class BufferPool {
  private readonly free = new Map<number, Uint8Array[]>()

  constructor(private readonly maximumFreeBytes: number) {
    for (let size = 2 * OWN_SIZE; size <= PIECE_SIZE; size *= 2) this.free.set(size, [])
  }

  /** A buffer of at least `length` bytes, with anything in it. */
  take(length: number): Uint8Array {
    let size = 2 * OWN_SIZE
    while (size < length) size *= 2
    return this.free.get(size)?.pop() ?? new Uint8Array(size)
  }

  give(buffer: Uint8Array): void {
    const idle = this.free.get(buffer.length)
    if (idle !== undefined && idle.length * buffer.length < this.maximumFreeBytes) idle.push(buffer)
  }
}
