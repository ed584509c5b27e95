import { expect } from 'chai'
import fc from 'fast-check'
import { VdoError } from '../../src/base/errors.js'
import { readVolumeHead } from '../../src/host/read-volume.js'
import { formatInMemory } from './memory-volume.js'

const BLOCK = 4096
const SEED = 20_261_126

describe('the head of a volume', () => {
  const { segments, superBlockPbn } = formatInMemory()
  const bytes = new Uint8Array(segments[0])
  /** What is encoded; the rest of each block means nothing. */
  const GEOMETRY_BYTES = 101
  const SUPER_BLOCK_BYTES = 438

  /** Reads the volume with bits turned over, or cut off. */
  function read(turned: ReadonlyMap<number, number>, sizeBytes = bytes.length) {
    return readVolumeHead('Cannot open', {
      name: 'it',
      sizeBytes,
      read: (at, size) => {
        const copy = new Uint8Array(size)
        copy.set(bytes.subarray(at, Math.min(at + size, sizeBytes)))
        for (const [place, bits] of turned) {
          if (place >= at && place < at + size) copy[place - at] ^= bits
        }
        return copy
      },
    })
  }

  function refusal(attempt: () => unknown): string {
    try {
      attempt()
    } catch (error) {
      if (error instanceof VdoError) return error.message
      throw error
    }
    return ''
  }

  it('is refused in one line that names the store, whichever bit of it is turned over', () => {
    expect(read(new Map()).superBlockPbn).to.equal(superBlockPbn)
    const starts: readonly (readonly [number, number])[] = [
      [0, GEOMETRY_BYTES],
      [superBlockPbn * BLOCK, SUPER_BLOCK_BYTES],
    ]
    for (const [start, length] of starts) {
      for (let at = start; at < start + length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const message = refusal(() => read(new Map([[at, 1 << bit]])))
          expect(message, `bit ${bit} of byte ${at}`).to.match(/^Cannot open it: [^\n]+$/)
        }
      }
    }
  })

  it('is refused or read, never worse, with any bytes turned over', () => {
    const place = fc.oneof(
      fc.nat(600),
      fc.nat(600).map((at) => superBlockPbn * BLOCK + at),
    )
    const turned = fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { maxLength: 40 })
    fc.assert(
      fc.property(turned, (pairs) => {
        refusal(() => read(new Map(pairs)))
      }),
      { seed: SEED, numRuns: 2000 },
    )
  })

  it('is refused on a store that ends too early, wherever that is', () => {
    for (let size = 0; size < bytes.length; size += 1_000_003) {
      expect(refusal(() => read(new Map(), size))).to.match(
        /^Cannot open it: it has \d+ blocks of 4096 bytes/,
      )
    }
  })
})
