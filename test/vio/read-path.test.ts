import { expect } from 'chai'
import { lbn, pbn, vioIndex } from '../../src/base/ids.js'
import { BioOp, CpuOp, HashOp, LogicalOp } from '../../src/vio/opcodes.js'
import type { Placement } from '../../src/vio/placement.js'
import { afterData, afterMerge, afterVerification, toMappedRead, toVerify } from '../../src/vio/read-path.js'
import { IoKind, MappingState, VioFlag, type VioTable } from '../../src/vio/vio-table.js'
import { makeItinerary, stop } from './itineraries.js'

const VIO = vioIndex(7)

describe('the way of a read', () => {
  let vios: VioTable
  let place: Placement

  beforeEach(() => {
    ;({ vios, place } = makeItinerary())
    vios.flags[VIO] = VioFlag.Read
    vios.lbn[VIO] = lbn(812)
    vios.mappedPbn[VIO] = pbn(105)
  })

  it('reads a block straight into place', () => {
    vios.mappedState[VIO] = MappingState.Uncompressed
    expect(stop(toMappedRead(vios, place, VIO))).to.deep.equal([BioOp.Read, 2])
    expect([vios.ioKind[VIO], vios.ioPbn[VIO], vios.ioAt[VIO]]).to.deep.equal([
      IoKind.Data,
      105,
      vios.dataAt(VIO),
    ])
    expect(stop(vios.returnTo[VIO])).to.deep.equal([LogicalOp.Release, 1])
  })

  it('reads a packed block beside it and expands the fragment', () => {
    vios.mappedState[VIO] = MappingState.CompressedBase
    toMappedRead(vios, place, VIO)
    expect([vios.ioKind[VIO], vios.ioAt[VIO]]).to.deep.equal([IoKind.Compressed, vios.compressedAt(VIO)])
    expect(stop(vios.returnTo[VIO])).to.deep.equal([CpuOp.Uncompress, 1])
  })

  it('merges what a partial write reads, then goes on as a write', () => {
    vios.flags[VIO] = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
    vios.mappedState[VIO] = MappingState.Uncompressed
    toMappedRead(vios, place, VIO)
    expect(stop(vios.returnTo[VIO])).to.deep.equal([CpuOp.Merge, 1])
    expect(stop(afterData(vios, place, VIO))).to.deep.equal([CpuOp.Merge, 1])
    expect(stop(afterMerge(vios, place, VIO))).to.deep.equal([LogicalOp.ReadDone, 1])
  })

  it('reads a candidate into the scratch block, or its packed block beside it, never over the data', () => {
    vios.hashZone[VIO] = 1
    vios.duplicatePbn[VIO] = pbn(106)
    vios.duplicateState[VIO] = MappingState.Uncompressed
    expect(stop(toVerify(vios, place, VIO))).to.deep.equal([BioOp.Read, 2])
    expect([vios.ioPbn[VIO], vios.ioAt[VIO]]).to.deep.equal([106, vios.scratchAt(VIO)])
    vios.duplicateState[VIO] = MappingState.CompressedBase + 13
    toVerify(vios, place, VIO)
    expect(vios.ioAt[VIO]).to.equal(vios.compressedAt(VIO))
    expect(stop(vios.returnTo[VIO])).to.deep.equal([CpuOp.Verify, 1])
    expect(stop(afterVerification(vios, VIO))).to.deep.equal([HashOp.Verified, 1])
  })
})
