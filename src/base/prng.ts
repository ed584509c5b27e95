/**
 * A seeded random number generator (sfc32): the only source of chance below the drivers and in tests. The same
 * seed gives the same numbers on every machine, so a run is told by its seed.
 */
import { assert } from './assert.js'

const TWO_32 = 0x1_0000_0000

export class Prng {
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** Any safe integer is a seed; near ones give unrelated streams. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), 'a seed is a safe integer')
    this.a = seed | 0
    this.b = Math.floor(seed / TWO_32) | 0
    this.c = 0x2545f491
    for (let round = 0; round < 15; round++) this.u32()
  }

  /** A number from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A whole number from 0 to `limit` - 1; `limit` is at most 2^53. */
  below(limit: number): number {
    assert(limit >= 1 && limit <= Number.MAX_SAFE_INTEGER + 1, 'a limit is from 1 to 2^53')
    if (limit <= TWO_32) return Math.floor((this.u32() / TWO_32) * limit)
    const high = this.u32() & 0x1fffff
    return (high * TWO_32 + this.u32()) % limit
  }

  /** A whole number from `first` to `last`, both possible. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  /** True with the given probability (0 to 1). */
  chance(probability: number): boolean {
    return this.u32() < probability * TWO_32
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'there is something to pick from')
    return items[this.below(items.length)]!
  }

  /** Fills `bytes` with noise that does not compress. */
  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.u32()
      bytes[at] = word
      bytes[at + 1] = word >>> 8
      bytes[at + 2] = word >>> 16
      bytes[at + 3] = word >>> 24
    }
  }

  /** A generator of its own for one purpose, so that drawing more here does not shift what is drawn there. */
  fork(): Prng {
    return new Prng(this.u32() * 0x20_0000 + (this.u32() >>> 11))
  }
}
