import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { NO_SLOT, PageCache, SlotState } from '../../src/uds/page-cache.js'

describe('a page cache', () => {
  it('agrees with a list of pages in the order of their use', () => {
    const prng = new Prng(11)
    const cache = new PageCache(6, new Int32Array(1))
    const reading = new Map<number, { page: number; chapter: number; dropped: boolean }>()
    /** The least recently used first. */
    let ready: { page: number; chapter: number }[] = []
    let dropped = 0
    let full = 0
    for (let step = 0; step < 20_000; step++) {
      const page = prng.below(30)
      const chapter = Math.floor(page / 5)
      const slot = cache.find(page)
      const isReading = [...reading.values()].some((read) => read.page === page && !read.dropped)
      const place = ready.findIndex((entry) => entry.page === page)
      expect(slot !== NO_SLOT).to.equal(isReading || place >= 0)
      if (place >= 0) {
        expect(cache.state(slot)).to.equal(SlotState.Ready)
        expect(cache.pageOf(slot)).to.equal(page)
        cache.touch(slot)
        ready.push(...ready.splice(place, 1))
      } else if (!isReading) {
        const hasRoom = reading.size < 6
        expect(cache.hasRoom).to.equal(hasRoom)
        const claimed = cache.claim(page, chapter)
        expect(claimed !== NO_SLOT).to.equal(hasRoom)
        if (!hasRoom) full++
        else {
          if (reading.size + ready.length === 6) ready.shift()
          reading.set(claimed, { page, chapter, dropped: false })
        }
      }
      if (prng.chance(0.6) && reading.size > 0) {
        const [ended, read] = prng.pick([...reading])
        reading.delete(ended)
        expect(cache.state(ended)).to.equal(read.dropped ? SlotState.Dropped : SlotState.Reading)
        if (read.dropped || prng.chance(0.1)) cache.release(ended)
        else {
          cache.ready(ended)
          ready.push({ page: read.page, chapter: read.chapter })
        }
      }
      if (prng.chance(0.02)) {
        const ending = prng.below(6)
        cache.dropChapter(ending)
        ready = ready.filter((entry) => entry.chapter !== ending)
        for (const read of reading.values()) if (read.chapter === ending) read.dropped = true
        dropped++
      }
    }
    for (let chapter = 0; chapter < 6; chapter++) cache.dropChapter(chapter)
    for (let page = 0; page < 30; page++) expect(cache.find(page)).to.equal(NO_SLOT)
    expect(full).to.be.greaterThan(100)
    expect(dropped).to.be.greaterThan(100)
  })
})
