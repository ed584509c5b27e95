import { expect } from 'chai'
import { requireCountMemory } from '../../src/host/configure-engine.js'
import { LoadKind } from '../../src/vio/volume.js'
import { SMALL_VOLUME } from '../zones/bench.js'

describe('the memory for reference counts', () => {
  const volume = { ...SMALL_VOLUME, slabCount: 8192, slabDataBlocks: 2 ** 23 - 2305 }

  it('is refused with both numbers where the machine has less', () => {
    expect(() => requireCountMemory(volume, 2 ** 33)).to.throw(
      'the counts of its 68700594176 data blocks take as many bytes of memory, and this machine has 8589934592',
    )
    requireCountMemory(volume, 2 ** 36)
  })

  it('is not needed to read a volume that is read-only', () => {
    requireCountMemory({ ...volume, load: LoadKind.ReadOnly }, 2 ** 33)
  })
})
