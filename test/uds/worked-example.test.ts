import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { toHex } from '../../src/base/bytes.js'
import { RECORD_NAME_SEED } from '../../src/base/native.js'
import { Prng } from '../../src/base/prng.js'
import { indexShapeOf, regionOfShape } from '../../src/format/index-region.js'
import { chapterAddress, chapterList, volumeAddress, volumeList } from '../../src/format/record-name.js'
import { findInIndexPage, firstListOfPage, listCountOfPage } from '../../src/uds/chapter-index-page.js'
import { PAGE_BYTES } from '../../src/uds/geometry.js'
import { murmur3 } from '../../src/uds/index-nonces.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { findInRecordPage } from '../../src/uds/record-page.js'
import { readPage } from '../../src/uds/volume-pages.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import { ROOT } from '../tools.js'
import type { LocalIndex } from './local-index.js'
import { newIndex } from './small-index.js'

const PAGE = readFileSync(join(ROOT, 'docs/uds-index.md'), 'utf8')

/** The page says this, word for word. */
function told(text: string): void {
  expect(PAGE.replace(/\s+/g, ' ')).to.contain(text)
}

describe('the worked example of docs/uds-index.md', () => {
  const block = Uint8Array.from({ length: 4096 }, (_, i) => i)
  const name = murmur3(block, RECORD_NAME_SEED)
  const shape = indexShapeOf(-256, false)
  const place = { shape, start: 1, blocks: regionOfShape(shape).blockCount, nonce: 42n }
  let index: LocalIndex

  before(() => {
    index = newIndex(place, 1)
  })

  /** Posts the names of so many blocks that nobody has seen. */
  const prng = new Prng(1)
  function fill(count: number): void {
    const other = new Uint8Array(16)
    for (let i = 0; i < count; i++) {
      prng.fill(other)
      index.ask(IndexRequest.Post, other, other)
    }
    index.settle()
  }

  it('follows one name from its block to its second life', function () {
    this.timeout(30_000)
    const { geometry } = index.layout
    const { volumeIndex } = index.zones[0]!
    const part = volumeIndex.parts[0]!
    const lists = part.size.listCount
    told(`\`${toHex(name)}\``)
    const list = volumeList(name, 0, lists, 1 / lists)
    told(`list ${list} of ${lists}, address ${volumeAddress(name, 0)}`)
    const ownList = chapterList(name, 0, geometry.listsPerChapter)
    told(`list ${ownList} of ${geometry.listsPerChapter}, address ${chapterAddress(name, 0)}`)

    // 1. It is new.
    const data = new Uint8Array(16)
    data.set([2, 1, 0x40, 0x42, 0x0f])
    expect(index.ask(IndexRequest.Post, name, data)).to.equal(IndexLocation.None)
    told(`\`${toHex(data)}\``)
    expect(index.zones[0]!.openChapter.size).to.equal(1)
    const { meanDelta, chapterBits } = part.size
    const coding = part.lists.coding
    told(`${coding.minBits} bits and ${part.lists.listBits(list) - chapterBits - coding.minBits} more`)
    told(`${part.lists.listBits(list)} bits`)
    told(`mean of ${meanDelta}`)

    // 2. Its chapter is closed: it is record 0, so it is on record page 0.
    fill(geometry.recordsPerChapter - 1)
    expect(index.keeper.newest).to.equal(1)
    const { pageMap } = index.content
    const indexPage = pageMap.pageOf(0, ownList)
    const page = new Uint8Array(PAGE_BYTES)
    const read = (number: number): number => {
      index.storage.run(readPage(index.layout.volumeStart, number, page))
      return index.layout.volumeStart + 8 * number
    }
    const indexBlock = read(geometry.volumePage(0, indexPage))
    const first = firstListOfPage(page, 0)
    told(`index page ${indexPage}, which has lists ${first} to ${first + listCountOfPage(page, 0) - 1}`)
    told(`device block ${indexBlock}`)
    const recordPage = findInIndexPage(geometry, page, 0, name, 0)
    told(`record page ${recordPage}`)
    const recordBlock = read(geometry.volumePage(0, geometry.indexPagesPerChapter + recordPage))
    told(`device block ${recordBlock}`)
    const at = findInRecordPage(page, 0, name, 0) - 16
    expect(toHex(page.subarray(at, at + 32))).to.equal(toHex(name) + toHex(data))
    told(`slot ${at / 32} of that page`)

    // 3. Another chapter later it is on disk only, and is found with two reads.
    fill(geometry.recordsPerChapter)
    expect(index.keeper.newest).to.equal(2)
    const reads = () => [index.count(IndexCount.IndexPageReads), index.count(IndexCount.RecordPageReads)]
    expect(reads()).to.deep.equal([0, 0])
    expect(index.ask(IndexRequest.Query, name)).to.equal(IndexLocation.Dense)
    expect(reads()).to.deep.equal([1, 1])
    expect(toHex(index.requests.known.subarray(0, 16))).to.equal(toHex(data))

    // 4. Its second life: the entry names chapter 2, and the record is in the open chapter.
    expect(volumeIndex.search(name, 0)).to.equal(true)
    expect(volumeIndex.chapter).to.equal(2)
    expect(index.ask(IndexRequest.Query, name)).to.equal(IndexLocation.Open)
    expect(reads()).to.deep.equal([1, 1])
    told(`${volumeIndex.entries} entries`)

    // 5. A save.
    index.save(1_795_351_181_599)
    const { areas } = index.layout.latest!.save!
    told(`block ${areas.openChapter.block}`)
    told(`blocks ${areas.pageMap.block} to ${areas.pageMap.block + areas.pageMap.blocks - 1}`)
    told(`block ${areas.volumeIndex[0]!.block}`)
    const saved = index.storage.area({ ...areas.volumeIndex[0]!, blocks: 3000 })
    const wanted = Buffer.alloc(8)
    wanted[0] = 'm'.charCodeAt(0)
    wanted[1] = part.lists.listPhase(list)
    wanted.writeUInt16LE(part.lists.listByteCount(list), 2)
    wanted.writeUInt32LE(list, 4)
    expect(Buffer.from(saved).includes(wanted)).to.equal(true)
    told(`\`${toHex(wanted)}\``)
  })
})
