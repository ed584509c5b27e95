import { expect } from 'chai'
import { lbn, pbn, vioIndex } from '../../src/base/ids.js'
import { afterAllocationLock, afterHashLock, toCleanup } from '../../src/vio/cleanup-path.js'
import { HashOp, LogicalOp, PhysicalOp } from '../../src/vio/opcodes.js'
import type { Placement } from '../../src/vio/placement.js'
import type { VioTable } from '../../src/vio/vio-table.js'
import { makeItinerary, stop } from './itineraries.js'

const VIO = vioIndex(7)

describe('the way home', () => {
  let vios: VioTable
  let place: Placement

  beforeEach(() => {
    ;({ vios, place } = makeItinerary())
    vios.lbn[VIO] = lbn(812)
    vios.hashZone[VIO] = 1
  })

  it('leads out of the hash lock, out of the allocation, out of the lbn lock', () => {
    vios.hashLock[VIO] = 0
    vios.allocatedPbn[VIO] = pbn(100 + 1024)
    expect(stop(toCleanup(vios, place, VIO))).to.deep.equal([HashOp.Continue, 1])
    expect(stop(afterHashLock(vios, place, VIO))).to.deep.equal([PhysicalOp.ReleaseAllocation, 1])
    expect(stop(afterAllocationLock(vios, place, VIO))).to.deep.equal([LogicalOp.Release, 1])
  })

  it('skips the hash lock for a vio that holds none', () => {
    vios.hashLock[VIO] = -1
    vios.allocatedPbn[VIO] = pbn(100)
    expect(stop(toCleanup(vios, place, VIO))).to.deep.equal([PhysicalOp.ReleaseAllocation, 0])
  })

  it('skips both for a vio that holds nothing', () => {
    vios.hashLock[VIO] = -1
    expect(stop(toCleanup(vios, place, VIO))).to.deep.equal([LogicalOp.Release, 1])
  })
})
