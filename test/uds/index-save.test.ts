import { expect } from 'chai'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { createLayout, openLayout } from '../../src/uds/index-layout.js'
import { saveIndex } from '../../src/uds/index-save.js'
import { countRight, digestOf, entriesOf, PlainReader, placeOfSample, recordsOf } from './index-content.js'
import { LocalIndex } from './local-index.js'
import { countFound, newIndex, post, TINY } from './small-index.js'
import { MapStorage, openSample, readExpected, type SampleName } from './uds-samples.js'

/** Samples that are saved cleanly. */
const CLEAN: readonly SampleName[] = [
  'dense1-clean',
  'dense3-clean',
  'dense1-rebuilt',
  'sparse1-clean',
  'sparse1-rebuilt',
  'bias-clean',
  'kernel-clean1',
  'kernel-sparse',
]

describe('a saved index', () => {
  for (const name of CLEAN) {
    it(`of ${name} is loaded, and saved again byte for byte`, function () {
      this.timeout(30_000)
      const sample = openSample(this, name)
      const { storage, facts } = sample
      const layout = storage.run(openLayout(placeOfSample(sample)))
      const latest = layout.latest!
      const saved = facts.saves[latest.slot.number]!
      const content = IndexContent.empty(layout.geometry, saved.zones)
      const range = storage.run(content.load(layout))
      expect(range).to.deep.equal({ newest: saved.newest, oldest: saved.oldest })

      // The same save in the same slot: the one before it, then the other is taken.
      const again = new MapStorage()
      const info = Buffer.from(layout.superBlock.nonceInfo)
      const birth = { nanoseconds: info.readBigUInt64LE(0), chance: info.readUInt32LE(8) }
      const copy = again.run(createLayout(placeOfSample(sample), birth))
      const start = latest.slot.start
      if (latest.slot.number === 1)
        again.run(saveIndex(copy, IndexContent.empty(layout.geometry, 1), { newest: 0, oldest: 0 }, 1))
      for (const block of again.blocks.keys()) if (block >= start) again.blocks.delete(block)
      again.run(saveIndex(copy, content, range, saved.time))
      let compared = 0
      for (const [block, bytes] of again.blocks) {
        if (block < start || block >= start + latest.slot.blocks) continue
        const wanted = storage.blocks.get(block) ?? new Uint8Array(BLOCK_SIZE)
        // A zone that was divided counts its entries to the first, for information only.
        if (saved.zones === 1) expect(Buffer.from(bytes).equals(wanted), `block ${block}`).to.equal(true)
        compared++
      }
      expect(compared).to.be.greaterThan(20)
    })
  }

  it('is loaded by any number of zones, which save it for any other', function () {
    this.timeout(60_000)
    for (const name of ['dense3-clean', 'sparse1-clean'] as const) {
      const sample = openSample(this, name)
      const layout = sample.storage.run(openLayout(placeOfSample(sample)))
      const { geometry } = layout
      const whole = IndexContent.empty(geometry, 1)
      const range = sample.storage.run(whole.load(layout))
      const entries = digestOf(entriesOf(whole))
      const records = recordsOf(whole)
      for (let zones = 1; zones <= 16; zones++) {
        const content = IndexContent.empty(geometry, zones)
        expect(sample.storage.run(content.load(layout))).to.deep.equal(range)
        expect(digestOf(entriesOf(content))).to.equal(entries)
        const kept = recordsOf(content)
        // A share that is full but for one takes no more.
        const capacity = Math.floor(geometry.recordsPerChapter / zones)
        for (const { openChapter } of content.zones) expect(openChapter.size).to.be.below(capacity)
        const isCut = content.zones.some(({ openChapter }) => openChapter.room === 1)
        if (!isCut) expect(kept).to.deep.equal(records)
        else expect(new Set(records)).to.include.keys(...kept.slice(0, 50))

        const storage = new MapStorage()
        const other = storage.run(createLayout(placeOfSample(sample), { nanoseconds: 1n, chance: 1 }))
        storage.run(saveIndex(other, content, range, 1000))
        const back = IndexContent.empty(geometry, 17 - zones)
        const opened = storage.run(openLayout(placeOfSample(sample)))
        expect(storage.run(back.load(opened))).to.deep.equal(range)
        expect(digestOf(entriesOf(back))).to.equal(entries)
        if (!isCut && back.zones.every(({ openChapter }) => openChapter.room > 1)) {
          expect(recordsOf(back)).to.deep.equal(records)
        }
        expect(back.pageMap.entries).to.deep.equal(whole.pageMap.entries)
      }
    }
  })

  for (const name of ['dense1-clean', 'dense3-clean', 'dense1-rebuilt'] as const) {
    it(`of ${name} answers as its maker did`, function () {
      this.timeout(30_000)
      const sample = openSample(this, name)
      const { storage, facts } = sample
      const layout = storage.run(openLayout(placeOfSample(sample)))
      const content = IndexContent.empty(layout.geometry, 1)
      const { newest } = storage.run(content.load(layout))
      const reader = new PlainReader(storage, layout, content, newest)
      expect(countRight(reader, readExpected(this, name), facts.expect!.count)).to.equal(facts.expect!.found)
    })
  }

  it('is loaded less what would fill a share, so that there is room for the next name', () => {
    const index = newIndex(TINY, 1)
    post(index, 0, 4090)
    index.save(1000)
    const again = new LocalIndex(index.storage, index.storage.run(openLayout(TINY)), { zones: 16 })
    again.load()
    const sizes = again.zones.map(({ openChapter }) => openChapter.size)
    expect(Math.max(...sizes)).to.equal(4096 / 16 - 1)
    const kept = sizes.reduce((sum, size) => sum + size, 0)
    expect(kept).to.be.within(3900, 4089)
    expect(countFound(again, 0, 4090)).to.equal(kept)
    post(again, 6000, 6100)
    expect(again.keeper.newest).to.equal(1)
    expect(countFound(again, 6000, 6100)).to.equal(100)
  })

  it('has the chapters that all of its zones had, whoever loads it', () => {
    const index = newIndex(TINY, 2)
    post(index, 0, 9000)
    expect(index.keeper.newest).to.equal(2)
    // One zone has given a chapter up because its memory ran short.
    index.zones[1]!.volumeIndex.parts[0]!.low = 1
    index.save(1000)
    for (const zones of [1, 2, 3]) {
      const again = new LocalIndex(index.storage, index.storage.run(openLayout(TINY)), { zones })
      again.load()
      for (const { volumeIndex } of again.zones) {
        expect([volumeIndex.parts[0]!.low, volumeIndex.parts[0]!.high]).to.deep.equal([1, 2])
      }
    }
  })

  it('has nothing in blocks that no area needs', function () {
    const sample = openSample(this, 'kernel-clean1')
    const layout = sample.storage.run(openLayout(placeOfSample(sample)))
    const { openChapter, pageMap } = layout.areasOf(layout.latest!)
    expect(openChapter).to.deep.equal({ block: 625_776, blocks: 513 })
    expect(pageMap).to.deep.equal({ block: 573_452, blocks: 3 })
    expect(pageMap.blocks * BLOCK_SIZE).to.be.at.least(16 + 2 * 5 * 1024)
  })
})
