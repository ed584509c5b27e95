import { expect } from 'chai'
import { pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { findFragment, readFragmentSize } from '../../../src/format/compressed-block.js'
import {
  advanceCompression,
  CompressionStage,
  cancelCompression,
  compressionStage,
  mayCompress,
  resetCompression,
} from '../../../src/vio/compression.js'
import { Counter } from '../../../src/vio/counters.js'
import { Mark } from '../../../src/vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  LogicalOp,
  opOfHop,
  PackerOp,
  PhysicalOp,
  Room,
} from '../../../src/vio/opcodes.js'
import { IoKind, MappingState, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import type { ZoneContext } from '../../../src/vio/zone-context.js'
import { PackerZone } from '../../../src/zones/packer/packer-zone.js'
import { Bench, SMALL_SHAPE } from '../bench.js'

const CANCELER = vioIndex(60)

describe('the packer', () => {
  let bench: Bench
  let context: ZoneContext
  let vios: VioTable
  let packer: PackerZone
  let next = 0
  /** The generation that the next write joins. */
  let generation = 0

  const open = async (shape = SMALL_SHAPE) => {
    bench = await Bench.make(shape)
    context = bench.context(Room.Packer)
    vios = context.vios
    packer = new PackerZone(context)
    context.boards.compressing = true
    next = 0
    generation = 0
  }
  beforeEach(() => open())

  /** A vio whose fragment of `size` bytes is full of a byte of its own. */
  const fragment = (size: number): VioIndex => {
    const vio = vioIndex(next++)
    vios.flags[vio] = VioFlag.Write
    vios.status[vio] = Status.Success
    vios.hashLock[vio] = 0
    vios.flushGeneration[vio] = generation
    vios.allocatedPbn[vio] = pbn(200 + vio)
    vios.fragmentSize[vio] = size
    const at = vios.compressedAt(vio) + 36
    context.arena.fill(vio + 1, at, at + size)
    resetCompression(vios.compression, vio)
    advanceCompression(vios.compression, vio)
    return vio
  }

  const pack = (size: number): VioIndex => {
    const vio = fragment(size)
    packer.receive(PackerOp.Pack, vio)
    return vio
  }

  const inPacker = () => context.counters[Counter.CompressedFragmentsInPacker]

  /** Everything that was sent: plain writes, and packed blocks with their members in order of slots. */
  const written = () => {
    const plain: number[] = []
    const packed: number[][] = []
    for (const { op, operand } of bench.takeAll()) {
      expect(op).to.equal(BioOp.Write)
      const vio = vioIndex(operand)
      if (opOfHop(vios.returnTo[vio]) === LogicalOp.ReadMapping) {
        expect(vios.ioKind[vio]).to.equal(IoKind.Data)
        expect(vios.newPbn[vio]).to.equal(vios.allocatedPbn[vio])
        expect(vios.newState[vio]).to.equal(MappingState.Uncompressed)
        expect(mayCompress(vios.compression, vio)).to.equal(false)
        plain.push(vio)
      } else {
        expect(opOfHop(vios.returnTo[vio])).to.equal(PhysicalOp.SharePacked)
        expect(vios.ioKind[vio]).to.equal(IoKind.Compressed)
        expect(vios.ioPbn[vio]).to.equal(vios.allocatedPbn[vio])
        packed.push(batch(vio))
      }
    }
    return { plain, packed }
  }

  /** The members of a packed block, after a look at every fragment. */
  const batch = (agent: VioIndex): number[] => {
    const members: number[] = []
    const block = vios.compressedAt(agent)
    for (let vio = agent; vio >= 0; vio = vios.packedNext[vio]) {
      const slot = members.length
      expect(vios.packedSlot[vio]).to.equal(slot)
      const start = block + findFragment(context.arena, block, slot)
      const size = readFragmentSize(context.arena, block, slot)
      expect(size).to.equal(vios.fragmentSize[vio])
      const bytes = context.arena.subarray(start, start + size)
      expect(bytes.every((byte) => byte === vio + 1)).to.equal(true)
      expect(compressionStage(vios.compression, vio)).to.equal(CompressionStage.After)
      members.push(vio)
    }
    for (let slot = members.length; slot < 14; slot++) {
      expect(readFragmentSize(context.arena, block, slot)).to.equal(0)
    }
    return members
  }

  const flush = () => {
    context.boards.closingGeneration = generation++
    packer.receive(PackerOp.CloseGeneration, 0)
  }

  describe('filling bins', () => {
    it('lets a lone fragment wait', () => {
      const vio = pack(1000)
      expect(bench.sent).to.deep.equal([])
      expect(compressionStage(vios.compression, vio)).to.equal(CompressionStage.Packing)
      expect(inPacker()).to.equal(1)
    })

    it('writes a bin when its fourteenth slot is taken', () => {
      for (let i = 0; i < 13; i++) pack(100)
      expect(bench.sent).to.deep.equal([])
      pack(100)
      const { packed } = written()
      expect(packed[0]).to.have.members([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
      expect(inPacker()).to.equal(0)
      expect(context.counters[Counter.CompressedBlocksWritten]).to.equal(1)
      expect(context.counters[Counter.CompressedFragmentsWritten]).to.equal(14)
    })

    it('writes a bin when its last byte is taken', () => {
      pack(2000)
      pack(2060)
      expect(written().packed[0]).to.have.members([0, 1])
    })

    it('prefers the bin that fits best', () => {
      pack(3000)
      pack(2000) // Does not fit beside the first: a bin of its own, with 2060 bytes free.
      pack(1060) // Fills the first exactly, though the second has room too.
      expect(written().packed).to.deep.equal([[2, 0]])
      pack(2060)
      expect(written().packed).to.deep.equal([[3, 1]])
    })

    it('writes the fullest bin when none has room', async () => {
      await open({ ...SMALL_SHAPE, packerBins: 2 })
      pack(1500)
      pack(1500)
      pack(1500)
      expect(bench.sent).to.deep.equal([])
      pack(2700) // 1060 and 2560 bytes are free; the bin with 3000 bytes goes.
      expect(written().packed[0]).to.have.members([0, 1])
      pack(1360)
      expect(written().packed[0]).to.have.members([3, 4])
      expect(inPacker()).to.equal(1)
    })

    it('rejects a fragment that is as big as all that the fullest bin holds', async () => {
      await open({ ...SMALL_SHAPE, packerBins: 2 })
      pack(2100)
      pack(2200)
      pack(2200)
      expect(written()).to.deep.equal({ plain: [2], packed: [] })
      expect(inPacker()).to.equal(2)
      pack(2199) // One byte less than the fullest bin's: the lone fragment in it makes room.
      expect(written()).to.deep.equal({ plain: [1], packed: [] })
      expect(inPacker()).to.equal(2)
    })
  })

  describe('refusing', () => {
    const refused = (vio: VioIndex) => {
      expect(written()).to.deep.equal({ plain: [vio], packed: [] })
      expect(inPacker()).to.equal(0)
    }

    it('fragments of a generation that is closed', () => {
      const old = fragment(100)
      flush()
      packer.receive(PackerOp.Pack, old)
      refused(old)
      pack(100)
      expect(bench.sent).to.deep.equal([])
    })

    it('fragments that someone waits for', () => {
      const vio = fragment(100)
      expect(cancelCompression(vios.compression, vio)).to.equal(false)
      packer.receive(PackerOp.Pack, vio)
      refused(vio)
    })

    it('everything while compression is off', () => {
      context.boards.compressing = false
      refused(pack(100))
    })

    it('everything in read-only mode', () => {
      packer.receive(PackerOp.EnterReadOnly, 0)
      refused(pack(100))
    })

    it('everything between suspend and resume', () => {
      packer.receive(PackerOp.Administer, AdminCommand.Suspend)
      bench.expect(AdminOp.PhaseDone)
      refused(pack(100))
      packer.receive(PackerOp.Administer, AdminCommand.Resume)
      bench.expect(AdminOp.PhaseDone)
      pack(100)
      expect(bench.sent).to.deep.equal([])
    })

    it('a failed vio, which leaves by its hash lock', () => {
      const vio = fragment(100)
      vios.fail(vio, Status.IoError)
      packer.receive(PackerOp.Pack, vio)
      expect(bench.takeAll().map((sent) => sent.op)).to.not.include(BioOp.Write)
    })
  })

  describe('emptying bins', () => {
    it('on a flush: pairs packed, lone ones plain', () => {
      pack(3000)
      pack(1000)
      pack(2000)
      flush()
      const { plain, packed } = written()
      expect(packed).to.deep.equal([[1, 0]])
      expect(plain).to.deep.equal([2])
      expect(inPacker()).to.equal(0)
      flush()
      expect(bench.sent).to.deep.equal([])
    })

    it('when compression is turned off', () => {
      pack(100)
      packer.receive(PackerOp.SetCompression, 0)
      expect(written().plain).to.deep.equal([0])
      expect(context.boards.compressing).to.equal(false)
      packer.receive(PackerOp.SetCompression, 1)
      pack(100)
      expect(bench.sent).to.deep.equal([])
    })

    it('when read-only mode begins', () => {
      pack(100)
      packer.receive(PackerOp.EnterReadOnly, 0)
      expect(written().plain).to.deep.equal([0])
    })

    it('when the front end waits for all to come home, until the packer is resumed', () => {
      pack(100)
      packer.receive(PackerOp.LetGo, 0)
      expect(written().plain).to.deep.equal([0])
      pack(100)
      expect(written().plain).to.deep.equal([1])
      packer.receive(PackerOp.Administer, AdminCommand.Suspend)
      bench.expect(AdminOp.PhaseDone)
      packer.receive(PackerOp.Administer, AdminCommand.Resume)
      bench.expect(AdminOp.PhaseDone)
      pack(100)
      expect(bench.sent).to.deep.equal([])
    })

    it('when suspended, before it answers', () => {
      pack(100)
      packer.receive(PackerOp.Administer, AdminCommand.Save)
      expect(bench.sent.map((sent) => sent.op)).to.deep.equal([BioOp.Write, AdminOp.PhaseDone])
    })
  })

  describe('evicting', () => {
    /** What a waiter does on its own thread; the message follows later. */
    const cancel = (holder: VioIndex) => {
      expect(cancelCompression(vios.compression, holder)).to.equal(true)
      vios.lockHolder[CANCELER] = holder
    }
    const evict = () => packer.receive(PackerOp.Evict, CANCELER)

    it('takes the one that is waited for out of its bin', () => {
      const [first, second, third] = [pack(1000), pack(1000), pack(1000)]
      cancel(first)
      evict()
      expect(written().plain).to.deep.equal([first])
      expect(inPacker()).to.equal(2)
      expect(context.counters[Mark.PackerEvictions]).to.equal(1)
      flush()
      expect(written().packed[0]).to.have.members([second, third])
    })

    it('gives its room back', () => {
      const first = pack(2000)
      const second = pack(1000)
      cancel(first)
      evict()
      written()
      pack(3060)
      expect(written().packed[0]).to.have.members([second, 2])
    })

    it('keeps a canceled one back from a batch until its canceler comes', () => {
      const [first, second, third] = [pack(1000), pack(1000), pack(1000)]
      cancel(second)
      flush()
      expect(written()).to.deep.equal({ plain: [], packed: [[third, first]] })
      expect(inPacker()).to.equal(1)
      evict()
      expect(written()).to.deep.equal({ plain: [second], packed: [] })
      expect(inPacker()).to.equal(0)
    })

    it('writes the only one left of a pair plainly', () => {
      const [first, second] = [pack(1000), pack(1000)]
      cancel(second)
      flush()
      expect(written()).to.deep.equal({ plain: [first], packed: [] })
      evict()
      expect(written().plain).to.deep.equal([second])
    })

    it('leaves an empty bin with all its room', async () => {
      await open({ ...SMALL_SHAPE, packerBins: 1 })
      const first = pack(4000)
      cancel(first)
      flush()
      expect(bench.sent).to.deep.equal([])
      pack(4059)
      expect(bench.sent).to.deep.equal([])
      expect(inPacker()).to.equal(2)
    })

    it('is waited for by suspend', () => {
      const vio = pack(1000)
      cancel(vio)
      packer.receive(PackerOp.Administer, AdminCommand.Suspend)
      expect(bench.sent).to.deep.equal([])
      evict()
      expect(bench.sent.map((sent) => sent.op)).to.deep.equal([BioOp.Write, AdminOp.PhaseDone])
    })

    it('refuses to evict whom it does not hold', () => {
      vios.lockHolder[CANCELER] = fragment(100)
      expect(evict).to.throw('whoever is evicted is in a bin')
    })
  })

  it('neither loses nor doubles a fragment, whatever happens', () => {
    const prng = new Prng(11)
    const waiting = new Set<number>()
    const canceled: VioIndex[] = []
    const home = () => {
      const { plain, packed } = written()
      for (const vio of [...plain, ...packed.flat()]) {
        expect(waiting.delete(vio)).to.equal(true)
      }
      for (const members of packed) {
        expect(members.length).to.be.within(2, 14)
        const sum = members.reduce((total, vio) => total + vios.fragmentSize[vio], 0)
        expect(sum).to.be.at.most(4060)
      }
    }
    for (let step = 0; step < 20_000; step++) {
      const dice = prng.below(100)
      if (dice < 70) {
        next = prng.below(50)
        if (waiting.has(next)) continue
        waiting.add(next)
        pack(prng.chance(0.5) ? prng.between(1, 600) : prng.between(1, 4059))
      } else if (dice < 85 && waiting.size > 0) {
        const vio = prng.pick([...waiting]) as VioIndex
        if (cancelCompression(vios.compression, vio)) canceled.push(vio)
      } else if (dice < 98) {
        const holder = canceled.shift()
        if (holder === undefined) continue
        vios.lockHolder[CANCELER] = holder
        packer.receive(PackerOp.Evict, CANCELER)
      } else {
        flush()
      }
      home()
      expect(inPacker()).to.equal(waiting.size)
    }
    flush()
    home()
    expect(waiting.size).to.equal(canceled.length)
    expect(context.counters[Counter.CompressedBlocksWritten]).to.be.above(1000)
    expect(context.counters[Mark.PackerEvictions]).to.be.above(1000)
  })
})
