/**
 * The nonces of an index: hashes that tie its parts together, since nothing in it has a checksum.
 *
 * | nonce   | hash of                                                    | starts from        | guards               |
 * |---------|------------------------------------------------------------|--------------------|----------------------|
 * | primary | 12 bytes of time and chance, repeated to 32                | 0xa1b1e0fc         | the super block      |
 * | volume  | first block of the index (8), zeros (8)                    | primary nonce + 1  | chapters and saves   |
 * | save    | time in ms (8), 0 (8), version 1 (4), 0 (4), first block   | volume nonce + 1   | the header of a save |
 *
 * An index that is made anew has new ones, so what an older one left in the same place is not taken for its own.
 * All of this is off the hot path, so it is reckoned in bigints.
 */
import { assert } from '../base/assert.js'
import { readBig64, writeBig64, writeU32, writeU64 } from '../base/bytes.js'

const NONCE_INFO_BYTES = 32
const PRIMARY_START = 0xa1b1_e0fcn
const SAVE_VERSION = 1

/** What a new index's nonces are made of: the time in nanoseconds since 1970, and 32 bits of chance. */
export function nonceInfoOf(nanoseconds: bigint, chance: number): Uint8Array {
  const once = new Uint8Array(12)
  writeBig64(once, 0, nanoseconds)
  writeU32(once, 8, chance)
  return Uint8Array.from({ length: NONCE_INFO_BYTES }, (_, i) => once[i % once.length]!)
}

export function primaryNonce(nonceInfo: Uint8Array): bigint {
  assert(nonceInfo.length === NONCE_INFO_BYTES, 'what nonces are made of has 32 bytes')
  return hash(PRIMARY_START, nonceInfo)
}

/** The nonce of the volume of chapters. `indexStart` is the first block of the region that holds it. */
export function volumeNonceOf(primary: bigint, indexStart: number): bigint {
  const bytes = new Uint8Array(16)
  writeU64(bytes, 0, indexStart)
  const nonce = hash(primary + 1n, bytes)
  return nonce === 0n ? hash(1n - primary, bytes) : nonce
}

export function saveNonceOf(volumeNonce: bigint, time: bigint, slotStart: number): bigint {
  const bytes = new Uint8Array(32)
  writeBig64(bytes, 0, time)
  writeU32(bytes, 16, SAVE_VERSION)
  writeU64(bytes, 24, slotStart)
  return hash(volumeNonce + 1n, bytes)
}

/** 64 bits from the middle of a MurmurHash3 whose seed is folded from 64 bits. */
function hash(start: bigint, bytes: Uint8Array): bigint {
  const whole = BigInt.asUintN(64, start)
  const seed = Number(BigInt.asUintN(32, whole ^ (whole >> 27n)))
  return readBig64(murmur3(bytes, seed), 4)
}

const C1 = 0x87c3_7b91_1142_53d5n
const C2 = 0x4cf5_ad43_2745_937fn

/** MurmurHash3 x64-128, for a few bytes; the kernel module does the same for blocks. */
export function murmur3(bytes: Uint8Array, seed: number): Uint8Array {
  let h1 = BigInt(seed)
  let h2 = h1
  const whole = bytes.length - (bytes.length % 16)
  for (let at = 0; at < whole; at += 16) {
    h1 = word((rotate(h1 ^ scramble1(readBig64(bytes, at)), 27n) + h2) * 5n + 0x52dc_e729n)
    h2 = word((rotate(h2 ^ scramble2(readBig64(bytes, at + 8)), 31n) + h1) * 5n + 0x3849_5ab5n)
  }
  const rest = new Uint8Array(16)
  rest.set(bytes.subarray(whole))
  h1 ^= scramble1(readBig64(rest, 0)) ^ BigInt(bytes.length)
  h2 ^= scramble2(readBig64(rest, 8)) ^ BigInt(bytes.length)
  h1 = word(h1 + h2)
  h2 = word(h2 + h1)
  h1 = avalanche(h1)
  h2 = avalanche(h2)
  h1 = word(h1 + h2)
  h2 = word(h2 + h1)
  const digest = new Uint8Array(16)
  writeBig64(digest, 0, h1)
  writeBig64(digest, 8, h2)
  return digest
}

function word(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}

function rotate(value: bigint, by: bigint): bigint {
  return word(value << by) | (value >> (64n - by))
}

function scramble1(k: bigint): bigint {
  return word(rotate(word(k * C1), 31n) * C2)
}

function scramble2(k: bigint): bigint {
  return word(rotate(word(k * C2), 33n) * C1)
}

function avalanche(k: bigint): bigint {
  k = word((k ^ (k >> 33n)) * 0xff51_afd7_ed55_8ccdn)
  k = word((k ^ (k >> 33n)) * 0xc4ce_b9fe_1a85_ec53n)
  return k ^ (k >> 33n)
}
