import { expect } from 'chai'
import { chapterAddress, chapterList } from '../../src/format/record-name.js'
import { ChapterIndex } from '../../src/uds/chapter-index.js'
import {
  admitIndexPage,
  chapterOfPage,
  DAMAGED_LIST,
  findInIndexPage,
  firstListOfPage,
  listCountOfPage,
  listStart,
  NO_RECORD_PAGE,
  walkIndexPage,
} from '../../src/uds/chapter-index-page.js'
import { PAGE_BYTES, RECORD_BYTES, RECORDS_PER_PAGE } from '../../src/uds/geometry.js'
import { readVolumePage, writtenSlots } from './chapter-samples.js'
import { openSample, SAMPLE_NAMES, type Sample } from './uds-samples.js'

/** The index pages of a slot, one behind the other. */
function indexPages({ geometry, storage }: Sample, slot: number): Uint8Array {
  const bytes = new Uint8Array(geometry.indexPagesPerChapter * PAGE_BYTES)
  for (let i = 0; i < geometry.indexPagesPerChapter; i++) {
    readVolumePage(storage, geometry.volumePage(slot, i), bytes, i * PAGE_BYTES)
  }
  return bytes
}

/** Bytes that mean something: up to the end of the last list, and the guard. */
function meaningful(pages: Uint8Array, at: number): Buffer {
  const end = listStart(pages, at, listCountOfPage(pages, at))
  const bytes = Buffer.from(pages.subarray(at, at + ((end + 7) >>> 3)))
  if (end % 8 !== 0) bytes[bytes.length - 1]! &= (1 << (end % 8)) - 1
  return Buffer.concat([bytes, pages.subarray(at + PAGE_BYTES - 7, at + PAGE_BYTES)])
}

/** A name that is looked for through a whole list. */
function lastNameOfList(list: number): Uint8Array {
  const name = new Uint8Array(16)
  name.set([list >>> 10, list >>> 2, ((list & 3) << 6) | 0x3f, 0xff, 0xff], 9)
  return name
}

describe('a page of a chapter index', () => {
  for (const name of SAMPLE_NAMES) {
    it(`of ${name} decodes whole, finds the chapter's names, and is packed again to the same bytes`, function () {
      this.timeout(30_000)
      const sample = openSample(this, name)
      const { geometry, storage, nonce } = sample
      const slots = writtenSlots(geometry, storage)
      expect(slots).to.not.deep.equal([])
      const packed = new Uint8Array(PAGE_BYTES)
      const record = new Uint8Array(PAGE_BYTES)
      for (const slot of slots) {
        const pages = indexPages(sample, slot)
        const index = new ChapterIndex(geometry, nonce)
        const entries: { key: number; page: number; name: Uint8Array | undefined }[] = []
        let list = 0
        let chapter = -1
        for (let at = 0; at < pages.length; at += PAGE_BYTES) {
          expect(admitIndexPage(pages, at, nonce)).to.equal(true)
          expect(firstListOfPage(pages, at)).to.equal(list)
          if (at > 0) expect(chapterOfPage(pages, at)).to.equal(chapter)
          chapter = chapterOfPage(pages, at)
          list += listCountOfPage(pages, at)
          const isWhole = walkIndexPage(geometry, pages, at, (l, key, page, entryName) => {
            entries.push({ key: l * 2 ** 22 + key, page, name: entryName })
          })
          expect(isWhole).to.equal(true)
        }
        expect(list).to.equal(geometry.listsPerChapter)
        expect(geometry.physicalChapter(chapter)).to.equal(slot)

        // Every entry stands for a record of its page; nearly every record has one (the others fill places).
        const byKey = new Map<number, typeof entries>()
        for (const entry of entries) {
          const same = byKey.get(entry.key)
          if (same === undefined) byKey.set(entry.key, [entry])
          else same.push(entry)
        }
        let found = 0
        const names: { page: number; name: Uint8Array; collision: number }[] = []
        for (let page = 0; page < geometry.recordPagesPerChapter; page++) {
          readVolumePage(storage, geometry.volumePage(slot, geometry.indexPagesPerChapter + page), record)
          for (let i = 0; i < RECORDS_PER_PAGE; i++) {
            const recordName = record.slice(i * RECORD_BYTES, i * RECORD_BYTES + 16)
            const l = chapterList(recordName, 0, geometry.listsPerChapter)
            const same = byKey.get(l * 2 ** 22 + chapterAddress(recordName, 0))
            if (same === undefined) continue
            let at = 0
            while (firstListOfPage(pages, at) + listCountOfPage(pages, at) <= l) at += PAGE_BYTES
            if (findInIndexPage(geometry, pages, at, recordName, 0) !== page) continue
            found++
            const place = same.findIndex(
              (entry) => entry.name !== undefined && Buffer.compare(entry.name, recordName) === 0,
            )
            if (place >= 0) names.push({ page, name: recordName, collision: same.length - place })
            else if (same[0]!.page === page) names.push({ page, name: recordName, collision: 0 })
          }
        }
        expect(found).to.be.at.least(entries.length)

        // Those without a name first, then collisions from the last of their key on, as they were entered.
        const seen = new Set<string>()
        names.sort((a, b) => a.collision - b.collision)
        for (const { page, name: recordName } of names) {
          const text = Buffer.from(recordName).toString('hex')
          if (seen.has(text)) continue
          seen.add(text)
          index.put(recordName, 0, page)
        }
        expect(index.entries).to.equal(entries.length)
        let first = 0
        for (let at = 0; at < pages.length; at += PAGE_BYTES) {
          first += index.packPage(chapter, first, at + PAGE_BYTES === pages.length, packed, 0)
          expect(
            meaningful(packed, 0).equals(meaningful(pages, at)),
            `page at ${at} of slot ${slot}`,
          ).to.equal(true)
        }
      }
    })
  }

  it('with its fields the other way round is turned in memory', function () {
    const sample = openSample(this, 'kernel-clean1')
    const pages = indexPages(sample, 0)
    const before = pages.slice(0, PAGE_BYTES)
    pages.subarray(0, 8).reverse()
    pages.subarray(8, 16).reverse()
    pages.subarray(16, 18).reverse()
    pages.subarray(18, 20).reverse()
    expect(admitIndexPage(pages, 0, sample.nonce)).to.equal(true)
    expect(Buffer.compare(pages.subarray(0, PAGE_BYTES), before)).to.equal(0)
  })

  it('of another index, or damaged in front or behind, is not admitted and not changed', function () {
    const sample = openSample(this, 'dense1-clean')
    const { nonce } = sample
    const page = indexPages(sample, 0).slice(0, PAGE_BYTES)
    expect(admitIndexPage(page, 0, { low: nonce.low, high: nonce.high ^ 1 })).to.equal(false)
    for (const place of [0, 7, 18, 19, 20, 21, PAGE_BYTES - 7, PAGE_BYTES - 1]) {
      const damaged = page.slice()
      damaged[place]! ^= 0x90
      const before = damaged.slice()
      expect(admitIndexPage(damaged, 0, nonce), `byte ${place}`).to.equal(false)
      expect(damaged).to.deep.equal(before)
    }
  })

  it('whose lists are damaged is found out, or at worst misleads', function () {
    this.timeout(20_000)
    const sample = openSample(this, 'dense1-clean')
    const { geometry, nonce } = sample
    const page = indexPages(sample, 1).slice(0, PAGE_BYTES)
    let unseen = 0
    let damagedLists = 0
    for (let i = 0; i < 100; i++) {
      const damaged = page.slice()
      for (let j = 0; j < 40; j++) damaged[3000 + ((i * 89 + j * 7) % 20_000)]! ^= 1 << ((i + j) % 8)
      expect(admitIndexPage(damaged, 0, nonce)).to.equal(true)
      if (walkIndexPage(geometry, damaged, 0)) unseen++
      for (let list = 0; list < listCountOfPage(damaged, 0); list++) {
        const answer = findInIndexPage(geometry, damaged, 0, lastNameOfList(list), 0)
        expect(answer === NO_RECORD_PAGE || answer === DAMAGED_LIST || (answer >= 0 && answer < 32)).to.equal(
          true,
        )
        if (answer === DAMAGED_LIST) damagedLists++
      }
    }
    expect(unseen).to.be.lessThan(50)
    expect(damagedLists).to.be.greaterThan(0)
  })
})
