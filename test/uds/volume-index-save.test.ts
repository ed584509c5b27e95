import { expect } from 'chai'
import { writeU32 } from '../../src/base/bytes.js'
import { VolumeIndex } from '../../src/uds/volume-index.js'
import { type Area, loadVolumeIndex, saveVolumeIndex } from '../../src/uds/volume-index-save.js'
import { indexRefusal } from './index-refusal.js'
import { newIndex, post, TINY_SPARSE } from './small-index.js'
import { areasOfSave, copyOf, MapStorage, openSample, SAMPLE_NAMES, type Sample } from './uds-samples.js'

/** The bytes of an area up to its end mark, found by walking what is in it. */
function usedBytes(sample: Sample, area: Area, index: VolumeIndex): Uint8Array {
  let size = sample.geometry.sparse ? 12 : 0
  for (const { lists, listCount } of index.parts) {
    size += 80 + 10 * listCount
    for (let list = 0; list < listCount; list++) {
      if (lists.listBits(list) > 0) size += 8 + lists.listByteCount(list)
    }
  }
  const bytes = sample.storage.area(area).subarray(0, size + 8)
  // How many entries there are is for information only, and its writer counts a zone that was divided to the first.
  if (index.zones > 1)
    bytes.fill(0, 40 + 8 * index.parts[0]!.listCount + 24, 80 + 8 * index.parts[0]!.listCount)
  return bytes
}

/** Every entry, as text: a check that two indexes hold the same. */
function* entriesOf(index: VolumeIndex): Generator<string> {
  for (const part of index.parts) {
    for (let list = 0; list < part.listCount; list++) {
      const found: string[] = []
      part.lists.forEach(list, (key, payload, name) => {
        found.push(`${key}:${payload}${name === undefined ? '' : `:${Buffer.from(name).toString('hex')}`}`)
      })
      if (found.length > 0)
        yield `${part.tag}${part.firstList + list}/${part.lists.ownerWord(list)} ${found.join(' ')}`
    }
  }
}

describe('a saved volume index', () => {
  for (const name of SAMPLE_NAMES) {
    it(`of ${name} is read and written again byte for byte`, function () {
      this.timeout(30_000)
      const sample = openSample(this, name)
      const { geometry, nonce, facts, storage } = sample
      for (const [slot, save] of facts.saves.entries()) {
        if (save === null) continue
        const { volumeIndex: areas } = areasOfSave(geometry, slot, save.zones)
        const whole = new VolumeIndex(geometry, 0, 1)
        storage.run(loadVolumeIndex(whole, nonce, areas))
        expect(whole.parts[0]!.high).to.equal(save.newest)
        const all = [...entriesOf(whole)].join('\n')
        expect(whole.entries).to.be.greaterThan(10_000)

        // The same zones as those that saved it: every byte.
        let entries = 0
        const again = new MapStorage()
        const texts: string[] = []
        for (const [zone, area] of areas.entries()) {
          const index = save.zones === 1 ? whole : new VolumeIndex(geometry, zone, save.zones)
          if (save.zones > 1) storage.run(loadVolumeIndex(index, nonce, areas))
          entries += index.entries
          if (save.zones > 1) texts.push(...entriesOf(index))
          again.run(saveVolumeIndex(index, nonce, area))
          const written = usedBytes({ ...sample, storage: again }, area, index)
          expect(Buffer.from(written).equals(usedBytes(sample, area, index)), `zone ${zone}`).to.equal(true)
        }
        expect(entries).to.equal(whole.entries)
        if (save.zones > 1 && !geometry.sparse) expect(texts.join('\n')).to.equal(all)
      }
    })
  }

  it('is refused with another nonce, or damaged anywhere', function () {
    this.timeout(20_000)
    const { geometry, nonce, storage } = openSample(this, 'dense1-clean')
    const { volumeIndex: areas } = areasOfSave(geometry, 0, 1)
    const load = (from: MapStorage, low = nonce.low): void =>
      from.run(loadVolumeIndex(new VolumeIndex(geometry, 0, 1), { low, high: nonce.high }, areas))
    expect(() => load(storage, nonce.low ^ 1)).to.throw('it is of another index')
    let refused = 0
    for (let i = 0; i < 60; i++) {
      const damaged = new MapStorage()
      for (const [block, bytes] of storage.blocks) damaged.blocks.set(block, bytes)
      const used = [...storage.blocks.keys()].filter(
        (block) => block >= areas[0]!.block && block < areas[0]!.block + areas[0]!.blocks,
      )
      const block = used[i < 20 ? 0 : i % used.length]!
      const bytes = damaged.blocks.get(block)!.slice()
      for (let j = 0; j < 3; j++) bytes[(i * 67 + j) % 4096] ^= 1 << (i % 8)
      damaged.blocks.set(block, bytes)
      try {
        load(damaged)
      } catch (error) {
        expect((error as { code?: string }).code).to.equal('VDO_INDEX_CORRUPT')
        refused++
      }
    }
    expect(refused).to.be.greaterThan(20)
  })

  it('is refused where what it says of itself cannot be', function () {
    const index = newIndex(TINY_SPARSE, 2)
    post(index, 0, 9000)
    index.save(1000)
    const { storage, layout, keeper } = index
    const { geometry, nonce } = layout
    expect(keeper.newest).to.equal(2)
    const areas = layout.areasOf(layout.latest!).volumeIndex
    /** What is said of the save if a number in the area of a zone is another. */
    const judge = (zone: number, at: number, value: number): string => {
      const damaged = copyOf(storage)
      const { block } = areas[zone]!
      const bytes = damaged.blocks.get(block)!.slice()
      writeU32(bytes, at, value)
      damaged.blocks.set(block, bytes)
      return indexRefusal(() =>
        damaged.run(loadVolumeIndex(new VolumeIndex(geometry, 0, 1), nonce, areas)),
      ).message.replace('Cannot read the volume index of ', '')
    }
    // Behind the mark of a sparse index and its rate of samples: mark, nonce, chapters, lists, flush chapters.
    const [rate, low, high, first, flushed] = [8, 28, 36, 44, 52]
    expect(judge(1, rate, 16)).to.equal('zone 1: one in 16 is a sample')
    expect(judge(0, low, 3)).to.equal('zone 0: it has chapters 3 to 2')
    expect(judge(1, high, 3)).to.equal('zone 1: its open chapter is 3, not 2')
    expect(judge(1, first, 7)).to.match(/^zone 1: it has lists 7 to \d+, wanted from \d+ on$/)
    expect(judge(0, flushed, 3)).to.equal('zone 0: list 0 was flushed for chapter 3 after 2')
  })
})
