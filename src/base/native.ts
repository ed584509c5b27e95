/**
 * What the drivers hand in: byte work that plain JavaScript does slowly or not at all.
 *
 * Nothing below the drivers knows where it comes from. Each thread has a `Native` of its own over the one shared
 * memory; a call completes before it returns and keeps nothing. Every address is a byte offset into the arena,
 * and the caller owns the ranges that it names for as long as the call lasts.
 */

export interface Native {
  /** The zlib CRC-32 of `bytes`, going on from `seed`. */
  crc32(bytes: Uint8Array, seed?: number): number
  /** Stores the 16-byte record name (MurmurHash3 x64-128, VDO's seed) of the 4096 bytes at `at` at `out`. */
  recordName(at: number, out: number): void
  isZero(at: number, length: number): boolean
  equal(a: number, b: number, length: number): boolean
  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: number, from: number, length: number): void
  /** Sets `length` bytes to `value` (a byte). */
  fill(at: number, value: number, length: number): void
  /**
   * Compresses the 4096 bytes at `from` into one raw LZ4 block at `to`: no frame, no size prefix. Returns its
   * size, or 0, with nothing written, when it does not fit `capacity`.
   */
  compress(from: number, to: number, capacity: number): number
  /**
   * Expands the raw LZ4 block of `size` bytes at `from`. Returns true only if it gives exactly 4096 bytes, which
   * are then at `to`; otherwise nothing is written. Never allocates what the input claims to hold.
   */
  decompress(from: number, size: number, to: number): boolean
}

/** The seed of MurmurHash3 with which VDO names blocks. */
export const RECORD_NAME_SEED = 0x62ea60be

/** Bytes of a record name. */
export const RECORD_NAME_BYTES = 16
