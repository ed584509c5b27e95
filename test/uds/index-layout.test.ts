import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { smallIndexShape } from '../../src/uds/geometry.js'
import type { IndexError } from '../../src/uds/index-error.js'
import { createLayout, type IndexLayout, type IndexPlace, openLayout } from '../../src/uds/index-layout.js'
import { encodeIndexSuperBlock, type IndexSuperBlock } from '../../src/uds/index-super-block.js'
import { divideSlot, encodeSaveHeader, saveHeaderOf } from '../../src/uds/save-slot.js'
import { type Steps, writeBlock } from '../../src/uds/storage-steps.js'
import { CrashStorage } from './crash-storage.js'
import { HEADS, type Head } from './index-heads.js'
import { indexRefusal } from './index-refusal.js'
import { MapStorage } from './uds-samples.js'

const BIRTH = { nanoseconds: 1_795_351_181_599_000_000n, chance: 99 }
const SMALL: IndexPlace = { shape: smallIndexShape(false), start: 1, blocks: 1879, nonce: 42n }

function placeOf({ shape, facts, nonce }: Head): IndexPlace {
  return { shape, start: 1, blocks: facts.blocks, nonce }
}

/** A device with just the head of a real index. */
function storageOf(head: Head): MapStorage {
  const storage = new MapStorage()
  storage.blocks.set(1, head.superBlock)
  storage.blocks.set(2, head.config)
  const { region } = storage.run(openLayout(placeOf(head))).geometry
  const save = (region.blockCount - 3 - region.chapterBlocks) / 2
  for (const [i, bytes] of head.saves.entries()) {
    storage.blocks.set(3 + region.chapterBlocks + i * save, bytes)
  }
  return storage
}

/** A save with nothing in it but marks. */
function* saveMarks(layout: IndexLayout, zones: number, time: number, newest: number): Steps<void> {
  const begun = yield* layout.beginSave(zones, time)
  for (const area of [begun.areas.openChapter, ...begun.areas.volumeIndex, begun.areas.pageMap]) {
    yield* writeBlock(area.block, new Uint8Array(BLOCK_SIZE).fill(newest))
  }
  yield* layout.commitSave(begun, newest, 0)
}

describe('the layout of an index', () => {
  for (const head of HEADS) {
    it(`of ${head.facts.name} is opened, with the save that holds`, () => {
      const layout = storageOf(head).run(openLayout(placeOf(head)))
      expect(layout.nonce).to.deep.equal({
        low: Number(head.volumeNonce & 0xffff_ffffn),
        high: Number(head.volumeNonce >> 32n),
      })
      expect(layout.volumeStart).to.equal(3)
      const { saved } = head.facts
      const times = saved.map((each) => each?.time ?? 0)
      const latest = layout.latest!
      expect(latest.slot.number).to.equal(times[1]! > times[0]! ? 1 : 0)
      expect(Number(latest.save!.newest)).to.equal(saved[latest.slot.number]!.newest)
      expect(layout.areasOf(latest).volumeIndex).to.have.length(saved[latest.slot.number]!.zones)
    })
  }

  it('is made as the kernel made it, given the same time and chance', () => {
    for (const head of HEADS) {
      const info = Buffer.from(head.superBlock.subarray(24 + 7 * 24 + 32))
      const storage = new MapStorage()
      const birth = { nanoseconds: info.readBigUInt64LE(0), chance: info.readUInt32LE(8) }
      const layout = storage.run(createLayout(placeOf(head), birth))
      expect(storage.blocks.size).to.equal(4)
      expect(storage.blocks.get(1)).to.deep.equal(head.superBlock)
      expect(storage.blocks.get(2)).to.deep.equal(head.config)
      // Its saves are what they were if they are made at the same times, by as many zones.
      for (const [i, saved] of head.facts.saved.entries()) {
        if (saved === null) continue
        const begun = storage.run(layout.beginSave(saved.zones, saved.time))
        expect(begun.state.slot.number).to.equal(i)
        storage.run(layout.commitSave(begun, saved.newest, saved.oldest))
      }
      for (const [i, { slot }] of layout.slots.entries()) {
        expect(storage.blocks.get(slot.start)).to.deep.equal(head.saves[i])
      }
    }
  })

  it('is opened again as it was made, wherever it lies', () => {
    for (const start of [1, 500, 2 ** 33]) {
      const storage = new MapStorage()
      const place = { ...SMALL, start }
      const made = storage.run(createLayout(place, BIRTH))
      const opened = storage.run(openLayout(place))
      expect(opened).to.deep.equal(made)
      expect(opened.latest).to.equal(undefined)
      expect(opened.volumeStart).to.equal(start + 2)
      expect(indexRefusal(() => storage.run(openLayout({ ...place, nonce: 43n }))).code).to.equal(
        'VDO_INDEX_MISSING',
      )
    }
  })

  it('is not opened, nor made, where it has too little room', () => {
    const storage = new MapStorage()
    const place = { ...SMALL, blocks: 1878 }
    const text = 'Cannot open the index: its region at block 1 has 1878 blocks, wanted 1879'
    expect(indexRefusal(() => storage.run(createLayout(place, BIRTH))).message).to.equal(text)
    expect(storage.blocks.size).to.equal(0)
    storage.run(createLayout(SMALL, BIRTH))
    const { code, message } = indexRefusal(() => storage.run(openLayout(place)))
    expect(`${code} ${message}`).to.equal(`VDO_INDEX_NO_SPACE ${text}`)
  })

  it('puts each save where the older one is', () => {
    const storage = new MapStorage()
    const layout = storage.run(createLayout(SMALL, BIRTH))
    const slots: number[] = []
    for (const [i, zones] of [1, 3, 16, 2].entries()) {
      storage.run(saveMarks(layout, zones, 1000 + i, i))
      slots.push(layout.latest!.slot.number)
      const opened = storage.run(openLayout(SMALL))
      expect(opened.slots).to.deep.equal(layout.slots)
      expect(opened.areasOf(opened.latest!).volumeIndex).to.have.length(zones)
    }
    expect(slots).to.deep.equal([0, 1, 0, 1])
  })

  it('takes the newer save for the newer one even if the clock was set back', () => {
    const storage = new MapStorage()
    const layout = storage.run(createLayout(SMALL, BIRTH))
    storage.run(saveMarks(layout, 1, 5000, 1))
    storage.run(saveMarks(layout, 1, 4000, 2))
    const opened = storage.run(openLayout(SMALL))
    expect(opened.latest!.save!.newest).to.equal(2n)
    expect(opened.latest!.save!.time).to.equal(5001n)
  })

  it('overwrites the open chapter of the last save once, before a chapter is written', () => {
    const storage = new MapStorage()
    const layout = storage.run(createLayout(SMALL, BIRTH))
    storage.run(layout.discardOpenChapter())
    storage.run(saveMarks(layout, 2, 1000, 3))
    storage.run(saveMarks(layout, 2, 2000, 4))
    const chapterOf = (slot: number) => layout.areasOf(layout.slots[slot]!).openChapter.block
    const written = new CrashStorage(storage)
    written.run(layout.discardOpenChapter())
    expect(written.done).to.equal(2)
    written.run(layout.discardOpenChapter())
    expect(written.done).to.equal(2)
    const after = written.cut(new Prng(1))
    expect(after.blocks.get(chapterOf(1))).to.deep.equal(new Uint8Array(BLOCK_SIZE))
    expect(after.blocks.get(chapterOf(0))![0]).to.equal(3)
    // The header stays: it says which save it was that cannot be loaded.
    expect(after.run(openLayout(SMALL)).latest!.slot.number).to.equal(1)
  })

  it('takes a damaged header for none, and says what is wrong', () => {
    const storage = new MapStorage()
    const layout = storage.run(createLayout(SMALL, BIRTH))
    storage.run(saveMarks(layout, 1, 1000, 3))
    storage.run(saveMarks(layout, 1, 2000, 4))
    storage.blocks.get(layout.slots[1]!.slot.start)![24] ^= 1
    const opened = storage.run(openLayout(SMALL))
    expect(opened.latest!.slot.number).to.equal(0)
    expect(opened.slots[1]!.problem!.message).to.match(/^Cannot read the header of save 1: region 0 is/)
  })

  it('takes a save whose areas are too small for none', () => {
    const storage = new MapStorage()
    const { slots, nonce, superBlock } = storage.run(createLayout(SMALL, BIRTH))
    const { slot } = slots[0]!
    const { pageMapBlocks, openChapterBlocks } = superBlock
    const areas = divideSlot(slot, 1, pageMapBlocks, openChapterBlocks - 1)
    const volumeNonce = (BigInt(nonce.high) << 32n) | BigInt(nonce.low)
    const header = saveHeaderOf(slot, areas, volumeNonce, 1000n, 3, 0)
    storage.run(writeBlock(slot.start, encodeSaveHeader(slot, header)))
    const opened = storage.run(openLayout(SMALL))
    expect(opened.latest).to.equal(undefined)
    expect(opened.slots[0]!.problem!.message).to.equal(
      'Cannot read the header of save 0: it has 1 blocks of page map and 256 of open chapter, wanted 1 and 257',
    )
  })

  it('is not opened if its parts are not as large as its configuration has them', () => {
    const storage = new MapStorage()
    const { superBlock } = storage.run(createLayout(SMALL, BIRTH))
    const judge = (other: Partial<IndexSuperBlock>): string => {
      storage.run(writeBlock(SMALL.start, encodeIndexSuperBlock({ ...superBlock, ...other })))
      return indexRefusal(() => storage.run(openLayout({ ...SMALL, blocks: 3000 }))).message
    }
    const { volumeBlocks, saveBlocks, openChapterBlocks, pageMapBlocks } = superBlock
    const cannot = (what: string) => `Cannot read the index super block: its ${what}`
    expect(judge({ volumeBlocks: volumeBlocks + 8 })).to.equal(
      cannot(`volume has ${volumeBlocks + 8} blocks, wanted ${volumeBlocks}`),
    )
    expect(judge({ saveBlocks: saveBlocks - 1 })).to.equal(
      cannot(`save slot has ${saveBlocks - 1} blocks, wanted ${saveBlocks}`),
    )
    expect(judge({ saveBlocks: saveBlocks + 1, openChapterBlocks: openChapterBlocks + 1 })).to.equal(
      cannot(`open chapter has ${openChapterBlocks + 1} blocks, wanted ${openChapterBlocks}`),
    )
    expect(judge({ saveBlocks: saveBlocks + 1, pageMapBlocks: pageMapBlocks + 1 })).to.equal(
      cannot(`page map has ${pageMapBlocks + 1} blocks, wanted ${pageMapBlocks}`),
    )
  })

  it('survives a cut anywhere while it is made: an index is there, an older one, or none', () => {
    const place = { ...SMALL, shape: smallIndexShape(true), blocks: 11959 }
    const old = new MapStorage()
    const oldLayout = old.run(createLayout(place, { nanoseconds: 1n, chance: 2 }))
    old.run(saveMarks(oldLayout, 1, 1000, 3))
    const seen = new Set<string>()
    for (let cut = 0; ; cut++) {
      let ended = false
      for (let seed = 1; seed <= 6; seed++) {
        for (const start of [new MapStorage(), old]) {
          const storage = new CrashStorage(start)
          ended = storage.runFor(createLayout(place, BIRTH), cut).ended
          const left = storage.cut(new Prng(seed))
          try {
            const opened = left.run(openLayout(place))
            if (opened.nonce.low === oldLayout.nonce.low) {
              // Its save is the one that it had, or it has to be rebuilt.
              if (opened.latest !== undefined) expect(opened.latest.save!.newest).to.equal(3n)
              seen.add(opened.latest === undefined ? 'old without save' : 'old')
            } else {
              expect(opened.latest).to.equal(undefined)
              seen.add('new')
            }
          } catch (error) {
            seen.add((error as IndexError).code)
          }
        }
      }
      if (ended) break
    }
    expect([...seen].sort()).to.deep.equal(['VDO_INDEX_MISSING', 'new', 'old', 'old without save'])
  })

  it('survives a cut anywhere in a save: the save before holds, or the new one whole', () => {
    const storage = new MapStorage()
    const made = storage.run(createLayout(SMALL, BIRTH))
    storage.run(saveMarks(made, 1, 1000, 3))
    storage.run(saveMarks(made, 2, 2000, 4))
    const seen = new Set<bigint>()
    for (let cut = 0; ; cut++) {
      let ended = false
      for (let seed = 1; seed <= 8; seed++) {
        const disk = new CrashStorage(storage)
        const layout = disk.run(openLayout(SMALL))
        ended = disk.runFor(flushedMarks(layout), cut).ended
        const left = disk.cut(new Prng(seed))
        const opened = left.run(openLayout(SMALL))
        const { newest } = opened.latest!.save!
        seen.add(newest)
        const { pageMap, volumeIndex, openChapter } = opened.areasOf(opened.latest!)
        for (const { block } of [pageMap, ...volumeIndex, openChapter]) {
          expect(left.blocks.get(block)![0], `cut ${cut}`).to.equal(Number(newest))
        }
      }
      if (ended) break
    }
    expect(seen).to.deep.equal(new Set([4n, 5n]))
  })
})

function* flushedMarks(layout: IndexLayout): Steps<void> {
  const begun = yield* layout.beginSave(3, 3000)
  for (const area of [begun.areas.openChapter, ...begun.areas.volumeIndex, begun.areas.pageMap]) {
    yield* writeBlock(area.block, new Uint8Array(BLOCK_SIZE).fill(5))
  }
  yield* layout.commitSave(begun, 5, 0)
}
