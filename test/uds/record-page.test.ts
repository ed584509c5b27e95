import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { PAGE_BYTES, RECORD_BYTES, RECORDS_PER_PAGE } from '../../src/uds/geometry.js'
import { encodeRecordPage, findInRecordPage, NO_RECORD } from '../../src/uds/record-page.js'
import { readVolumePage, writtenSlots } from './chapter-samples.js'
import { openSample, SAMPLE_NAMES } from './uds-samples.js'

function randomRecords(seed: number): Uint8Array {
  const records = new Uint8Array(PAGE_BYTES + 5)
  new Prng(seed).fill(records)
  return records
}

describe('a record page', () => {
  it('is a search tree in which every name is found, and no other', () => {
    const records = randomRecords(1)
    const page = new Uint8Array(PAGE_BYTES + 3)
    encodeRecordPage(records, 5, page, 3)
    for (let i = 0; i < RECORDS_PER_PAGE; i++) {
      const at = 5 + i * RECORD_BYTES
      const data = findInRecordPage(page, 3, records, at)
      expect(page.subarray(data, data + 16)).to.deep.equal(records.subarray(at + 16, at + 32))
    }
    const name = records.slice(5, 21)
    for (let i = 0; i < 16; i++) {
      name[i]! ^= 1
      expect(findInRecordPage(page, 3, name, 0)).to.equal(NO_RECORD)
      name[i]! ^= 1
    }
  })

  it('has its root in the middle of the order and the smallest name at the left end', () => {
    const records = randomRecords(2)
    const page = new Uint8Array(PAGE_BYTES)
    encodeRecordPage(records, 5, page, 0)
    const name = (bytes: Uint8Array, at: number): string =>
      Buffer.from(bytes.subarray(at, at + 16)).toString('hex')
    const sorted = Array.from({ length: RECORDS_PER_PAGE }, (_, i) =>
      name(records, 5 + i * RECORD_BYTES),
    ).sort()
    // A complete tree of 1,024 nodes has 512 before its root and a lone node on its lowest level.
    expect(name(page, 0)).to.equal(sorted[512])
    expect(name(page, 1023 * RECORD_BYTES)).to.equal(sorted[0])
    expect(name(page, 2 * RECORD_BYTES)).to.equal(sorted[768])
  })

  it('orders names that begin alike by their last bytes, and takes equal ones', () => {
    const records = randomRecords(3)
    for (let i = 0; i < RECORDS_PER_PAGE; i++) {
      const at = 5 + i * RECORD_BYTES
      records.fill(0x7f, at, at + 14)
      records[at + 14] = (i * 37) & 0xff
      records[at + 15] = i < 1000 ? i >>> 5 : 77
    }
    const page = new Uint8Array(PAGE_BYTES)
    encodeRecordPage(records, 5, page, 0)
    for (let i = 0; i < RECORDS_PER_PAGE; i++) {
      expect(findInRecordPage(page, 0, records, 5 + i * RECORD_BYTES)).to.be.at.least(0)
    }
  })

  for (const name of SAMPLE_NAMES) {
    it(`of ${name} is encoded again to the same bytes from records in any order`, function () {
      this.timeout(20_000)
      const { geometry, storage } = openSample(this, name)
      const page = new Uint8Array(PAGE_BYTES)
      const mixed = new Uint8Array(PAGE_BYTES)
      const again = new Uint8Array(PAGE_BYTES)
      let pages = 0
      for (const slot of writtenSlots(geometry, storage)) {
        for (let i = geometry.indexPagesPerChapter; i < geometry.pagesPerChapter; i++) {
          readVolumePage(storage, geometry.volumePage(slot, i), page)
          for (let record = 0; record < RECORDS_PER_PAGE; record++) {
            const to = ((record * 389 + i) % RECORDS_PER_PAGE) * RECORD_BYTES
            mixed.set(page.subarray(record * RECORD_BYTES, (record + 1) * RECORD_BYTES), to)
          }
          encodeRecordPage(mixed, 0, again, 0)
          expect(Buffer.compare(again, page), `page ${i} of slot ${slot}`).to.equal(0)
          pages++
        }
      }
      expect(pages).to.be.at.least(geometry.recordPagesPerChapter)
    })
  }
})
