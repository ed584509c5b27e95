import { expect } from 'chai'
import fc from 'fast-check'
import { FreeList, NONE_FREE } from '../../src/base/free-list.js'

describe('a free list', () => {
  it('starts with every index free, in order', () => {
    const list = new FreeList(3)
    expect([list.take(), list.take(), list.take(), list.take()]).to.deep.equal([0, 1, 2, NONE_FREE])
    expect(list.usedCount).to.equal(3)
  })

  it('gives each index to one user at a time, the one given back last first', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(5)), { maxLength: 60, size: 'max' }), (script) => {
        const list = new FreeList(6)
        const free = [5, 4, 3, 2, 1, 0]
        const used: number[] = []
        for (const give of script) {
          if (give === null) {
            const index = free.pop() ?? NONE_FREE
            expect(list.take()).to.equal(index)
            if (index !== NONE_FREE) used.push(index)
          } else if (used.length > 0) {
            const [index] = used.splice(give % used.length, 1)
            list.give(index!)
            free.push(index!)
          }
          expect(list.freeCount).to.equal(free.length)
        }
      }),
      { seed: 7, numRuns: 200 },
    )
  })

  it('refuses an index that is free or unknown', () => {
    const list = new FreeList(2)
    expect(() => list.give(1)).to.throw('in use')
    expect(() => list.give(9)).to.throw('in use')
  })
})
