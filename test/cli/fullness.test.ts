import { expect } from 'chai'
import { FullnessWatch } from '../../src/cli/fullness.js'

describe('a volume that fills up', () => {
  it('is warned of at each threshold once, and again after it had room', () => {
    const watch = new FullnessWatch()
    const look = (dataBlocksUsed: number): string | null =>
      watch.look({ physicalBlocks: 1000, overheadBlocksUsed: 100, dataBlocksUsed, blockSize: 4096 })
    expect(look(0)).to.equal(null)
    expect(look(699)).to.equal(null)
    expect(look(700)).to.equal('The volume is 80 % full: 800.0K of physical space are left')
    expect(look(740)).to.equal(null)
    expect(look(860)).to.match(/is 96 % full/)
    expect(look(500)).to.equal(null)
    expect(look(760)).to.match(/is 86 % full/)
  })
})
