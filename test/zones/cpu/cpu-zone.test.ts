import { expect } from 'chai'
import { pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { openCompressedBlock, writeFragmentSize } from '../../../src/format/compressed-block.js'
import {
  CompressionStage,
  cancelCompression,
  compressionStage,
  resetCompression,
} from '../../../src/vio/compression.js'
import { BioOp, CpuOp, HashOp, hop, LogicalOp, PackerOp, PhysicalOp, Room } from '../../../src/vio/opcodes.js'
import { MappingState, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import type { ZoneContext } from '../../../src/vio/zone-context.js'
import { CpuZone } from '../../../src/zones/cpu/cpu-zone.js'
import { Bench } from '../bench.js'

const VIO = vioIndex(3)
const OTHER = vioIndex(5)

describe('a cpu zone', () => {
  let bench: Bench
  let context: ZoneContext
  let vios: VioTable
  let cpu: CpuZone

  beforeEach(async () => {
    bench = await Bench.make()
    context = bench.context(Room.Cpu)
    vios = context.vios
    cpu = new CpuZone(context)
    for (const vio of [VIO, OTHER]) {
      vios.flags[vio] = VioFlag.Write
      vios.hashLock[vio] = -1
      resetCompression(vios.compression, vio)
    }
  })

  const block = (at: number) => context.arena.subarray(at, at + 4096)
  const noise = (at: number, seed: number, bytes = 4096) => {
    block(at).fill(0)
    new Prng(seed).fill(context.arena.subarray(at, at + bytes))
  }
  const name = (vio: VioIndex) => Array.from(vios.name.subarray(vio * 4, vio * 4 + 4))

  describe('naming', () => {
    it('gives equal data equal names and sends the vio to the hash zone of its name', () => {
      noise(vios.dataAt(VIO), 1)
      noise(vios.dataAt(OTHER), 1)
      cpu.receive(CpuOp.Name, VIO)
      cpu.receive(CpuOp.Name, OTHER)
      expect(name(VIO)).to.deep.equal(name(OTHER))
      expect(bench.takeAll().map((sent) => [sent.op, sent.operand])).to.deep.equal([
        [HashOp.Enter, VIO],
        [HashOp.Enter, OTHER],
      ])
      expect(vios.hashZone[VIO]).to.equal(0)
    })

    it('gives different data different names', () => {
      noise(vios.dataAt(VIO), 1)
      noise(vios.dataAt(OTHER), 2)
      cpu.receive(CpuOp.Name, VIO)
      cpu.receive(CpuOp.Name, OTHER)
      expect(name(VIO)).to.not.deep.equal(name(OTHER))
    })

    it('sends a failed vio to give its block back', () => {
      vios.fail(VIO, Status.IoError)
      vios.allocatedPbn[VIO] = pbn(101)
      cpu.receive(CpuOp.Name, VIO)
      expect(bench.takeAll()).to.deep.equal([{ op: PhysicalOp.ReleaseAllocation, zone: 0, operand: VIO }])
    })
  })

  describe('compressing', () => {
    it('leaves the fragment behind the header space and goes to the packer', () => {
      noise(vios.dataAt(VIO), 1, 1900)
      cpu.receive(CpuOp.Compress, VIO)
      const size = vios.fragmentSize[VIO]
      expect(size).to.be.within(1900, 1960)
      expect(compressionStage(vios.compression, VIO)).to.equal(CompressionStage.Compressing)
      bench.expect(PackerOp.Pack)
      const whole = context.native.decompress(vios.compressedAt(VIO) + 36, size, vios.scratchAt(VIO))
      expect(whole).to.equal(true)
      expect(context.native.equal(vios.dataAt(VIO), vios.scratchAt(VIO), 4096)).to.equal(true)
    })

    it('writes noise as it is', () => {
      noise(vios.dataAt(VIO), 1)
      vios.allocatedPbn[VIO] = pbn(101)
      cpu.receive(CpuOp.Compress, VIO)
      expect(vios.fragmentSize[VIO]).to.equal(0)
      bench.expect(BioOp.Write)
      expect(vios.ioAt[VIO]).to.equal(vios.dataAt(VIO))
    })

    it('refuses a fragment that fills the payload', () => {
      // Between sizes that fit and sizes that do not, no fragment of 4,060 bytes or more gets through.
      vios.allocatedPbn[VIO] = pbn(101)
      for (let random = 4010; random <= 4096; random++) {
        noise(vios.dataAt(VIO), random, random)
        resetCompression(vios.compression, VIO)
        cpu.receive(CpuOp.Compress, VIO)
        expect(vios.fragmentSize[VIO]).to.be.below(4060)
      }
    })

    it('does nothing for a vio that someone waits for', () => {
      noise(vios.dataAt(VIO), 1, 100)
      vios.allocatedPbn[VIO] = pbn(101)
      cancelCompression(vios.compression, VIO)
      cpu.receive(CpuOp.Compress, VIO)
      bench.expect(BioOp.Write)
    })
  })

  /** Packs the data of OTHER as fragment `slot` of the compressed block of VIO. */
  const packedBlock = (slot: number) => {
    const at = vios.compressedAt(VIO)
    openCompressedBlock(context.arena, at)
    let start = 36
    for (let before = 0; before < slot; before++) {
      writeFragmentSize(context.arena, at, before, 10)
      start += 10
    }
    const size = context.native.compress(vios.dataAt(OTHER), at + start, 4000)
    writeFragmentSize(context.arena, at, slot, size)
  }

  describe('verifying', () => {
    it('knows an equal candidate from a different one', () => {
      noise(vios.dataAt(VIO), 1)
      noise(vios.scratchAt(VIO), 1)
      vios.duplicateState[VIO] = MappingState.Uncompressed
      cpu.receive(CpuOp.Verify, VIO)
      bench.expect(HashOp.Verified)
      expect(vios.isDuplicate[VIO]).to.equal(1)
      context.arena[vios.scratchAt(VIO) + 4095] ^= 1
      cpu.receive(CpuOp.Verify, VIO)
      bench.expect(HashOp.Verified)
      expect(vios.isDuplicate[VIO]).to.equal(0)
    })

    it('decodes the fragment that the candidate is', () => {
      noise(vios.dataAt(VIO), 1, 500)
      noise(vios.dataAt(OTHER), 1, 500)
      packedBlock(3)
      vios.duplicateState[VIO] = MappingState.CompressedBase + 3
      cpu.receive(CpuOp.Verify, VIO)
      expect(vios.isDuplicate[VIO]).to.equal(1)
      vios.duplicateState[VIO] = MappingState.CompressedBase + 4
      cpu.receive(CpuOp.Verify, VIO)
      expect(vios.isDuplicate[VIO]).to.equal(0)
      expect(vios.status[VIO]).to.equal(Status.Success)
    })

    it('takes a candidate that cannot be read for a different one, and forgets the error', () => {
      noise(vios.dataAt(VIO), 1)
      noise(vios.scratchAt(VIO), 1)
      vios.duplicateState[VIO] = MappingState.Uncompressed
      vios.fail(VIO, Status.IoError)
      cpu.receive(CpuOp.Verify, VIO)
      bench.expect(HashOp.Verified)
      expect(vios.isDuplicate[VIO]).to.equal(0)
      expect(vios.status[VIO]).to.equal(Status.Success)
    })
  })

  describe('expanding', () => {
    beforeEach(() => {
      noise(vios.dataAt(OTHER), 1, 500)
      packedBlock(0)
      vios.mappedState[VIO] = MappingState.CompressedBase
      vios.flags[VIO] = VioFlag.Read
    })

    it('gives a read its data', () => {
      cpu.receive(CpuOp.Uncompress, VIO)
      bench.expect(LogicalOp.Release)
      expect(vios.status[VIO]).to.equal(Status.Success)
      expect(context.native.equal(vios.dataAt(VIO), vios.dataAt(OTHER), 4096)).to.equal(true)
    })

    it('fails on a damaged block', () => {
      context.arena[vios.compressedAt(VIO)] = 2
      cpu.receive(CpuOp.Uncompress, VIO)
      bench.expect(LogicalOp.Release)
      expect(vios.status[VIO]).to.equal(Status.InvalidFragment)
    })

    it('keeps the error of the device', () => {
      vios.fail(VIO, Status.IoError)
      cpu.receive(CpuOp.Uncompress, VIO)
      expect(vios.status[VIO]).to.equal(Status.IoError)
    })

    it('merges a partial write at once', () => {
      vios.flags[VIO] = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
      vios.partialOffset[VIO] = 512
      vios.partialLength[VIO] = 1024
      block(vios.scratchAt(VIO)).fill(0xaa)
      cpu.receive(CpuOp.Uncompress, VIO)
      expect(bench.takeAll().map((sent) => sent.op)).to.deep.equal([LogicalOp.ReadDone])
      const expected = block(vios.dataAt(OTHER)).slice()
      expected.fill(0xaa, 512, 1536)
      expect(Buffer.compare(block(vios.dataAt(VIO)), expected)).to.equal(0)
    })

    it('sends a partial write home whose old data is damaged', () => {
      vios.flags[VIO] = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
      context.arena[vios.compressedAt(VIO)] = 2
      cpu.receive(CpuOp.Uncompress, VIO)
      expect(bench.takeAll().map((sent) => sent.op)).to.deep.equal([LogicalOp.Release])
      expect(vios.status[VIO]).to.equal(Status.InvalidFragment)
    })
  })

  describe('merging', () => {
    beforeEach(() => {
      vios.flags[VIO] = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
      vios.partialOffset[VIO] = 100
      vios.partialLength[VIO] = 3
    })

    it('notices that a block became zero', () => {
      block(vios.dataAt(VIO)).fill(0)
      block(vios.dataAt(VIO)).fill(7, 100, 103)
      block(vios.scratchAt(VIO)).fill(0)
      cpu.receive(CpuOp.Merge, VIO)
      bench.expect(LogicalOp.ReadDone)
      expect(vios.flags[VIO]).to.equal(VioFlag.Write | VioFlag.Partial | VioFlag.Zero)
    })

    it('notices that a block is zero no more', () => {
      vios.flags[VIO] |= VioFlag.Zero
      block(vios.dataAt(VIO)).fill(0)
      block(vios.scratchAt(VIO)).fill(1)
      cpu.receive(CpuOp.Merge, VIO)
      expect(vios.flags[VIO]).to.equal(VioFlag.Write | VioFlag.Partial)
      expect(block(vios.dataAt(VIO)).reduce((sum, byte) => sum + byte)).to.equal(3)
    })
  })

  it('refuses a message that is not its own', () => {
    expect(() => cpu.receive(hop(BioOp.Read, 0) as never, VIO)).to.throw('a cpu zone knows its messages')
  })
})
