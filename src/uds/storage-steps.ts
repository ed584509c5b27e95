/**
 * Work on an index's region that takes many reads and writes: saves, loads, rebuilds. A zone never waits, so such
 * work is a generator that yields each thing it wants done and goes on when whoever drives it says that it is: the
 * engine when its message comes back, a test at once. A failure is thrown into it.
 *
 * `AreaWriter` and `AreaReader` make a stream of bytes out of an area's blocks. Their user asks for room or bytes
 * ahead and then moves as many without asking.
 */
import { assert } from '../base/assert.js'
import { writeU16, writeU32 } from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { IndexError, indexCorrupt } from './index-error.js'

export enum StorageOp {
  Read = 0,
  Write = 1,
  /** What was written before is durable afterwards. */
  Flush = 2,
  /** Nothing: whoever drives the work may do something else first. Yielded in the midst of long work in memory. */
  Pause = 3,
}

/** Something to be done. Whoever yields it owns it and its bytes, and may use it again. */
export interface StorageCommand {
  op: StorageOp
  /** The first of `count` blocks of 4 KiB, counted as the region's tables do. */
  block: number
  count: number
  bytes: Uint8Array
  /** Where in `bytes`. */
  at: number
}

/** Work that yields what it wants done. */
export type Steps<T> = Generator<StorageCommand, T, void>

/** Does work to its end on one thread. `perform` does what is wanted before it returns, or throws. */
export function runSteps<T>(steps: Steps<T>, perform: (command: StorageCommand) => void): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    perform(value)
  }
}

const BUFFER_BLOCKS = 16

/** The most bytes that may be asked for at once. */
export const MAX_AHEAD = (BUFFER_BLOCKS - 1) * BLOCK_SIZE

export class AreaWriter {
  /** Where the user puts bytes: from `at` on, as many as it asked room for, and moves `at`. */
  readonly bytes = new Uint8Array(BUFFER_BLOCKS * BLOCK_SIZE)
  at = 0
  private readonly command: StorageCommand
  private left: number

  constructor(block: number, blocks: number) {
    this.command = { op: StorageOp.Write, block, count: 0, bytes: this.bytes, at: 0 }
    this.left = blocks
  }

  hasRoom(bytes: number): boolean {
    return this.at + bytes <= this.bytes.length
  }

  /** Writes the whole blocks that there are and keeps the rest. */
  *flush(): Steps<void> {
    const blocks = Math.floor(this.at / BLOCK_SIZE)
    yield* this.write(blocks)
    this.bytes.copyWithin(0, blocks * BLOCK_SIZE, this.at)
    this.at -= blocks * BLOCK_SIZE
  }

  /** Writes what is left, with zeros to the end of its block. */
  *finish(): Steps<void> {
    const blocks = Math.ceil(this.at / BLOCK_SIZE)
    this.bytes.fill(0, this.at, blocks * BLOCK_SIZE)
    yield* this.write(blocks)
    this.at = 0
  }

  private *write(blocks: number): Steps<void> {
    if (blocks === 0) return
    if (blocks > this.left) {
      throw new IndexError(
        'VDO_INDEX_NO_SPACE',
        `Cannot save the index: ${blocks} blocks more are needed at block ${this.command.block}, ${this.left} are left`,
      )
    }
    this.command.count = blocks
    yield this.command
    this.command.block += blocks
    this.left -= blocks
  }

  u8(value: number): void {
    this.bytes[this.at++] = value
  }

  u16(value: number): void {
    writeU16(this.bytes, this.at, value)
    this.at += 2
  }

  u32(value: number): void {
    writeU32(this.bytes, this.at, value)
    this.at += 4
  }

  /** A number below 2^53. */
  u64(value: number): void {
    this.u32(value >>> 0)
    this.u32(Math.floor(value / 0x1_0000_0000))
  }

  mark(text: string): void {
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i))
  }
}

export class AreaReader {
  /** Where the user finds bytes: from `at` on, as many as it asked for. */
  readonly bytes = new Uint8Array(BUFFER_BLOCKS * BLOCK_SIZE)
  at = 0
  private end = 0
  private readonly command: StorageCommand

  constructor(
    block: number,
    private left: number,
    /** What a message calls the area. */
    private readonly name: string,
  ) {
    this.command = { op: StorageOp.Read, block, count: 0, bytes: this.bytes, at: 0 }
  }

  has(bytes: number): boolean {
    return this.at + bytes <= this.end
  }

  /** Reads on until there are `bytes` bytes. Throws if the area ends before. */
  *need(bytes: number): Steps<void> {
    assert(bytes <= MAX_AHEAD, 'no more is asked for than a buffer holds')
    if (this.has(bytes)) return
    this.bytes.copyWithin(0, this.at, this.end)
    this.end -= this.at
    this.at = 0
    const blocks = Math.min(this.left, Math.floor((this.bytes.length - this.end) / BLOCK_SIZE))
    if (blocks > 0) {
      this.command.at = this.end
      this.command.count = blocks
      yield this.command
      this.command.block += blocks
      this.left -= blocks
      this.end += blocks * BLOCK_SIZE
    }
    if (!this.has(bytes)) throw this.corrupt('it ends too early')
  }

  corrupt(found: string): Error {
    return indexCorrupt(this.name, found)
  }

  u8(): number {
    return this.bytes[this.at++]
  }

  u16(): number {
    return this.u8() | (this.u8() << 8)
  }

  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0
  }

  /** A chapter, or anything else that is far below 2^53. */
  u64(): number {
    const low = this.u32()
    return low + this.u32() * 0x1_0000_0000
  }

  isMark(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.u8() !== text.charCodeAt(i)) return false
    return true
  }
}

/** Lets others on the thread have their turn. */
export function* paused(): Steps<void> {
  yield { op: StorageOp.Pause, block: 0, count: 0, bytes: NOTHING, at: 0 }
}

/** Makes what was written before durable. */
export function* flushed(): Steps<void> {
  yield { op: StorageOp.Flush, block: 0, count: 0, bytes: NOTHING, at: 0 }
}

const NOTHING = new Uint8Array(0)

/** Reads one block. */
export function* readBlock(block: number): Steps<Uint8Array> {
  const bytes = new Uint8Array(BLOCK_SIZE)
  yield { op: StorageOp.Read, block, count: 1, bytes, at: 0 }
  return bytes
}

/** Writes one block. */
export function* writeBlock(block: number, bytes: Uint8Array): Steps<void> {
  assert(bytes.length === BLOCK_SIZE, 'a block is written whole')
  yield { op: StorageOp.Write, block, count: 1, bytes, at: 0 }
}
