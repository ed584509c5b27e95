/**
 * Bits of delta lists, in place and without allocating: how one entry is written, read, compared and moved.
 *
 * Bit 0 is the lowest bit of byte 0, bit 8 the lowest of byte 1; a field stores its lowest bit first. A place is a
 * byte `at` in an array and a count of bits from there (below 2^31), so that arrays may have any size.
 *
 * An entry of a delta list, in this order:
 *
 * | bits        | content                                                                        |
 * |-------------|--------------------------------------------------------------------------------|
 * | payloadBits | payload: a chapter modulo 2^payloadBits, or a record page                      |
 * | variable    | delta code: the key less the key before (0 before the first entry)             |
 * | 128         | only behind a delta of 0 that does not open its list: a name, byte 0 first     |
 *
 * An entry of the last kind is a collision: it has the key of the entry before it and is told apart by its name.
 *
 * The delta code is near the ideal for deltas that are spread geometrically: those below `minKeys` take `minBits`
 * bits; of the others, one of `incrKeys` codes of `minBits` bits is followed by a 1 behind as many zeros as whole
 * `incrKeys` were taken off. A delta has exactly one code, so the length follows from the value.
 *
 * A reader that is given an `end` looks at no bit behind it, but it may load up to 4 bytes behind the last one: the
 * array has `GUARD_BYTES` there.
 */
import { assert } from '../base/assert.js'
import { deltaSpan, shortestDeltaBits } from '../format/delta-sizes.js'

/** Bytes behind the last list of an array that readers may load. Their content is not looked at. */
export const GUARD_BYTES = 7

/** The limit of a list: its size is stored in 16 bits. */
export const MAX_LIST_BITS = 65535

export const NAME_BYTES = 16
/** What a collision has beside payload and code. */
export const NAME_BITS = 8 * NAME_BYTES

/** What `readDelta` says of bits that are no code, or one that does not end in its list. */
export const NO_DELTA = -1

/** How the entries of an index are coded. */
export interface DeltaCoding {
  readonly payloadBits: number
  readonly minBits: number
  readonly minKeys: number
  readonly incrKeys: number
}

/** The coding for keys that are `meanDelta` apart on average. */
export function deltaCoding(meanDelta: number, payloadBits: number): DeltaCoding {
  const incrKeys = deltaSpan(meanDelta)
  const minBits = shortestDeltaBits(meanDelta)
  assert(minBits <= 24 && payloadBits <= 25, 'a field of an entry is loaded in one word')
  return { payloadBits, minBits, minKeys: 2 ** minBits - incrKeys, incrKeys }
}

/** Bits of the code of a delta. */
export function deltaLength(coding: DeltaCoding, delta: number): number {
  if (delta < coding.minKeys) return coding.minBits
  return coding.minBits + Math.floor((delta - coding.minKeys) / coding.incrKeys) + 1
}

/** The delta whose code begins at `bit`, or `NO_DELTA` if none ends at or before bit `end`. */
export function readDelta(
  coding: DeltaCoding,
  bytes: Uint8Array,
  at: number,
  bit: number,
  end: number,
): number {
  const { minBits, minKeys } = coding
  let place = bit + minBits
  if (place > end) return NO_DELTA
  const start = readBits(bytes, at, bit, minBits)
  if (start < minKeys) return start
  let zeros = 0
  for (;;) {
    const window = readBits(bytes, at, place, 25)
    if (window !== 0) {
      const run = 31 - Math.clz32(window & -window)
      return place + run < end ? start + (zeros + run) * coding.incrKeys : NO_DELTA
    }
    zeros += 25
    place += 25
    if (place >= end) return NO_DELTA
  }
}

/** Writes the code of a delta and gives its length. */
export function writeDelta(
  coding: DeltaCoding,
  bytes: Uint8Array,
  at: number,
  bit: number,
  delta: number,
): number {
  const { minBits, minKeys, incrKeys } = coding
  if (delta < minKeys) {
    writeBits(bytes, at, bit, minBits, delta)
    return minBits
  }
  const rest = delta - minKeys
  let zeros = Math.floor(rest / incrKeys)
  const length = minBits + zeros + 1
  writeBits(bytes, at, bit, minBits, minKeys + (rest - zeros * incrKeys))
  let place = bit + minBits
  for (; zeros > 24; zeros -= 24, place += 24) writeBits(bytes, at, place, 24, 0)
  writeBits(bytes, at, place, zeros + 1, 1 << zeros)
  return length
}

/** A field of 1 to 25 bits. */
export function readBits(bytes: Uint8Array, at: number, bit: number, count: number): number {
  const byte = at + (bit >>> 3)
  const word = bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | (bytes[byte + 3] << 24)
  return (word >>> (bit & 7)) & ((1 << count) - 1)
}

/** Writes a field of at most 32 bits, and touches no other bit. */
export function writeBits(bytes: Uint8Array, at: number, bit: number, count: number, value: number): void {
  let byte = at + (bit >>> 3)
  let shift = bit & 7
  let left = count
  let rest = value
  while (left > 0) {
    const taken = Math.min(8 - shift, left)
    const mask = ((1 << taken) - 1) << shift
    bytes[byte] = (bytes[byte] & ~mask) | ((rest << shift) & mask)
    rest >>>= taken
    left -= taken
    shift = 0
    byte++
  }
}

/** Whether the name at a bit is the one whose 16 bytes are at `nameAt` of `names`. */
export function equalsName(
  bytes: Uint8Array,
  at: number,
  bit: number,
  names: Uint8Array,
  nameAt: number,
): boolean {
  const byte = at + (bit >>> 3)
  const shift = bit & 7
  for (let i = 0; i < NAME_BYTES; i++) {
    const found = ((bytes[byte + i] | (bytes[byte + i + 1] << 8)) >>> shift) & 0xff
    if (found !== names[nameAt + i]) return false
  }
  return true
}

/** Copies `count` bits, and touches no other bit. The ranges may overlap within one array. */
export function copyBits(
  to: Uint8Array,
  toAt: number,
  toBit: number,
  from: Uint8Array,
  fromAt: number,
  fromBit: number,
  count: number,
): void {
  if (count <= 0) return
  const target = toAt + (toBit >>> 3)
  const source = fromAt + (fromBit >>> 3)
  const phase = toBit & 7
  const turn = (fromBit & 7) - phase
  if (turn === 0) copyInPhase(to, target, from, source, phase, count)
  // Target byte j is made of the source bytes `base + j` and the one behind it, turned by 1 to 7 bits.
  else if (turn > 0) copyTurned(to, target, phase, from, source, turn, count)
  else copyTurned(to, target, phase, from, source - 1, turn + 8, count)
}

/** Whole bytes between two edges. The edges are taken before anything is written, so that ranges may overlap. */
function copyInPhase(
  to: Uint8Array,
  target: number,
  from: Uint8Array,
  source: number,
  phase: number,
  count: number,
): void {
  const end = phase + count
  const first = from[source]
  if (end <= 8) return mergeByte(to, target, ((1 << count) - 1) << phase, first)
  const whole = end >>> 3
  const tail = end & 7
  const last = tail === 0 ? 0 : from[source + whole]
  if (to === from) to.copyWithin(target + 1, source + 1, source + whole)
  else for (let i = 1; i < whole; i++) to[target + i] = from[source + i]
  mergeByte(to, target, 0xff << phase, first)
  if (tail !== 0) mergeByte(to, target + whole, (1 << tail) - 1, last)
}

/** A byte that was read is kept until both target bytes have it, so a target byte may be where it was. */
function copyTurned(
  to: Uint8Array,
  target: number,
  phase: number,
  from: Uint8Array,
  base: number,
  turn: number,
  count: number,
): void {
  const last = (phase + count - 1) >>> 3
  const tail = (phase + count) & 7
  const firstMask = 0xff << phase
  const lastMask = tail === 0 ? 0xff : (1 << tail) - 1
  const back = 8 - turn
  // Only the edges reach for bytes that none of the range may be in; there the array may have ended.
  if (last === 0) {
    const value = (byteOrZero(from, base) >>> turn) | (byteOrZero(from, base + 1) << back)
    return mergeByte(to, target, firstMask & lastMask, value)
  }
  if (target <= base) {
    let high = from[base + 1]
    mergeByte(to, target, firstMask, (byteOrZero(from, base) >>> turn) | (high << back))
    for (let j = 1; j < last; j++) {
      const low = high
      high = from[base + j + 1]
      to[target + j] = (low >>> turn) | (high << back)
    }
    mergeByte(to, target + last, lastMask, (high >>> turn) | (byteOrZero(from, base + last + 1) << back))
    return
  }
  let low = from[base + last]
  mergeByte(to, target + last, lastMask, (low >>> turn) | (byteOrZero(from, base + last + 1) << back))
  for (let j = last - 1; j > 0; j--) {
    const high = low
    low = from[base + j]
    to[target + j] = (low >>> turn) | (high << back)
  }
  mergeByte(to, target, firstMask, (byteOrZero(from, base) >>> turn) | (low << back))
}

function mergeByte(bytes: Uint8Array, byte: number, mask: number, value: number): void {
  bytes[byte] = (bytes[byte] & ~mask) | (value & mask)
}

function byteOrZero(bytes: Uint8Array, byte: number): number {
  return byte >= 0 && byte < bytes.length ? bytes[byte] : 0
}
