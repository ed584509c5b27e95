import { expect } from 'chai'
import { type Lbn, type Pbn, vioIndex } from '../../src/base/ids.js'
import { Placement } from '../../src/vio/placement.js'
import { ONE_OF_EACH, SMALL_VOLUME } from '../zones/bench.js'

const LEAF = 812
const { depotOrigin, slabBlocks, slabCount, slabDataBlocks } = SMALL_VOLUME

describe('placement', () => {
  const of = (counts: Partial<typeof ONE_OF_EACH>) =>
    new Placement(SMALL_VOLUME, { ...ONE_OF_EACH, ...counts })

  it('deals leaves to the 60 trees, and trees to the logical zones', () => {
    const place = of({ logical: 7 })
    const zone = (block: number) => place.logicalZone(block as Lbn)
    expect([0, LEAF - 1, LEAF, 6 * LEAF, 7 * LEAF].map(zone)).to.deep.equal([0, 0, 1, 6, 0])
    // Tree 59 is of zone 3, tree 0 comes again after it.
    expect([59 * LEAF, 60 * LEAF, 61 * LEAF].map(zone)).to.deep.equal([3, 0, 1])
  })

  it('deals slabs to the physical zones', () => {
    const place = of({ physical: 3 })
    const zone = (slab: number, offset: number) =>
      place.physicalZone((depotOrigin + slab * slabBlocks + offset) as Pbn)
    expect([0, 1, 2, 3, 7].map((slab) => zone(slab, 0))).to.deep.equal([0, 1, 2, 0, 1])
    expect(zone(4, slabBlocks - 1)).to.equal(1)
  })

  it('tells data blocks from all others', () => {
    const place = of({})
    const end = depotOrigin + slabCount * slabBlocks
    for (const block of [depotOrigin, depotOrigin + slabDataBlocks - 1, depotOrigin + slabBlocks])
      expect(place.isDataBlock(block), String(block)).to.equal(true)
    const others = [0, depotOrigin - 1, depotOrigin + slabDataBlocks, depotOrigin + slabBlocks - 1, end]
    for (const block of others) expect(place.isDataBlock(block), String(block)).to.equal(false)
  })

  it('tells where a page of the map may lie', () => {
    const place = of({})
    const { rootOrigin, rootCount } = SMALL_VOLUME
    for (const block of [rootOrigin, rootOrigin + rootCount - 1, depotOrigin])
      expect(place.isMapPage(block), String(block)).to.equal(true)
    const others = [0, rootOrigin - 1, depotOrigin + slabDataBlocks]
    for (const block of others) expect(place.isMapPage(block), String(block)).to.equal(false)
  })

  it('gives each hash zone its share of first bytes, in order', () => {
    const place = of({ hash: 100 })
    expect([0, 2, 3, 128, 255].map((byte) => place.hashZone(byte))).to.deep.equal([0, 0, 1, 50, 99])
    const zones = new Set(Array.from({ length: 256 }, (_, byte) => place.hashZone(byte)))
    expect(zones.size).to.equal(100)
  })

  it('writes in one place, and reads beside it where there is another', () => {
    const readers = (bio: number) => [0, 1, 2, 3].map((vio) => of({ bio }).reader(vioIndex(vio)))
    expect(readers(1)).to.deep.equal([0, 0, 0, 0])
    expect(readers(3)).to.deep.equal([1, 2, 1, 2])
    expect(of({ bio: 3 }).writer).to.equal(0)
  })
})
