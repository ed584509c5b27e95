import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { openLayout } from '../../src/uds/index-layout.js'
import { saveIndex } from '../../src/uds/index-save.js'
import { rebuildIndex } from '../../src/uds/rebuild.js'
import { type Steps, type StorageCommand, StorageOp } from '../../src/uds/storage-steps.js'
import { CrashStorage } from './crash-storage.js'
import { digestOf, entriesOf, recordsOf } from './index-content.js'
import { LocalIndex } from './local-index.js'
import { countFound, newIndex, post, reopen, TINY } from './small-index.js'
import { copyOf, type MapStorage } from './uds-samples.js'

/** All that an index knows. */
function stateOf(index: LocalIndex): string {
  return digestOf([...entriesOf(index.content), ...recordsOf(index.content)])
}

describe('an index whose power is cut', () => {
  let before: LocalIndex
  let saved: MapStorage
  let savedState: string

  /** A chapter and a half, saved. */
  beforeEach(function () {
    this.timeout(20_000)
    if (saved !== undefined) return
    before = newIndex(TINY, 2)
    post(before, 0, 5600)
    before.save(1000)
    saved = copyOf(before.storage)
    savedState = stateOf(before)
  })

  it('in a save comes back as it was saved before, or as it is saved now', function () {
    this.timeout(60_000)
    const { index } = reopen(copyOf(saved), TINY, 2)
    post(index, 5600, 6200)
    const newState = stateOf(index)
    const { newest, oldest } = index.keeper
    const seen = new Set<string>()
    for (let cut = 0; ; cut++) {
      const disk = new CrashStorage(saved)
      const layout = disk.run(openLayout(TINY))
      const { ended } = disk.runFor(saveIndex(layout, index.content, { newest, oldest }, 2000), cut)
      for (const seed of ended ? [1] : [1, 2, 3, 4, 5]) {
        const left = reopen(disk.cut(new Prng(seed)), TINY)
        expect(left.opened.rebuiltFor, `cut ${cut}`).to.equal(undefined)
        const state = stateOf(left.index)
        seen.add(state === newState ? 'new' : state === savedState ? 'old' : `neither, cut ${cut}`)
      }
      if (ended) break
    }
    expect(seen).to.deep.equal(new Set(['old', 'new']))
  })

  it('in a save after a chapter was written is rebuilt, until the save counts', function () {
    this.timeout(60_000)
    const { index } = reopen(copyOf(saved), TINY, 2)
    post(index, 5600, 9000)
    expect(index.keeper.newest).to.equal(2)
    const used = copyOf(index.storage)
    const newState = stateOf(index)
    const { newest, oldest } = index.keeper
    const seen: string[] = []
    for (let cut = 0; ; cut++) {
      const disk = new CrashStorage(used)
      const layout = disk.run(openLayout(TINY))
      const { ended } = disk.runFor(saveIndex(layout, index.content, { newest, oldest }, 2000), cut)
      const { opened, index: left } = reopen(disk.cut(new Prng(cut + 1)), TINY)
      if (opened.rebuiltFor === undefined) {
        expect(stateOf(left)).to.equal(newState)
        seen.push('new')
      } else {
        expect([opened.newest, opened.oldest]).to.deep.equal([2, 0])
        seen.push('rebuilt')
        // Two chapters less what filled their places, and none of the open one.
        expect(countFound(left, 0, 9000)).to.be.within(8000, 8192)
      }
      if (ended) break
    }
    expect(seen.at(-1)).to.equal('new')
    expect(seen.indexOf('new')).to.be.greaterThan(seen.lastIndexOf('rebuilt') - 1)
    expect(seen.lastIndexOf('rebuilt')).to.be.greaterThan(5)
  })

  it('while a chapter is closed is loaded as it was saved, or rebuilt, and never lies', function () {
    this.timeout(60_000)
    const seen = new Set<string>()
    for (let cut = 0; ; cut++) {
      const disk = new CrashStorage(saved)
      const { index } = reopen(copyOf(saved), TINY, 2)
      const closing = stepsOfClosing(index)
      post(index, 5600, 8900)
      const { ended } = disk.runFor(closing(), cut)
      const crashes = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) =>
        disk.cutBetweenWrites(new Prng(100 * cut + seed)),
      )
      for (const crash of [disk.cut(new Prng(cut + 5)), ...crashes]) {
        const { opened, index: left } = reopen(crash, TINY)
        if (opened.rebuiltFor === undefined) {
          expect(stateOf(left)).to.equal(savedState)
          seen.add('loaded')
        } else {
          seen.add(`rebuilt up to ${opened.newest}`)
          // An index that is whole leads to records that are: nearly all of each chapter, but for what fills places.
          expect(countFound(left, 0, 8900), `cut ${cut}`).to.be.greaterThan(opened.newest * 4000)
        }
      }
      if (ended) break
    }
    expect([...seen].sort()).to.deep.equal(['loaded', 'rebuilt up to 1', 'rebuilt up to 2'])
  })

  it('in a rebuild is rebuilt again: a rebuild writes nothing', function () {
    const { storage } = before
    const layout = storage.run(openLayout(TINY))
    const content = IndexContent.empty(layout.geometry, 1)
    const steps = rebuildIndex(layout, [content.zones[0]!.volumeIndex], content.pageMap)
    for (let next = steps.next(); next.done !== true; next = steps.next()) {
      const { op, block, count, bytes, at } = next.value
      expect(op).to.equal(StorageOp.Read)
      storage.read(block, count, bytes, at)
    }
  })
})

/** Notes what the keeper wants done when it closes the next chapter, with the bytes of that moment. */
function stepsOfClosing(index: LocalIndex): () => Steps<void> {
  const noted: StorageCommand[] = []
  const { storage } = index
  const write = storage.write.bind(storage)
  storage.write = (block, count, bytes, at) => {
    noted.push({ op: StorageOp.Write, block, count, bytes: bytes.slice(at, at + count * 4096), at: 0 })
    write(block, count, bytes, at)
  }
  storage.flush = () => {
    noted.push({ op: StorageOp.Flush, block: 0, count: 0, bytes: new Uint8Array(0), at: 0 })
  }
  return function* (): Steps<void> {
    yield* noted
  }
}
