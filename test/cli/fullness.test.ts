import { expect } from 'chai'
import { FullnessWatch } from '../../src/cli/fullness.js'

describe('a volume that fills up', () => {
  const full = { physicalBlocks: 1000, overheadBlocksUsed: 100, dataBlocksUsed: 870, blockSize: 4096 }

  it('is warned of at each threshold once, and again after it had room', () => {
    const watch = new FullnessWatch()
    const look = (dataBlocksUsed: number): string | null =>
      watch.look({ ...full, dataBlocksUsed, mode: 'normal' })
    expect(look(0)).to.equal(null)
    expect(look(699)).to.equal(null)
    expect(look(700)).to.equal('The volume is 80 % full: 800.0K of physical space are left')
    expect(look(740)).to.equal(null)
    expect(look(860)).to.match(/is 96 % full/)
    expect(look(500)).to.equal(null)
    expect(look(760)).to.match(/is 86 % full/)
  })

  it('is not warned of while it recovers or is read-only, and nobody knows what is free', () => {
    const watch = new FullnessWatch()
    for (const mode of ['recovering', 'read-only']) expect(watch.look({ ...full, mode })).to.equal(null)
    expect(watch.look({ ...full, mode: 'normal' })).to.match(/is 97 % full/)
  })
})
