/** What is done with the 4096 bytes of a block: compared, named, copied, packed. */
import { assert } from '../src/base/assert.js'
import { Prng } from '../src/base/prng.js'
import { BLOCK_SIZE } from '../src/format/constants.js'
import type { memoryLender } from '../src/host/lend-memory.js'
import type { Part } from './slices.js'

/** Blocks that parts walk over: 4 MiB, more than a core's own caches keep. */
const BLOCKS = 1024
/** What compresses just well enough for two fragments in a block. */
const RANDOM_BYTES = 1900

export function blockWork(lend: Awaited<ReturnType<typeof memoryLender>>): Part[] {
  const { buffer, native } = lend((2 * BLOCKS + 8) * BLOCK_SIZE)
  const bytes = new Uint8Array(buffer)
  const copies = BLOCKS * BLOCK_SIZE
  const random = 2 * copies
  const half = random + BLOCK_SIZE
  const zeros = half + BLOCK_SIZE
  const fragment = zeros + BLOCK_SIZE
  const out = fragment + BLOCK_SIZE
  const prng = new Prng(1)
  for (let at = 0; at < half; at++) bytes[at] = prng.below(256)
  bytes.copyWithin(copies, 0, copies)
  bytes.copyWithin(half, random, random + RANDOM_BYTES)
  bytes.fill(0, half + RANDOM_BYTES, zeros + BLOCK_SIZE)
  const page = bytes.subarray(random, random + BLOCK_SIZE)
  const size = native.compress(half, fragment, BLOCK_SIZE)

  const over = (name: string, work: (at: number) => void, check?: () => void): Part => ({
    name,
    run(times) {
      for (let i = 0; i < times; i++) work((i % BLOCKS) * BLOCK_SIZE)
    },
    ...(check !== undefined && { check }),
  })
  const must = (truth: boolean) => assert(truth, 'a part does what it is measured for')

  return [
    over('copy a block', (at) => native.copy(copies + at, at, BLOCK_SIZE)),
    over('look whether a block of zeros is one', () => native.isZero(zeros, BLOCK_SIZE)),
    over('look whether a random block is zero', (at) => native.isZero(at, BLOCK_SIZE)),
    over('compare two equal blocks', (at) => native.equal(at, copies + at, BLOCK_SIZE)),
    over('name a block (MurmurHash3 x64-128)', (at) => native.recordName(at, out)),
    over(
      'try to compress a random block (LZ4)',
      (at) => native.compress(at, out, BLOCK_SIZE - 1),
      () => must(native.compress(0, out, BLOCK_SIZE - 1) === 0),
    ),
    over(
      'compress a 2:1 block (LZ4)',
      () => native.compress(half, out, BLOCK_SIZE),
      () => must(size > 0 && size < BLOCK_SIZE / 2),
    ),
    over(
      'expand a 2:1 block (LZ4)',
      () => native.decompress(fragment, size, out),
      () => must(native.decompress(fragment, size, out) && native.equal(out, half, BLOCK_SIZE)),
    ),
    over('check a metadata page (CRC-32)', () => native.crc32(page)),
  ]
}
