/**
 * The kernel module: block-sized byte work that JavaScript does slowly, in place on the arena.
 *
 * It imports the one shared memory and owns none: every address is a byte offset into the arena, nothing is
 * allocated, no function keeps state, and so one compiled module serves every thread. Addresses may lie above
 * 2 GiB and a range may end where the address space does, so loops count down what is left instead of comparing
 * with an end that would wrap to 0.
 */

function scramble1(k: u64): u64 {
  return rotl<u64>(k * 0x87c37b91114253d5, 31) * 0x4cf5ad432745937f
}

function scramble2(k: u64): u64 {
  return rotl<u64>(k * 0x4cf5ad432745937f, 33) * 0x87c37b91114253d5
}

function avalanche(k: u64): u64 {
  k = (k ^ (k >> 33)) * 0xff51afd7ed558ccd
  k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53
  return k ^ (k >> 33)
}

/** MurmurHash3 x64-128 of `length` bytes at `at`. Both halves start from `seed`; 16 bytes go to `out`. */
export function murmur3(at: usize, length: u32, seed: u32, out: usize): void {
  let h1: u64 = seed
  let h2: u64 = seed
  let left = length
  while (left >= 16) {
    h1 = (rotl<u64>(h1 ^ scramble1(load<u64>(at)), 27) + h2) * 5 + 0x52dce729
    h2 = (rotl<u64>(h2 ^ scramble2(load<u64>(at, 8)), 31) + h1) * 5 + 0x38495ab5
    at += 16
    left -= 16
  }
  if (left > 0) {
    let k1: u64 = 0
    let k2: u64 = 0
    for (let i: u32 = 0; i < left; i++) {
      const byte: u64 = load<u8>(at + i)
      if (i < 8) k1 |= byte << (i * 8)
      else k2 |= byte << ((i - 8) * 8)
    }
    h2 ^= scramble2(k2)
    h1 ^= scramble1(k1)
  }
  h1 ^= length
  h2 ^= length
  h1 += h2
  h2 += h1
  h1 = avalanche(h1)
  h2 = avalanche(h2)
  h1 += h2
  h2 += h1
  store<u64>(out, h1)
  store<u64>(out, h2, 8)
}

/** Whether all of `length` bytes at `at` are zero. Data rarely begins with zeros, so it mostly ends at once. */
export function isZero(at: usize, length: u32): bool {
  let left = length
  if (left >= 8 && load<u64>(at) != 0) return false
  while (left >= 64) {
    const a = v128.or(v128.load(at), v128.load(at, 16))
    const b = v128.or(v128.load(at, 32), v128.load(at, 48))
    if (v128.any_true(v128.or(a, b))) return false
    at += 64
    left -= 64
  }
  while (left > 0) {
    if (load<u8>(at) != 0) return false
    at++
    left--
  }
  return true
}

/** Whether the `length` bytes at `a` and at `b` are the same. */
export function equal(a: usize, b: usize, length: u32): bool {
  let left = length
  while (left >= 64) {
    const d0 = v128.xor(v128.load(a), v128.load(b))
    const d1 = v128.xor(v128.load(a, 16), v128.load(b, 16))
    const d2 = v128.xor(v128.load(a, 32), v128.load(b, 32))
    const d3 = v128.xor(v128.load(a, 48), v128.load(b, 48))
    if (v128.any_true(v128.or(v128.or(d0, d1), v128.or(d2, d3)))) return false
    a += 64
    b += 64
    left -= 64
  }
  while (left > 0) {
    if (load<u8>(a) != load<u8>(b)) return false
    a++
    b++
    left--
  }
  return true
}

/** Copies `length` bytes; the ranges may overlap. */
export function copy(to: usize, from: usize, length: u32): void {
  memory.copy(to, from, length)
}

/** Sets `length` bytes to the low byte of `value`. */
export function fill(at: usize, value: u32, length: u32): void {
  memory.fill(at, value as u8, length)
}
