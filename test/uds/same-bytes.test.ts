import { expect } from 'chai'
import { chapterOfPage, listCountOfPage, listStart } from '../../src/uds/chapter-index-page.js'
import { PAGE_BYTES } from '../../src/uds/geometry.js'
import { VOLUME_BLOCK, writtenSlots } from './chapter-samples.js'
import { newIndexLike, runOperations } from './sample-sequences.js'
import { type MapStorage, openSample, type Sample, type SampleName } from './uds-samples.js'

/** A page of the volume, of an index page only what means something. */
function page(storage: MapStorage, { geometry }: Sample, slot: number, number: number): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES)
  storage.read(VOLUME_BLOCK + 8 * geometry.volumePage(slot, number), 8, bytes, 0)
  if (number < geometry.indexPagesPerChapter) {
    const end = listStart(bytes, 0, listCountOfPage(bytes, 0))
    bytes.fill(0, (end + 7) >>> 3, PAGE_BYTES - 7)
    if (end % 8 !== 0) bytes[end >>> 3]! &= (1 << (end % 8)) - 1
  }
  return bytes
}

const SEQUENCES: readonly SampleName[] = [
  'dense1-clean',
  'dense3-clean',
  'dense1-unclean',
  'sparse1-clean',
  'bias-clean',
]

describe('an index that is asked what the original was asked', () => {
  for (const name of SEQUENCES) {
    it(`becomes ${name}, byte for byte`, function () {
      this.timeout(120_000)
      const sample = openSample(this, name)
      const { geometry, storage, facts } = sample
      const zones = facts.saves[0]!.zones
      const index = newIndexLike(sample, { zones })
      runOperations(index, sample)
      const slots = writtenSlots(geometry, storage)
      expect(writtenSlots(geometry, index.storage)).to.deep.equal(slots)
      for (const slot of slots) {
        const chapters = [storage, index.storage].map((from) => chapterOfPage(page(from, sample, slot, 0), 0))
        expect(chapters[1]).to.equal(chapters[0])
        for (let i = 0; i < geometry.pagesPerChapter; i++) {
          const same = page(index.storage, sample, slot, i).equals(page(storage, sample, slot, i))
          expect(same, `page ${i} of slot ${slot}`).to.equal(true)
        }
      }
      const behind = VOLUME_BLOCK + geometry.region.chapterBlocks
      const wrong: number[] = []
      for (let block = 0; block < facts.blocks + 1; block++) {
        if (block >= VOLUME_BLOCK && block < behind) continue
        const zero = new Uint8Array(4096)
        const ours = index.storage.blocks.get(block) ?? zero
        if (!Buffer.from(ours).equals(storage.blocks.get(block) ?? zero)) wrong.push(block)
      }
      expect(wrong).to.deep.equal([])
    })
  }
})
