import { expect } from 'chai'
import { Bump } from '../../src/base/bump.js'
import { Boards } from '../../src/vio/boards.js'

describe('the boards', () => {
  it('keep counts of use, however wrong they were, to what a super block can say', () => {
    const boards = new Boards(new Bump(new SharedArrayBuffer(2 ** 20), 0), 1)
    boards.logicalBlocksUsed = 0
    boards.logicalBlocksUsed--
    expect(boards.logicalBlocksUsed).to.equal(0)
    boards.logicalBlocksUsed = 2 ** 53
    boards.logicalBlocksUsed++
    expect(boards.logicalBlocksUsed).to.equal(2 ** 40)
    boards.blockMapDataBlocks = -5
    expect(boards.blockMapDataBlocks).to.equal(0)
    boards.blockMapDataBlocks = 2 ** 63
    expect(boards.blockMapDataBlocks).to.equal(2 ** 36)
  })
})
