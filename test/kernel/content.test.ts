/** The judges' workload, tried on a plain file: what it says must be readable is what was written. */

import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import { withTempDir } from '../tools.js'
import { BlockSource, contentBlock, fill, Mirror, sha256 } from './content.js'

const MIB = 2 ** 20
const REGIONS = [
  { offset: 0, length: 12 * MIB },
  { offset: 60 * MIB, length: 4 * MIB },
]

describe('the workload of the judges', function () {
  this.timeout(20_000)

  it('leaves a target and the mirror alike, whatever the order within a wave', async () => {
    await withTempDir(async (folder) => {
      const mirror = new Mirror(join(folder, 'mirror'), 64 * MIB)
      const target = new Mirror(join(folder, 'target'), 64 * MIB)
      const kinds = new Set<string>()
      await fill(
        {
          async write(offset, bytes, options) {
            await Promise.resolve()
            if (options?.fua) kinds.add('fua')
            kinds.add(offset % 4096 === 0 && bytes.length % 4096 === 0 ? 'whole' : 'partial')
            target.write(offset, bytes)
          },
          async discard(offset, length) {
            kinds.add('discard')
            target.zero(offset, length)
          },
          async flush() {
            kinds.add('flush')
          },
        },
        mirror,
        REGIONS,
        24 * MIB,
        5,
      )
      expect([...kinds].toSorted()).to.deep.equal(['discard', 'flush', 'fua', 'partial', 'whole'])
      expect(sha256(target.read(0, 64 * MIB))).to.equal(sha256(mirror.read(0, 64 * MIB)))
      expect(sha256(mirror.read(12 * MIB, 48 * MIB))).to.equal(sha256(Buffer.alloc(48 * MIB)))
      mirror.close()
      target.close()
    })
  })

  it('has blocks of each kind: new, seen before, zero; noise, 2:1, text', () => {
    const blocks = new BlockSource(7).blocks(4000)
    const seen = new Set<string>()
    let again = 0
    for (let at = 0; at < blocks.length; at += 4096) {
      const sum = sha256(blocks.subarray(at, at + 4096))
      if (seen.has(sum)) again++
      seen.add(sum)
    }
    expect(again / 4000).to.be.within(0.2, 0.4)
    expect(seen.has(sha256(Buffer.alloc(4096)))).to.equal(true)
    const packed = [0, 1, 2].map((kind) => deflateRawSync(contentBlock(4000 + kind)).length)
    expect(packed[0]).to.be.within(1800, 2048)
    expect(packed[1]).to.be.below(400)
    expect(packed[2]).to.be.above(4000)
  })

  it('repeats itself for the same seed only', () => {
    const [first, again, other] = [7, 7, 8].map((seed) => sha256(new BlockSource(seed).blocks(100)))
    expect(again).to.equal(first)
    expect(other).to.not.equal(first)
  })
})
