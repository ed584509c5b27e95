import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { openLayout } from '../../src/uds/index-layout.js'
import { headOf } from './index-heads.js'
import { LocalIndex } from './local-index.js'
import { digestOfRegion } from './region-digest.js'
import { answersOf, newIndexLike, runOperations, SEQUENCES } from './sample-sequences.js'
import { openSample, readExpected } from './uds-samples.js'

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('an index that is asked what the original was asked', () => {
  for (const sequence of SEQUENCES) {
    const { name, zones, region, answers } = sequence
    it(`becomes ${name}, byte for byte, and answers as it does`, function () {
      this.timeout(60_000)
      const index = newIndexLike(name, { zones })
      runOperations(index, sequence)
      const { storage, layout } = index
      expect(digestOfRegion(storage, layout.geometry)).to.equal(region)
      if (answers === undefined) return

      // The original was opened by one zone.
      const { shape, nonce, facts } = headOf(name)
      const place = { shape, start: 1, blocks: facts.blocks, nonce }
      const again = new LocalIndex(storage, storage.run(openLayout(place)), { zones: 1 })
      if (name === 'dense1-unclean') again.rebuild()
      else again.load()
      expect(digest(answersOf(again, answers.count))).to.equal(answers.digest)
    })
  }

  it('has the digests of the original to meet', function () {
    this.timeout(30_000)
    for (const { name, region, answers } of SEQUENCES) {
      const { storage, geometry } = openSample(this, name)
      expect(digestOfRegion(storage, geometry), name).to.equal(region)
      if (answers !== undefined) expect(digest(readExpected(this, name)), name).to.equal(answers.digest)
    }
  })
})
