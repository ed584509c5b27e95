import { expect } from 'chai'
import { pagesOfTree } from '../../src/repair/tree-shape.js'

const LEAF = 812

describe('the trees of the block map', () => {
  const pages = (logicalBlocks: number, root: number) =>
    [0, 1, 2, 3].map((height) => pagesOfTree({ logicalBlocks, rootCount: 60 }, root, height))

  it('have leaves in turn, the first ones one more than the last', () => {
    expect(pages(61 * LEAF, 0)).to.deep.equal([2, 1, 1, 1])
    expect(pages(61 * LEAF, 1)).to.deep.equal([1, 1, 1, 1])
    expect(pages(60 * LEAF + 1, 0)).to.deep.equal([2, 1, 1, 1])
  })

  it('may have none', () => {
    expect(pages(LEAF, 0)).to.deep.equal([1, 1, 1, 1])
    expect(pages(LEAF, 1)).to.deep.equal([0, 0, 0, 0])
  })

  it('have a page above for each 812', () => {
    expect(pages(60 * LEAF * 813, 59)).to.deep.equal([813, 2, 1, 1])
  })
})
