import { expect } from 'chai'
import { Bump } from '../../src/base/bump.js'
import { Prng } from '../../src/base/prng.js'
import { NO_PLACE, OpenChapter, OpenChapterMemory } from '../../src/uds/open-chapter.js'

function openChapter(capacity: number): OpenChapter {
  return new OpenChapter(new OpenChapterMemory(capacity, new Bump(new ArrayBuffer(capacity * 40 + 4096), 0)))
}

describe('an open chapter', () => {
  it('holds what a map holds, in the order in which it came', () => {
    const prng = new Prng(4)
    const chapter = openChapter(500)
    const names = Array.from({ length: 700 }, () => {
      const name = new Uint8Array(19)
      prng.fill(name)
      // Many names that look alike where they begin in the table.
      if (prng.chance(0.5)) name.fill(1, 11, 17)
      return name
    })
    for (let round = 0; round < 20; round++) {
      chapter.reset()
      const twin = new Map<Uint8Array, number>()
      const order: Uint8Array[] = []
      const data = new Uint8Array(20)
      let step = 0
      while (chapter.room > 0) {
        const name = prng.pick(names)
        data.fill(++step & 0xff, 4)
        if (prng.chance(0.15)) {
          chapter.remove(name, 3)
          twin.delete(name)
        } else {
          const left = chapter.put(name, 3, data, 4)
          if (!twin.has(name)) order.push(name)
          twin.set(name, step & 0xff)
          expect(left).to.equal(500 - order.length)
        }
        expect(chapter.size).to.equal(order.length)
      }
      for (const name of names) {
        const at = chapter.find(name, 3)
        const known = twin.get(name)
        if (known === undefined) expect(at).to.equal(NO_PLACE)
        else expect([...chapter.memory.records.subarray(at, at + 16)]).to.deep.equal(Array(16).fill(known))
      }
      order.forEach((name, i) => {
        expect(chapter.memory.records.subarray(32 * i, 32 * i + 16)).to.deep.equal(name.subarray(3))
      })
      // Full: nothing is entered, nor is anything changed.
      const before = chapter.memory.records.slice()
      data.fill(0xee)
      expect(chapter.put(order[499]!, 3, data, 4)).to.equal(0)
      expect(chapter.memory.records).to.deep.equal(before)
    }
  })
})
