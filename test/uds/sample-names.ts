/** The names that the samples of the small geometry were filled with, as their description has it. */
import { writeU64 } from '../../src/base/bytes.js'
import { RECORD_NAME_SEED } from '../../src/base/native.js'
import { murmur3 } from '../../src/uds/index-nonces.js'

/** Names that were asked for before: tests ask for the same ones again and again. */
const known: Record<number, Uint8Array> = {}

/**
 * Name number `i`: a hash of the number, some of whose parts are the neighbour's, so that names collide. It is the
 * same array each time, so it must stay as it is.
 */
export function sampleName(i: number): Uint8Array {
  return (known[i] ??= makeName(i))
}

function makeName(i: number): Uint8Array {
  const name = hashOf(i)
  if (i >= 10_000_000) {
    if ((i & 3) !== 0) {
      name[4] = 0
      name[5]! &= 0x7f
    }
    return name
  }
  const kind = i % 1000
  if (kind === 1 || kind === 5) name.set(hashOf(i - 1).subarray(0, 8))
  if (kind === 3 || kind === 5) name.set(hashOf(i - 1).subarray(8, 14), 8)
  return name
}

function hashOf(i: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeU64(bytes, 0, i)
  return murmur3(bytes, RECORD_NAME_SEED)
}
