/** A native whose record names have few bits: unequal blocks share names all the time, and nothing may come of it. */
import { type Native, RECORD_NAME_BYTES } from '../base/native.js'

export class WeakNames implements Native {
  constructor(
    private readonly native: Native,
    private readonly arena: Uint8Array,
    private readonly bits: number,
  ) {}

  recordName(at: number, out: number): void {
    this.native.recordName(at, out)
    this.arena[out] &= (1 << this.bits) - 1
    this.arena.fill(0, out + 1, out + RECORD_NAME_BYTES)
  }

  crc32(bytes: Uint8Array, seed?: number): number {
    return this.native.crc32(bytes, seed)
  }

  isZero(at: number, length: number): boolean {
    return this.native.isZero(at, length)
  }

  equal(a: number, b: number, length: number): boolean {
    return this.native.equal(a, b, length)
  }

  copy(to: number, from: number, length: number): void {
    this.native.copy(to, from, length)
  }

  fill(at: number, value: number, length: number): void {
    this.native.fill(at, value, length)
  }

  compress(from: number, to: number, capacity: number): number {
    return this.native.compress(from, to, capacity)
  }

  decompress(from: number, size: number, to: number): boolean {
    return this.native.decompress(from, size, to)
  }
}
