/**
 * Big-endian integers in bytes, as network protocols carry them, without allocating. A 64-bit number is read as a
 * `number`: above 2^53 it is rounded, which never brings a value below a bound that is itself below 2^53.
 */

const TWO_32 = 0x1_0000_0000

export function readU16Be(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

export function writeU16Be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function readU32Be(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

export function writeU32Be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function readU64Be(bytes: Uint8Array, at: number): number {
  return readU32Be(bytes, at) * TWO_32 + readU32Be(bytes, at + 4)
}

/** Writes an integer from 0 to 2^53 - 1. */
export function writeU64Be(bytes: Uint8Array, at: number, value: number): void {
  writeU32Be(bytes, at, Math.floor(value / TWO_32))
  writeU32Be(bytes, at + 4, value >>> 0)
}
