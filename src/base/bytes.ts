/**
 * Little-endian integers in bytes, without allocating: the hot codecs use these over shared memory, where a
 * DataView per block would be garbage. A 64-bit number is read as a `number` and must be below 2^53; a value
 * that uses all 64 bits (a nonce) is two 32-bit words, or a bigint off the hot path.
 */

const TWO_32 = 0x1_0000_0000

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8)
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function readU24(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16)
}

export function writeU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function readU48(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU16(bytes, at + 4) * TWO_32
}

export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0)
  writeU16(bytes, at + 4, Math.floor(value / TWO_32))
}

/**
 * A 64-bit value as a number. Above 2^53 the result is rounded: a reader of untrusted bytes compares it with its
 * bound (every bound here is far below 2^53, and rounding never brings a larger value below one).
 */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * TWO_32
}

/** Writes an integer from 0 to 2^53 - 1. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0)
  writeU32(bytes, at + 4, Math.floor(value / TWO_32))
}

/** All 64 bits. Allocates: for nonces in cold structures. */
export function readBig64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at + 4)) << 32n) | BigInt(readU32(bytes, at))
}

export function writeBig64(bytes: Uint8Array, at: number, value: bigint): void {
  writeU32(bytes, at, lowWord(value))
  writeU32(bytes, at + 4, highWord(value))
}

/** The low 32 bits of a 64-bit value: with `highWord`, how a nonce travels on hot paths. */
export function lowWord(value: bigint): number {
  return Number(value & 0xffff_ffffn)
}

export function highWord(value: bigint): number {
  return Number((value >> 32n) & 0xffff_ffffn)
}

/** Whether the 64-bit value at `at` is the one made of these two words, both unsigned. */
export function equalsWords(bytes: Uint8Array, at: number, low: number, high: number): boolean {
  return readU32(bytes, at) === low && readU32(bytes, at + 4) === high
}

/** Whether `size` bytes from `at` are all zero. */
export function isZero(bytes: Uint8Array, at: number, size: number): boolean {
  const end = at + size
  for (let i = at; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/** Lower-case hex digits, two a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The bytes that hex digits stand for, or undefined when the text is not an even count of hex digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
