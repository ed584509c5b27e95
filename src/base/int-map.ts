/**
 * Hash maps from integers to rows, in typed arrays: open addressing, linear probing, removal by shifting the rest
 * of a run back, so that no tombstone is ever left. They grow by doubling when three quarters full; a map made for
 * the most it will hold never allocates again. One zone owns each.
 *
 * `IntMap` takes keys from 0 to 2^53 - 1, `PairMap` keys of two 32-bit words. Values are 32-bit integers other
 * than `NONE`, which is what a missing key reads as.
 */
import { assert } from './assert.js'

/** The value of a key that is not there. */
export const NONE = -1

const TWO_32 = 0x1_0000_0000
const MIN_SLOTS = 16

/** The smallest power of two that holds `entries` at three quarters full. */
function slotsFor(entries: number): number {
  let slots = MIN_SLOTS
  while (slots * 3 < entries * 4) slots *= 2
  return slots
}

/** Spreads a key's two words over 32 bits, the low ones included. */
function mix(low: number, high: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}

export class IntMap {
  private keys: Float64Array
  private values: Int32Array
  private mask: number
  private used = 0

  /** Room for `entries` before the map first grows. */
  constructor(entries = 0) {
    const slots = slotsFor(entries)
    this.keys = new Float64Array(slots)
    this.values = new Int32Array(slots).fill(NONE)
    this.mask = slots - 1
  }

  get size(): number {
    return this.used
  }

  /** The value of `key`, or `NONE`. */
  get(key: number): number {
    const { keys, values, mask } = this
    let slot = this.home(key)
    for (;;) {
      const value = values[slot]!
      if (value === NONE || keys[slot] === key) return value
      slot = (slot + 1) & mask
    }
  }

  has(key: number): boolean {
    return this.get(key) !== NONE
  }

  /** Sets the value of `key`. Returns the value that it replaces, or `NONE`. */
  put(key: number, value: number): number {
    assert(key >= 0 && key <= Number.MAX_SAFE_INTEGER, 'a key is from 0 to 2^53 - 1')
    assert(value !== NONE && value === (value | 0), 'a value is a 32-bit integer other than NONE')
    const { keys, values, mask } = this
    let slot = this.home(key)
    for (;;) {
      const old = values[slot]!
      if (old === NONE) break
      if (keys[slot] === key) {
        values[slot] = value
        return old
      }
      slot = (slot + 1) & mask
    }
    keys[slot] = key
    values[slot] = value
    this.used++
    if (this.used * 4 > (mask + 1) * 3) this.grow()
    return NONE
  }

  /** Forgets `key`. Returns the value that it had, or `NONE`. */
  remove(key: number): number {
    const { keys, values, mask } = this
    let slot = this.home(key)
    let value = values[slot]!
    while (value !== NONE && keys[slot] !== key) {
      slot = (slot + 1) & mask
      value = values[slot]!
    }
    if (value === NONE) return NONE
    this.used--
    let hole = slot
    for (;;) {
      slot = (slot + 1) & mask
      if (values[slot] === NONE) break
      // An entry may fill the hole unless its home lies after the hole, on the way to where it stands.
      const distance = (slot - this.home(keys[slot]!)) & mask
      if (distance >= ((slot - hole) & mask)) {
        keys[hole] = keys[slot]!
        values[hole] = values[slot]!
        hole = slot
      }
    }
    values[hole] = NONE
    return value
  }

  clear(): void {
    this.values.fill(NONE)
    this.used = 0
  }

  /** Visits every entry, in no order that means anything. The map must not change meanwhile. */
  forEach(visit: (key: number, value: number) => void): void {
    const { keys, values } = this
    for (let slot = 0; slot < values.length; slot++) {
      if (values[slot] !== NONE) visit(keys[slot]!, values[slot]!)
    }
  }

  private home(key: number): number {
    return mix(key | 0, (key / TWO_32) | 0) & this.mask
  }

  private grow(): void {
    const { keys, values } = this
    const slots = values.length * 2
    this.keys = new Float64Array(slots)
    this.values = new Int32Array(slots).fill(NONE)
    this.mask = slots - 1
    for (let from = 0; from < values.length; from++) {
      const value = values[from]!
      if (value === NONE) continue
      let slot = this.home(keys[from]!)
      while (this.values[slot] !== NONE) slot = (slot + 1) & this.mask
      this.keys[slot] = keys[from]!
      this.values[slot] = value
    }
  }
}

export class PairMap {
  private lows: Int32Array
  private highs: Int32Array
  private values: Int32Array
  private mask: number
  private used = 0

  /** Room for `entries` before the map first grows. */
  constructor(entries = 0) {
    const slots = slotsFor(entries)
    this.lows = new Int32Array(slots)
    this.highs = new Int32Array(slots)
    this.values = new Int32Array(slots).fill(NONE)
    this.mask = slots - 1
  }

  get size(): number {
    return this.used
  }

  /** The value of the key (low, high), or `NONE`. A word may be given signed or unsigned. */
  get(low: number, high: number): number {
    const { lows, highs, values, mask } = this
    const low32 = low | 0
    const high32 = high | 0
    let slot = mix(low32, high32) & mask
    for (;;) {
      const value = values[slot]!
      if (value === NONE || (lows[slot] === low32 && highs[slot] === high32)) return value
      slot = (slot + 1) & mask
    }
  }

  has(low: number, high: number): boolean {
    return this.get(low, high) !== NONE
  }

  /** Sets the value of a key. Returns the value that it replaces, or `NONE`. */
  put(low: number, high: number, value: number): number {
    assert(value !== NONE && value === (value | 0), 'a value is a 32-bit integer other than NONE')
    const { lows, highs, values, mask } = this
    const low32 = low | 0
    const high32 = high | 0
    let slot = mix(low32, high32) & mask
    for (;;) {
      const old = values[slot]!
      if (old === NONE) break
      if (lows[slot] === low32 && highs[slot] === high32) {
        values[slot] = value
        return old
      }
      slot = (slot + 1) & mask
    }
    lows[slot] = low32
    highs[slot] = high32
    values[slot] = value
    this.used++
    if (this.used * 4 > (mask + 1) * 3) this.grow()
    return NONE
  }

  /** Forgets a key. Returns the value that it had, or `NONE`. */
  remove(low: number, high: number): number {
    const { lows, highs, values, mask } = this
    const low32 = low | 0
    const high32 = high | 0
    let slot = mix(low32, high32) & mask
    let value = values[slot]!
    while (value !== NONE && (lows[slot] !== low32 || highs[slot] !== high32)) {
      slot = (slot + 1) & mask
      value = values[slot]!
    }
    if (value === NONE) return NONE
    this.used--
    let hole = slot
    for (;;) {
      slot = (slot + 1) & mask
      if (values[slot] === NONE) break
      const distance = (slot - mix(lows[slot]!, highs[slot]!)) & mask
      if (distance >= ((slot - hole) & mask)) {
        lows[hole] = lows[slot]!
        highs[hole] = highs[slot]!
        values[hole] = values[slot]!
        hole = slot
      }
    }
    values[hole] = NONE
    return value
  }

  clear(): void {
    this.values.fill(NONE)
    this.used = 0
  }

  /** Visits every entry, words unsigned, in no order that means anything. The map must not change meanwhile. */
  forEach(visit: (low: number, high: number, value: number) => void): void {
    const { lows, highs, values } = this
    for (let slot = 0; slot < values.length; slot++) {
      if (values[slot] !== NONE) visit(lows[slot]! >>> 0, highs[slot]! >>> 0, values[slot]!)
    }
  }

  private grow(): void {
    const { lows, highs, values } = this
    const slots = values.length * 2
    this.lows = new Int32Array(slots)
    this.highs = new Int32Array(slots)
    this.values = new Int32Array(slots).fill(NONE)
    this.mask = slots - 1
    for (let from = 0; from < values.length; from++) {
      const value = values[from]!
      if (value === NONE) continue
      let slot = mix(lows[from]!, highs[from]!) & this.mask
      while (this.values[slot] !== NONE) slot = (slot + 1) & this.mask
      this.lows[slot] = lows[from]!
      this.highs[slot] = highs[from]!
      this.values[slot] = value
    }
  }
}
