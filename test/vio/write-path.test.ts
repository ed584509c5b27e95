import { expect } from 'chai'
import { lbn, pbn, vioIndex } from '../../src/base/ids.js'
import { Status } from '../../src/base/status.js'
import { CompressionStage, compressionStage, resetCompression } from '../../src/vio/compression.js'
import { BioOp, CpuOp, HashOp, JournalOp, LogicalOp, PackerOp, PhysicalOp } from '../../src/vio/opcodes.js'
import type { Placement } from '../../src/vio/placement.js'
import { IoKind, MappingState, VioFlag, type VioTable } from '../../src/vio/vio-table.js'
import * as path from '../../src/vio/write-path.js'
import { makeItinerary, stop } from './itineraries.js'

const VIO = vioIndex(7)
/** Slabs start at 100 and have 1,024 blocks; zone 1 has the odd ones. */
const IN_ZONE_1 = pbn(100 + 1024 + 5)
/** Leaves have 812 entries; zone 2 has leaf 2. */
const LBN_OF_ZONE_2 = lbn(2 * 812 + 3)

describe('the way of a write', () => {
  let vios: VioTable
  let place: Placement

  beforeEach(() => {
    ;({ vios, place } = makeItinerary())
    vios.flags[VIO] = VioFlag.Write
    vios.lbn[VIO] = LBN_OF_ZONE_2
    resetCompression(vios.compression, VIO)
  })

  it('needs a block for data, not for zeros nor for a whole discard', () => {
    const needs = (flags: number) => {
      vios.flags[VIO] = VioFlag.Write | flags
      return path.needsBlock(vios, VIO)
    }
    expect(needs(0)).to.equal(true)
    expect(needs(VioFlag.Partial)).to.equal(true)
    expect(needs(VioFlag.Discard | VioFlag.Partial)).to.equal(true)
    expect(needs(VioFlag.Zero)).to.equal(false)
    expect(needs(VioFlag.Discard)).to.equal(false)
    expect(needs(VioFlag.Discard | VioFlag.Partial | VioFlag.Zero)).to.equal(false)
  })

  it('is acknowledged early once, not for FUA, and for a discard with its last block', () => {
    expect(path.mayAcknowledge(vios, VIO)).to.equal(true)
    vios.remainingBlocks[VIO] = 1
    expect(path.mayAcknowledge(vios, VIO)).to.equal(false)
    vios.remainingBlocks[VIO] = 0
    vios.acknowledged[VIO] = 1
    expect(path.mayAcknowledge(vios, VIO)).to.equal(false)
    vios.acknowledged[VIO] = 0
    vios.flags[VIO] |= VioFlag.Fua
    expect(path.mayAcknowledge(vios, VIO)).to.equal(false)
  })

  it('leads from its name to the hash zone of the first byte', () => {
    expect(stop(path.afterAllocation(place, VIO))).to.deep.equal([CpuOp.Name, 1])
    vios.name[VIO * 4] = 0x0000_ff7f
    expect(stop(path.afterNaming(vios, place, VIO))).to.deep.equal([HashOp.Enter, 0])
    vios.name[VIO * 4] = 0x0000_0080
    expect(stop(path.afterNaming(vios, place, VIO))).to.deep.equal([HashOp.Enter, 1])
    expect(vios.hashZone[VIO]).to.equal(1)
  })

  it('leads to the candidate and back', () => {
    vios.duplicatePbn[VIO] = IN_ZONE_1
    vios.hashZone[VIO] = 1
    expect(stop(path.toDuplicateLock(vios, place, VIO))).to.deep.equal([PhysicalOp.LockDuplicate, 1])
    expect(stop(path.afterDuplicateLock(vios, VIO))).to.deep.equal([HashOp.DuplicateLocked, 1])
    expect(stop(path.toDuplicateUnlock(vios, place, VIO))).to.deep.equal([PhysicalOp.UnlockDuplicate, 1])
    expect(stop(path.afterDuplicateUnlock(vios, VIO))).to.deep.equal([HashOp.DuplicateUnlocked, 1])
  })

  it('leads through the compressor to the packer, or past it without a fragment', () => {
    expect(stop(path.toCompressor(place, VIO))).to.deep.equal([CpuOp.Compress, 1])
    vios.allocatedPbn[VIO] = IN_ZONE_1
    vios.fragmentSize[VIO] = 100
    expect(stop(path.afterCompression(vios, place, VIO))).to.deep.equal([PackerOp.Pack, 0])
    vios.fragmentSize[VIO] = 0
    expect(stop(path.afterCompression(vios, place, VIO))).to.deep.equal([BioOp.Write, 0])
    expect(stop(path.toEviction)).to.deep.equal([PackerOp.Evict, 0])
  })

  it('ends a plain write at the map, with the vio’s own block as the new one', () => {
    vios.allocatedPbn[VIO] = IN_ZONE_1
    expect(stop(path.toPlainWrite(vios, place, VIO))).to.deep.equal([BioOp.Write, 0])
    expect([vios.newPbn[VIO], vios.newState[VIO]]).to.deep.equal([IN_ZONE_1, MappingState.Uncompressed])
    expect([vios.ioKind[VIO], vios.ioPbn[VIO], vios.ioAt[VIO], vios.ioBlocks[VIO]]).to.deep.equal([
      IoKind.Data,
      IN_ZONE_1,
      vios.dataAt(VIO),
      1,
    ])
    expect(stop(vios.returnTo[VIO])).to.deep.equal([LogicalOp.ReadMapping, 2])
    expect(compressionStage(vios.compression, VIO)).to.equal(CompressionStage.After)
  })

  it('fails a plain write without a block for want of space', () => {
    expect(stop(path.toPlainWrite(vios, place, VIO))).to.deep.equal([LogicalOp.ReadMapping, 2])
    expect(vios.status[VIO]).to.equal(Status.NoSpace)
  })

  it('leads a packed block to the physical zone of its agent', () => {
    vios.allocatedPbn[VIO] = IN_ZONE_1
    expect(stop(path.toPackedWrite(vios, place, VIO))).to.deep.equal([BioOp.Write, 0])
    expect([vios.ioKind[VIO], vios.ioPbn[VIO], vios.ioAt[VIO]]).to.deep.equal([
      IoKind.Compressed,
      IN_ZONE_1,
      vios.compressedAt(VIO),
    ])
    expect(stop(vios.returnTo[VIO])).to.deep.equal([PhysicalOp.SharePacked, 1])
  })

  it('leads from the map through the journal to the counts, past the zero block, and back', () => {
    expect(stop(path.afterWrite(vios, place, VIO))).to.deep.equal([LogicalOp.ReadMapping, 2])
    expect(stop(path.toJournal)).to.deep.equal([JournalOp.Append, 0])
    vios.newPbn[VIO] = IN_ZONE_1
    expect(stop(path.toIncrement(vios, place, VIO))).to.deep.equal([PhysicalOp.Increment, 1])
    vios.newPbn[VIO] = pbn(0)
    expect(stop(path.toIncrement(vios, place, VIO))).to.deep.equal([LogicalOp.Incremented, 2])
    vios.mappedPbn[VIO] = IN_ZONE_1
    expect(stop(path.toDecrement(vios, place, VIO))).to.deep.equal([PhysicalOp.Decrement, 1])
    expect(stop(path.afterDecrement(vios, place, VIO))).to.deep.equal([LogicalOp.Decremented, 2])
  })

  it('leads a tree page the same way by its own stops', () => {
    expect(stop(path.treeToJournal)).to.deep.equal([JournalOp.AppendTree, 0])
    vios.newPbn[VIO] = IN_ZONE_1
    expect(stop(path.treeToIncrement(vios, place, VIO))).to.deep.equal([PhysicalOp.IncrementTree, 1])
    expect(stop(path.afterTreeIncrement(vios, place, VIO))).to.deep.equal([LogicalOp.TreeCounted, 2])
  })
})
