import { expect } from 'chai'
import { type Pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Status } from '../../../src/base/status.js'
import { Counter } from '../../../src/vio/counters.js'
import { AdminOp, BioOp, hop, JournalOp, Room } from '../../../src/vio/opcodes.js'
import { IoFlag, IoKind, type VioTable } from '../../../src/vio/vio-table.js'
import { BioZone } from '../../../src/zones/bio/bio-zone.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'
import { ManualDevice, PromptDevice } from './manual-device.js'

const BACK = JournalOp.Written
const OFFSET = 10

describe('the bio room', () => {
  let bench: Bench
  let vios: VioTable
  let next: number

  beforeEach(async () => {
    bench = await Bench.make(SMALL_SHAPE, { ...SMALL_VOLUME, bioOffset: OFFSET }, ONE_OF_EACH)
    ;({ vios } = bench.arena)
    next = 0
  })

  /** A vio aimed at a device block. */
  function aim(block: number, kind = IoKind.Data, flags = 0): VioIndex {
    const vio = vioIndex(next++)
    vios.status[vio] = Status.Success
    vios.aim(vio, kind, (block + OFFSET) as Pbn, vios.dataAt(vio), flags, hop(BACK, 0))
    return vio
  }

  const sentBack = () => bench.takeAll().map(({ op, operand }) => (op === BACK ? operand : `op ${op}`))

  describe('with a device that is done at once', () => {
    let device: PromptDevice
    let bio: BioZone

    beforeEach(() => {
      device = new PromptDevice()
      bio = new BioZone(bench.context(Room.Bio), device)
    })

    it('syncs before and after all writes of a pass, most urgent kind first', () => {
      bio.receive(BioOp.Write, aim(1))
      bio.receive(BioOp.Write, aim(2, IoKind.Metadata))
      bio.receive(BioOp.Write, aim(3, IoKind.Journal, IoFlag.Preflush | IoFlag.Fua))
      bio.receive(BioOp.Write, aim(4, IoKind.Compressed))
      bio.receive(BioOp.Write, aim(5, IoKind.PageCache, IoFlag.Preflush))
      bio.receive(BioOp.Flush, aim(0))
      expect(device.take()).to.equal('')
      bio.endPass()
      expect(device.take()).to.equal('f w3 w2 w5 w1 w4 f')
      expect(sentBack()).to.deep.equal([5, 1, 4, 0, 3, 2])
      expect(bio.poll()).to.equal(false)
    })

    it('reads when it is alone, and syncs for nobody', () => {
      bio.receive(BioOp.Read, aim(7))
      bio.receive(BioOp.Write, aim(8))
      bio.endPass()
      expect(device.take()).to.equal('r7 w8')
      expect(sentBack()).to.deep.equal([0, 1])
    })

    it('sends a vio that came with an error back untouched', () => {
      const vio = aim(7)
      vios.status[vio] = Status.NoSpace
      bio.receive(BioOp.Write, vio)
      bio.endPass()
      expect(device.take()).to.equal('')
      expect(sentBack()).to.deep.equal([vio])
    })

    it('says which write failed and makes no promise for it', () => {
      device.failWrites = true
      const vio = aim(7, IoKind.Journal, IoFlag.Fua)
      bio.receive(BioOp.Write, vio)
      bio.endPass()
      expect(device.take()).to.equal('w7')
      expect(vios.status[vio]).to.equal(Status.IoError)
      expect(sentBack()).to.deep.equal([vio])
    })

    it('fails all that a failed sync covered, and never trusts the device with it again', () => {
      device.failSyncs = true
      const flush = aim(0)
      const careful = aim(3, IoKind.Journal, IoFlag.Preflush | IoFlag.Fua)
      const plain = aim(4)
      bio.receive(BioOp.Flush, flush)
      bio.receive(BioOp.Write, careful)
      bio.receive(BioOp.Write, plain)
      bio.endPass()
      expect(device.take()).to.equal('f')
      expect(vios.status[flush]).to.equal(Status.IoError)
      expect(vios.status[careful]).to.equal(Status.IoError)
      expect(vios.status[plain]).to.equal(Status.ReadOnly)
      expect(bench.expect(AdminOp.ReadOnly).operand).to.equal(Status.IoError)
      expect(bench.arena.boards.readOnlyReason).to.equal(Status.IoError)
      expect(sentBack()).to.deep.equal([flush, careful, plain])

      device.failSyncs = false
      const later = aim(5, IoKind.Metadata, IoFlag.Preflush)
      next = bench.arena.pools.admin.first
      const alone = aim(6, IoKind.Metadata, IoFlag.Fua)
      bio.receive(BioOp.Write, later)
      bio.receive(BioOp.Write, alone)
      bio.endPass()
      expect(device.take()).to.equal('w6 f')
      expect(vios.status[later]).to.equal(Status.IoError)
      expect(vios.status[alone]).to.equal(Status.Success)
    })

    it('writes nothing but the super block once the volume is read-only', () => {
      const data = aim(1)
      const journal = aim(2, IoKind.Journal, IoFlag.Fua)
      next = bench.arena.pools.admin.first
      const superBlock = aim(3, IoKind.Metadata, IoFlag.Fua)
      for (const vio of [data, journal, superBlock]) bio.receive(BioOp.Write, vio)
      bench.arena.boards.setReadOnlyReason(Status.BadPage)
      bio.endPass()
      expect(device.take()).to.equal('w3 f')
      expect(vios.status[data]).to.equal(Status.ReadOnly)
      expect(vios.status[journal]).to.equal(Status.ReadOnly)
      expect(vios.status[superBlock]).to.equal(Status.Success)
    })

    it('refuses whoever disturbs a volume at rest', () => {
      bench.arena.boards.atRest = true
      for (const op of [BioOp.Read, BioOp.Write, BioOp.Flush]) {
        expect(() => bio.receive(op, aim(7))).to.throw('a volume at rest leaves its store alone')
      }
    })

    it('writes nothing once the engine is halted', () => {
      const vio = aim(7)
      bio.receive(BioOp.Write, vio)
      bench.arena.boards.halt()
      bio.endPass()
      expect(device.take()).to.equal('')
      expect(vios.status[vio]).to.equal(Status.EngineHalted)
    })

    it('counts by kind, when an I/O starts and when it is done, and what is metadata as such', () => {
      const { counters } = bench.context(Room.Bio)
      bio.receive(BioOp.Write, aim(1))
      bio.receive(BioOp.Read, aim(2, IoKind.Compressed))
      bio.receive(BioOp.Write, aim(3, IoKind.Journal, IoFlag.Preflush | IoFlag.Fua))
      bio.receive(BioOp.Flush, aim(0, IoKind.PageCache))
      bio.receive(BioOp.Flush, aim(0))
      const family = (first: Counter) => [...counters.subarray(first, first + 5)]
      expect(family(Counter.BiosOutCompletedRead)).to.deep.equal([0, 0, 0, 0, 0])
      expect(family(Counter.BiosMetaCompletedRead)).to.deep.equal([0, 0, 0, 0, 0])
      bio.endPass()
      // Reads, writes, empty flushes, flushes, FUA.
      for (const [started, completed, counts] of [
        [Counter.BiosOutRead, Counter.BiosOutCompletedRead, [1, 1, 0, 0, 0]],
        [Counter.BiosMetaRead, Counter.BiosMetaCompletedRead, [0, 1, 1, 2, 1]],
        [Counter.BiosJournalRead, Counter.BiosJournalCompletedRead, [0, 1, 0, 1, 1]],
        [Counter.BiosPageCacheRead, Counter.BiosPageCacheCompletedRead, [0, 0, 1, 1, 0]],
      ] as const) {
        expect(family(started)).to.deep.equal(counts)
        expect(family(completed)).to.deep.equal(counts)
      }
      expect(counters[Counter.FlushOut]).to.equal(1)
    })

    it('counts what fails as completed', () => {
      const { counters } = bench.context(Room.Bio)
      device.failSyncs = true
      bio.receive(BioOp.Flush, aim(0, IoKind.Journal))
      bio.endPass()
      bio.receive(BioOp.Write, aim(5, IoKind.Metadata, IoFlag.Preflush))
      bio.receive(BioOp.Write, aim(6))
      bench.arena.boards.halt()
      bio.endPass()
      expect(counters[Counter.BiosMetaCompletedEmptyFlush]).to.equal(1)
      expect(counters[Counter.BiosMetaCompletedWrite]).to.equal(1)
      expect(counters[Counter.BiosOutCompletedWrite]).to.equal(1)
    })
  })

  describe('with a device that is done later', () => {
    let device: ManualDevice
    let bio: BioZone

    beforeEach(() => {
      device = new ManualDevice()
      bio = new BioZone(bench.context(Room.Bio), device)
    })

    it('keeps a write behind its preflush, and its answer behind its sync', () => {
      const careful = aim(3, IoKind.Journal, IoFlag.Preflush | IoFlag.Fua)
      bio.receive(BioOp.Write, careful)
      bio.receive(BioOp.Write, aim(4))
      bio.endPass()
      expect(device.underWay).to.equal('f w4')
      expect(bio.poll()).to.equal(false)
      device.complete()
      expect(bio.poll()).to.equal(true)
      bio.endPass()
      expect(device.underWay).to.equal('w4 w3')
      device.complete()
      device.complete()
      expect(sentBack()).to.deep.equal([1])
      bio.endPass()
      expect(device.underWay).to.equal('f')
      device.complete()
      expect(sentBack()).to.deep.equal([careful])
    })

    it('lets those who come during a sync share the next one', () => {
      const first = aim(0)
      bio.receive(BioOp.Flush, first)
      bio.endPass()
      const second = aim(0)
      const third = aim(5, IoKind.Metadata, IoFlag.Preflush)
      bio.receive(BioOp.Flush, second)
      bio.receive(BioOp.Write, third)
      bio.endPass()
      expect(device.underWay).to.equal('f')
      device.complete()
      expect(sentBack()).to.deep.equal([first])
      bio.endPass()
      expect(device.underWay).to.equal('f')
      device.complete()
      expect(sentBack()).to.deep.equal([second])
      bio.endPass()
      expect(device.underWay).to.equal('w5')
    })

    it('gives the place on the device and as many blocks as asked for', () => {
      const vio = aim(5, IoKind.Metadata)
      vios.ioBlocks[vio] = 3
      bio.receive(BioOp.Write, vio)
      bio.endPass()
      expect(device.requests[0]).to.include({ block: 5, count: 3, at: vios.dataAt(vio), tag: vio })
    })
  })
})
