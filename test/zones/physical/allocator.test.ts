import { expect } from 'chai'
import { Counter } from '../../../src/vio/counters.js'
import { Rig, TINY } from './rig.js'

/** Untouched slabs of 90 blocks have the priority of 67 free ones, rounded down to a power of two: 64. */
const DATA = TINY.slabDataBlocks

describe('the choice of the next block', () => {
  let rig: Rig

  beforeEach(async () => {
    rig = await Rig.loaded({ volume: TINY })
  })

  const slabOf = (block: number) => Math.floor((block - TINY.depotOrigin) / TINY.slabBlocks)

  /** Takes as many blocks as a slab has. */
  function fillSlab(): number[] {
    return Array.from({ length: DATA }, () => rig.write())
  }

  it('goes through the open slab to its end, whatever is freed behind it', () => {
    const first = rig.write()
    rig.drop(first)
    const rest = Array.from({ length: DATA - 1 }, () => rig.write())
    expect(rest[0]).to.equal(first + 1)
    expect(new Set(rest.map(slabOf)).size).to.equal(1)
    expect(rig.counter(Counter.SlabsOpened)).to.equal(1)
  })

  it('prefers a used slab with much room to an untouched one', () => {
    const blocks = fillSlab()
    const second = rig.write()
    expect(slabOf(second)).to.not.equal(slabOf(blocks[0]))
    for (const block of blocks.slice(0, 64)) rig.drop(block)
    for (let i = 1; i < DATA; i++) expect(slabOf(rig.write())).to.equal(slabOf(second))
    expect(rig.write()).to.equal(blocks[0])
    expect(rig.counter(Counter.SlabsReopened)).to.equal(1)
  })

  it('prefers an untouched slab to a used one with less room', () => {
    const blocks = fillSlab()
    for (let i = 0; i < DATA; i++) rig.write()
    for (const block of blocks.slice(0, 63)) rig.drop(block)
    expect([slabOf(blocks[0]), slabOf(rig.write())]).to.deep.equal([0, 2])
    expect(rig.counter(Counter.SlabsReopened)).to.equal(0)
  })

  it('takes slabs of equal room in turn, and one with more before them', () => {
    const all = Array.from({ length: TINY.slabCount }, fillSlab)
    expect(rig.write()).to.equal(0)
    for (const slab of [5, 3, 9]) for (const block of all[slab].slice(0, 4)) rig.drop(block)
    for (const block of all[7].slice(0, 8)) rig.drop(block)
    const slabs = Array.from({ length: 20 }, () => slabOf(rig.write()))
    expect(slabs).to.deep.equal([7, 7, 7, 7, 7, 7, 7, 7, 5, 5, 5, 5, 3, 3, 3, 3, 9, 9, 9, 9])
  })
})
