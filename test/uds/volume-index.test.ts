import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Insertion } from '../../src/uds/delta-index.js'
import { IndexGeometry } from '../../src/uds/geometry.js'
import { VolumeIndex } from '../../src/uds/volume-index.js'

/** 64 chapters of 1,024 records: three 64 KiB of memory, of which 8,236 bytes should stay free. */
const GEOMETRY = new IndexGeometry({
  recordPagesPerChapter: 1,
  baseChapters: 64,
  sparse: false,
  reduced: false,
})
const MAX_BITS = (3 * 65_536 - 8236) * 8
const BITS_PER_CHAPTER = 1024 * (6 + 12 + 1) + 512

const OPEN = 10
/** So many names have one key each, so that all but the first need 128 bits more than usual. */
const KEYS = 200

describe('a volume index', () => {
  /** Puts names into ten chapters until so many bits are used, or no more fit. How many came into each chapter. */
  function fill(index: VolumeIndex, limit: number): number[] {
    const prng = new Prng(81)
    const name = new Uint8Array(16)
    const counts: number[] = []
    for (let chapter = 0; chapter < OPEN; chapter++) {
      index.openChapter(chapter)
      expect(index.parts[0]!.low).to.equal(0)
      counts.push(0)
      const share = (limit * (chapter + 1)) / OPEN
      while (index.parts[0]!.lists.usedBits < share) {
        prng.fill(name)
        name.set(keyOf(prng.below(KEYS)))
        index.search(name, 0)
        if (index.put(chapter, name, 0) !== Insertion.Done) break
        counts[chapter]!++
      }
    }
    return counts
  }

  for (const [title, limit, chapters] of [
    ['a little too full gives one chapter up early, and once', MAX_BITS + 1, [1]],
    ['full gives up as many chapters as are too many, and once', 3 * 65_536 * 8, [3, 4]],
  ] as const) {
    it(`that is ${title}`, () => {
      const index = new VolumeIndex(GEOMETRY, 0, 1)
      const [part] = index.parts
      const counts = fill(index, limit)
      const { usedBits } = part!.lists
      index.openChapter(OPEN)
      expect(part!.low).to.equal(1 + Math.floor((usedBits - MAX_BITS) / BITS_PER_CHAPTER))
      expect(part!.low).to.be.oneOf([...chapters])
      expect(part!.earlyFlushes).to.equal(1)
      // What has ended goes when its list is next looked at.
      const name = new Uint8Array(16)
      for (let key = 0; key < KEYS; key++) {
        name.set(keyOf(key))
        index.search(name, 0)
      }
      const kept = counts.slice(part!.low).reduce((sum, count) => sum + count, 0)
      expect(index.entries).to.equal(kept)
      index.openChapter(OPEN + 1)
      expect([part!.low, part!.earlyFlushes]).to.deep.equal([0, 1])
    })
  }
})

/** The first half of a name: which list it is in, and where. */
function keyOf(key: number): Uint8Array {
  const half = new Uint8Array(8)
  new Prng(1000 + key).fill(half)
  return half
}
