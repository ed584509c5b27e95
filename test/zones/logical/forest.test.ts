import { expect } from 'chai'
import { lbn, pbn } from '../../../src/base/ids.js'
import { isPageInitialized, readEntryPbn, writeEntry } from '../../../src/format/block-map-page.js'
import { Counter } from '../../../src/vio/counters.js'
import { Room } from '../../../src/vio/opcodes.js'
import { Forest, ROOT_HEIGHT } from '../../../src/zones/logical/forest.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

const LEAF = 812
const TREE = LEAF * 60

describe('a forest', () => {
  const grow = async (logicalBlocks: number, zone = 0, logical = 1) => {
    const bench = await Bench.make(
      SMALL_SHAPE,
      { ...SMALL_VOLUME, logicalBlocks },
      { ...ONE_OF_EACH, logical },
    )
    const context = bench.context(Room.Logical, zone)
    return { context, forest: new Forest(context) }
  }

  it('gives each interior page a row of its own', async () => {
    const { forest } = await grow(2 * LEAF * TREE)
    const far = lbn(LEAF * TREE)
    expect(forest.rowsOfTree).to.equal(5)
    const rows = new Set<number>()
    for (let root = 0; root < 60; root++) {
      for (let height = 1; height <= ROOT_HEIGHT; height++) {
        rows.add(forest.row(lbn(root * LEAF), height))
        rows.add(forest.row(lbn(far + root * LEAF), height))
      }
    }
    expect(rows.size).to.equal(60 * 5)
    expect(Math.max(...rows)).to.equal(forest.rows - 1)
    expect(forest.row(far, 1)).to.not.equal(forest.row(lbn(0), 1))
    expect(forest.row(far, 2)).to.equal(forest.row(lbn(0), 2))
  })

  it('numbers the slots on the way down as the disk has them', async () => {
    const { forest } = await grow(LEAF * TREE * 2)
    const here = lbn(LEAF * TREE + 3 * TREE + 7 * LEAF + 11)
    expect([0, 1, 2, 3].map((height) => forest.index(here, height))).to.deep.equal([LEAF + 3, 1, 0, 0])
    expect(forest.rootOf(here)).to.equal(7)
    expect(forest.rootPbn(7)).to.equal(47)
  })

  it('is divided by root', async () => {
    const seen = []
    for (let zone = 0; zone < 7; zone++) seen.push((await grow(100_000, zone, 7)).forest.rows / 4)
    expect(seen).to.deep.equal([9, 9, 9, 9, 8, 8, 8])
    const { forest } = await grow(100_000, 2, 7)
    expect(forest.row(lbn(2 * LEAF), 1)).to.be.lessThan(forest.rows)
    expect(() => forest.row(lbn(3 * LEAF), 1)).to.throw('own trees')
  })

  it('adopts a page that is valid, and makes an empty one of any other', async () => {
    const { context, forest } = await grow(100_000)
    const at = context.vios.bufferAt(context.pools.logical[0].first)
    const page = context.arena.subarray(at, at + 4096)
    const [first, second, third] = [0, LEAF, 2 * LEAF].map((n) => forest.row(lbn(n), 1))
    expect(context.counters[Counter.PrivateBytes]).to.equal(0)
    forest.create(first, pbn(200))
    expect(context.counters[Counter.PrivateBytes]).to.be.at.least(4096)
    writeEntry(forest.bytes(first), forest.at(first), 3, 999, 1)
    forest.bytes(first)[forest.at(first) + 32] = 1
    forest.snapshot(first, at)
    forest.adopt(second, pbn(200), at)
    expect(readEntryPbn(forest.bytes(second), forest.at(second), 3)).to.equal(999)
    page[32] = 0
    forest.adopt(third, pbn(201), at)
    expect(readEntryPbn(forest.bytes(third), forest.at(third), 3)).to.equal(0)
    expect(isPageInitialized(forest.bytes(third), forest.at(third))).to.equal(false)
    expect(forest.pagePbn(third)).to.equal(201)
  })
})
