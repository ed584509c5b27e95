import { expect } from 'chai'
import { toHex } from '../../src/base/bytes.js'
import { PAGE_BYTES, RECORD_BYTES } from '../../src/uds/geometry.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { openLayout } from '../../src/uds/index-layout.js'
import { readPage } from '../../src/uds/volume-pages.js'
import { committedDigests, digestsOf } from './decoded-region.js'
import { placeOfSample } from './index-content.js'
import { openSample, SAMPLE_NAMES } from './uds-samples.js'

describe('the region of a real index', () => {
  for (const name of SAMPLE_NAMES) {
    it(`${name} decodes completely, to what is committed of it`, function () {
      this.timeout(30_000)
      const sample = openSample(this, name)
      expect(digestsOf(sample.storage, placeOfSample(sample))).to.deep.equal(committedDigests(name))
    })
  }

  for (const name of ['kernel-clean1', 'kernel-crash', 'kernel-sparse'] as const) {
    it(`${name} has the records that its maker saw`, function () {
      const sample = openSample(this, name)
      const { storage, geometry, facts } = sample
      const layout = storage.run(openLayout(placeOfSample(sample)))
      const page = new Uint8Array(PAGE_BYTES)
      for (const record of facts.record_samples!) {
        const slot = geometry.physicalChapter(record.chapter)
        const number = geometry.volumePage(slot, geometry.indexPagesPerChapter + record.page)
        storage.run(readPage(layout.volumeStart, number, page))
        const bytes = page.subarray(record.slot * RECORD_BYTES, (record.slot + 1) * RECORD_BYTES)
        expect(toHex(bytes)).to.equal(record.name + record.data)
      }
      if (facts.open_chapter_records == null) return
      const content = IndexContent.empty(geometry, 1)
      storage.run(content.load(layout))
      const { memory } = content.zones[0]!.openChapter
      expect(memory.size).to.equal(facts.open_chapter_records)
      for (const [i, [recordName, data]] of facts.open_chapter_first!.entries()) {
        const bytes = memory.records.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES)
        expect(toHex(bytes)).to.equal(recordName + data)
      }
    })
  }
})
