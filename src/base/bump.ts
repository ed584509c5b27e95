/**
 * Lays typed columns into one shared buffer, one after another. Every thread lays the same columns in the same
 * order over the same memory and so finds the same places. Without a buffer it only counts, which is how the
 * arena's size is known before there is an arena.
 */
import { assert } from './assert.js'

/** Columns start on a line of their own, so that two owners do not share one. */
const LINE_BYTES = 64

export class Bump {
  private position: number

  /** `start` leaves room at the front (the kernel module keeps its statics there). */
  constructor(
    private readonly buffer: ArrayBufferLike | null,
    start: number,
  ) {
    this.position = start
  }

  /** Bytes taken so far. */
  get bytes(): number {
    return this.position
  }

  int32(length: number): Int32Array {
    const at = this.take(length * 4)
    return this.buffer === null ? new Int32Array(0) : new Int32Array(this.buffer, at, length)
  }

  uint32(length: number): Uint32Array {
    const at = this.take(length * 4)
    return this.buffer === null ? new Uint32Array(0) : new Uint32Array(this.buffer, at, length)
  }

  uint8(length: number): Uint8Array {
    const at = this.take(length)
    return this.buffer === null ? new Uint8Array(0) : new Uint8Array(this.buffer, at, length)
  }

  float64(length: number): Float64Array {
    const at = this.take(length * 8)
    return this.buffer === null ? new Float64Array(0) : new Float64Array(this.buffer, at, length)
  }

  /** Room for `count` blocks of `size` bytes, aligned to a page of the machine; gives the offset of the first. */
  blocks(count: number, size: number): number {
    this.position = Math.ceil(this.position / 4096) * 4096
    return this.take(count * size)
  }

  private take(bytes: number): number {
    const at = Math.ceil(this.position / LINE_BYTES) * LINE_BYTES
    this.position = at + bytes
    assert(this.buffer === null || this.position <= this.buffer.byteLength, 'a column fits the arena')
    return at
  }
}

/** Lays something out in memory of its own, of just the size that it takes. */
export function layOut<T>(
  lay: (bump: Bump) => T,
  allocate: (bytes: number) => ArrayBufferLike = (bytes) => new ArrayBuffer(bytes),
): T {
  const counted = new Bump(null, 0)
  lay(counted)
  return lay(new Bump(allocate(counted.bytes), 0))
}
