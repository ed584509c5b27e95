import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'

const draw = (prng: Prng, count: number) => Array.from({ length: count }, () => prng.u32())

describe('the random number generator', () => {
  it('repeats itself for the same seed', () => {
    expect(draw(new Prng(42), 100)).to.deep.equal(draw(new Prng(42), 100))
  })

  it('differs for seeds that differ in one bit, high or low', () => {
    const streams = [0, 1, 2, 2 ** 32, 2 ** 33, -1, 2 ** 52].map((seed) => draw(new Prng(seed), 4).join())
    expect(new Set(streams).size).to.equal(streams.length)
  })

  it('keeps to its limits and reaches every value', () => {
    const prng = new Prng(7)
    const seen = new Set<number>()
    for (let i = 0; i < 1000; i++) seen.add(prng.between(3, 12))
    expect([...seen].sort((a, b) => a - b)).to.deep.equal([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    for (let i = 0; i < 1000; i++) expect(prng.below(2 ** 40)).to.be.within(0, 2 ** 40 - 1)
    expect(prng.below(1)).to.equal(0)
  })

  it('spreads evenly over a range', () => {
    const prng = new Prng(1)
    const counts = Array.from({ length: 16 }, () => 0)
    for (let i = 0; i < 16_000; i++) counts[prng.below(16)]!++
    for (const count of counts) expect(count).to.be.within(850, 1150)
  })

  it('takes a chance as often as told', () => {
    const prng = new Prng(3)
    let hits = 0
    for (let i = 0; i < 10_000; i++) if (prng.chance(0.25)) hits++
    expect(hits).to.be.within(2300, 2700)
    expect(prng.chance(0)).to.equal(false)
    expect(prng.chance(1)).to.equal(true)
  })

  it('forks into a stream that later draws do not shift', () => {
    const one = new Prng(9)
    const two = new Prng(9)
    const forkOne = one.fork()
    const forkTwo = two.fork()
    draw(one, 10)
    expect(draw(forkOne, 10)).to.deep.equal(draw(forkTwo, 10))
  })

  it('fills every byte, whatever the length', () => {
    const bytes = new Uint8Array(13)
    new Prng(5).fill(bytes)
    expect(bytes.filter((byte) => byte === 0).length).to.be.lessThan(3)
  })
})
