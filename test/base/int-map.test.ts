import { expect } from 'chai'
import fc from 'fast-check'
import { IntMap, NONE, PairMap } from '../../src/base/int-map.js'

type Step = { do: 'put' | 'remove' | 'get'; key: number; value: number }

/** Few distinct keys, so that runs collide and removals shift; some beyond 32 bits. */
const key = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 40 }).map((n) => n * 2 ** 32),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
)
const steps = fc.array(
  fc.record<Step>({
    do: fc.constantFrom('put', 'put', 'remove', 'get'),
    key,
    value: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  }),
  { maxLength: 300, size: 'max' },
)

describe('an integer map', () => {
  it('behaves like a Map through growth and removal', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const map = new IntMap()
        const twin = new Map<number, number>()
        for (const step of script) {
          const old = twin.get(step.key) ?? NONE
          if (step.do === 'put') {
            expect(map.put(step.key, step.value)).to.equal(old)
            twin.set(step.key, step.value)
          } else if (step.do === 'remove') {
            expect(map.remove(step.key)).to.equal(old)
            twin.delete(step.key)
          } else {
            expect(map.get(step.key)).to.equal(old)
          }
        }
        const seen = new Map<number, number>()
        map.forEach((k, v) => seen.set(k, v))
        expect(seen).to.deep.equal(twin)
        expect(map.size).to.equal(twin.size)
        for (const [k, v] of twin) expect(map.get(k)).to.equal(v)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  it('holds ten thousand neighbours and gives them all back', () => {
    const map = new IntMap()
    for (let k = 0; k < 10_000; k++) map.put(k * 256, k)
    for (let k = 0; k < 10_000; k += 2) expect(map.remove(k * 256)).to.equal(k)
    for (let k = 0; k < 10_000; k++) expect(map.get(k * 256)).to.equal(k % 2 === 0 ? NONE : k)
  })

  it('forgets everything when cleared', () => {
    const map = new IntMap(8)
    map.put(5, 6)
    map.clear()
    expect(map.size).to.equal(0)
    expect(map.has(5)).to.equal(false)
  })

  it('refuses a value that reads as missing and a key out of range', () => {
    expect(() => new IntMap().put(1, NONE)).to.throw('other than NONE')
    expect(() => new IntMap().put(-1, 1)).to.throw('2^53')
  })
})

describe('a pair map', () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  const pairSteps = fc.array(
    fc.record({
      do: fc.constantFrom('put', 'put', 'remove', 'get'),
      low: word,
      high: word,
      value: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    }),
    { maxLength: 300, size: 'max' },
  )

  it('behaves like a Map through growth and removal', () => {
    fc.assert(
      fc.property(pairSteps, (script) => {
        const map = new PairMap()
        const twin = new Map<string, number>()
        for (const step of script) {
          const name = `${step.low} ${step.high}`
          const old = twin.get(name) ?? NONE
          if (step.do === 'put') {
            expect(map.put(step.low, step.high, step.value)).to.equal(old)
            twin.set(name, step.value)
          } else if (step.do === 'remove') {
            expect(map.remove(step.low, step.high)).to.equal(old)
            twin.delete(name)
          } else {
            expect(map.get(step.low, step.high)).to.equal(old)
          }
        }
        const seen = new Map<string, number>()
        map.forEach((low, high, value) => seen.set(`${low} ${high}`, value))
        expect(seen).to.deep.equal(twin)
        expect(map.size).to.equal(twin.size)
      }),
      { seed: 2, numRuns: 200 },
    )
  })

  it('finds a word given signed that was put unsigned', () => {
    const map = new PairMap()
    map.put(0xffffffff, 0x80000000, 3)
    expect(map.get(-1, -0x80000000)).to.equal(3)
  })
})
