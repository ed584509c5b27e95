import { expect } from 'chai'
import fc from 'fast-check'
import { MemoryIndex } from '../../src/uds/memory-index.js'

type Name = [number, number, number, number]

/** A Map in the order of use, first the one to be forgotten. */
class Twin {
  readonly map = new Map<string, [number, number]>()
  discarded = 0

  constructor(private readonly capacity: number) {}

  query(name: Name): [number, number] | undefined {
    const key = name.join()
    const entry = this.map.get(key)
    if (entry !== undefined) {
      this.map.delete(key)
      this.map.set(key, entry)
    }
    return entry
  }

  put(name: Name, entry: [number, number]): void {
    this.map.delete(name.join())
    if (this.map.size === this.capacity) {
      this.map.delete(this.map.keys().next().value!)
      this.discarded++
    }
    this.map.set(name.join(), entry)
  }
}

describe('the index in memory', () => {
  const name = fc
    .tuple(fc.nat(1), fc.nat(2), fc.nat(1), fc.nat(1))
    .map((words) => words.map((word) => (word * 0xffff_fff1) >>> 0) as Name)
  const step = fc.record({
    kind: fc.constantFrom('query', 'post', 'update'),
    name,
    pbn: fc.nat(2 ** 31).map((n) => n * 32),
    state: fc.integer({ min: 1, max: 15 }),
  })

  it('behaves like a map that forgets what was not used for longest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 200 }), (capacity, script) => {
        const index = new MemoryIndex(capacity)
        const twin = new Twin(capacity)
        for (const { kind, name, pbn, state } of script) {
          const advice = { pbn: -1, state: -1 }
          const expected = twin.query(name)
          if (kind === 'update') {
            expect(index.update(...name, pbn, state)).to.equal(expected !== undefined)
            twin.put(name, [pbn, state])
          } else {
            const found =
              kind === 'query' ? index.query(...name, advice) : index.post(...name, pbn, state, advice)
            expect(found ? [advice.pbn, advice.state] : undefined).to.deep.equal(expected)
            if (kind === 'post' && !found) twin.put(name, [pbn, state])
          }
          expect(index.size).to.equal(twin.map.size)
          expect(index.discarded).to.equal(twin.discarded)
        }
      }),
      { seed: 4, numRuns: 200 },
    )
  })
})
