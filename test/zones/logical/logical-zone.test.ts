import { expect } from 'chai'
import { type VioIndex, ZERO_BLOCK } from '../../../src/base/ids.js'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { readEntryPbn, writeEntry } from '../../../src/format/block-map-page.js'
import { CompressionStage, cancelCompression, mayCompress } from '../../../src/vio/compression.js'
import { Counter } from '../../../src/vio/counters.js'
import { Mark } from '../../../src/vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  CpuOp,
  FlushOp,
  FrontOp,
  JournalOp,
  LogicalOp,
  PackerOp,
  PhysicalOp,
  RepairStep,
  Room,
} from '../../../src/vio/opcodes.js'
import { MappingState, VioFlag } from '../../../src/vio/vio-table.js'
import { LogicalZone } from '../../../src/zones/logical/logical-zone.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'
import { Stage } from './stage.js'

const LEAF = 812
/** From a leaf to the next one of the same tree. */
const TREE = 60 * LEAF

describe('a logical zone', () => {
  let stage: Stage

  beforeEach(async () => {
    stage = await Stage.make()
    stage.run()
  })

  const ops = () => stage.bench.sent.map(({ op }) => op)
  const blockOf = (vio: VioIndex) =>
    stage.context.arena.subarray(stage.vios.dataAt(vio), stage.vios.dataAt(vio) + 4096)

  /** Where a block is, as a read finds it. */
  const lookUp = (lbn: number, on = stage): [pbn: number, state: number] => {
    const vio = on.read(lbn)
    on.run()
    expect(on.home.get(vio)).to.equal(Status.Success)
    return on.vios.pagePbn[vio] === 0 ? [0, 0] : [on.vios.mappedPbn[vio], on.vios.mappedState[vio]]
  }

  it('refuses an lbn beyond the logical size', () => {
    const vio = stage.read(100_000)
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.OutOfRange)
    expect(stage.readOnlyReason).to.equal(null)
  })

  it('reads zeros where nothing was written, and allocates nothing for it', () => {
    const vio = stage.vio(VioFlag.Read, 5)
    blockOf(vio).fill(7)
    stage.launch(vio)
    expect(ops()).to.deep.equal([BioOp.Read])
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.Success)
    expect(blockOf(vio).every((byte) => byte === 0)).to.equal(true)
    expect(stage.disk.log).to.deep.equal(['r40'])
  })

  it('allocates a tree from the top down for the first write, each page journaled', () => {
    const vio = stage.write(5)
    stage.step(BioOp.Read)
    const pages: number[][] = []
    for (let height = 3; height >= 0; height--) {
      stage.step(PhysicalOp.AllocateTree)
      const { vios } = stage
      pages.push([
        vios.pagePbn[vio],
        vios.pageSlot[vio],
        vios.newPbn[vio],
        vios.newState[vio],
        vios.mappedPbn[vio],
      ])
      stage.step(JournalOp.AppendTree)
    }
    expect(pages).to.deep.equal([
      [40, 0, 100, 1, 0],
      [100, 0, 101, 1, 0],
      [101, 0, 102, 1, 0],
      [102, 0, 103, 1, 0],
    ])
    expect(ops()).to.deep.equal([PhysicalOp.Allocate])
    expect(stage.vios.allocatedPbn[vio]).to.equal(ZERO_BLOCK)
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.Success)
    expect(lookUp(5)).to.deep.equal([104, MappingState.Uncompressed])
    expect(stage.counter(Mark.TreePagesAllocated)).to.equal(4)
  })

  it('hands old and new mapping to the journal and updates the map after increment and decrement', () => {
    stage.write(5)
    stage.run()
    const vio = stage.write(5)
    stage.step(PhysicalOp.Allocate)
    expect(ops()).to.deep.equal([JournalOp.Append])
    stage.bench.takeAll()
    expect(stage.vios.mappedPbn[vio]).to.equal(104)
    expect(stage.vios.mappedState[vio]).to.equal(MappingState.Uncompressed)
    stage.vios.journalSequence[vio] = stage.sequence
    stage.zone.receive(LogicalOp.Decremented, vio)
    expect(ops()).to.deep.equal([])
    stage.zone.receive(LogicalOp.Incremented, vio)
    expect(ops()).to.deep.equal([PhysicalOp.ReleaseAllocation])
    stage.run()
    expect(lookUp(5)).to.deep.equal([105, MappingState.Uncompressed])
  })

  it('does not wait for a decrement when nothing was journaled', () => {
    stage.write(5)
    stage.run()
    const vio = stage.write(5)
    stage.step(PhysicalOp.Allocate)
    stage.bench.takeAll()
    stage.vios.fail(vio, Status.ReadOnly)
    stage.zone.receive(LogicalOp.Incremented, vio)
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.ReadOnly)
    expect(stage.readOnlyReason).to.equal(Status.ReadOnly)
  })

  it('counts each journaled entry as taken over exactly once', () => {
    stage.entriesPerBlock = 100
    stage.write(5)
    stage.write(6, VioFlag.Zero)
    stage.run()
    expect(stage.context.journalLocks.entriesTaken(1)).to.equal(6)
    const vio = stage.write(5)
    stage.step(PhysicalOp.Allocate)
    stage.bench.takeAll()
    stage.vios.journalSequence[vio] = 1
    stage.vios.decrementStatus[vio] = Status.ReferenceCountInvalid
    stage.zone.receive(LogicalOp.Decremented, vio)
    stage.zone.receive(LogicalOp.Incremented, vio)
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.ReferenceCountInvalid)
    expect(stage.context.journalLocks.entriesTaken(1)).to.equal(7)
  })

  it('maps a zero write to the zero block and acknowledges it before the journal', () => {
    const vio = stage.write(5, VioFlag.Zero)
    stage.runBut(JournalOp.Append)
    expect(stage.acknowledged.has(vio)).to.equal(true)
    expect(stage.vios.newState[vio]).to.equal(MappingState.Uncompressed)
    expect(stage.vios.newPbn[vio]).to.equal(0)
    stage.run()
    expect(lookUp(5)).to.deep.equal([0, MappingState.Uncompressed])
  })

  it('does not acknowledge a zero write that must be durable first', () => {
    const vio = stage.write(5, VioFlag.Zero | VioFlag.Fua)
    stage.run()
    expect(stage.acknowledged.has(vio)).to.equal(false)
    expect(stage.home.get(vio)).to.equal(Status.Success)
  })

  it('merges a partial write with what was there before it writes', () => {
    stage.write(5)
    stage.run()
    stage.disk.log.length = 0
    const vio = stage.write(5, VioFlag.Partial | VioFlag.Unmerged)
    expect(ops()).to.deep.equal([BioOp.Read])
    stage.step(BioOp.Read)
    expect(stage.disk.log).to.deep.equal(['r104'])
    expect(ops()).to.deep.equal([PhysicalOp.Allocate])
    stage.run()
    expect(stage.home.get(vio)).to.equal(Status.Success)
    const fresh = stage.write(6, VioFlag.Partial | VioFlag.Unmerged)
    expect(ops()).to.deep.equal([CpuOp.Merge])
    expect(blockOf(fresh).every((byte) => byte === 0)).to.equal(true)
  })

  it('fails a read of an impossible entry, and lets a write replace it', () => {
    stage.write(5)
    stage.run()
    // The one leaf in use is the first page of the cache.
    writeEntry(stage.context.arena, stage.context.pagesAt, 5, ZERO_BLOCK, MappingState.CompressedBase)
    const read = stage.read(5)
    stage.run()
    expect(stage.home.get(read)).to.equal(Status.BadMapping)
    expect(stage.readOnlyReason).to.equal(null)
    stage.write(5)
    stage.run()
    expect(lookUp(5)).to.deep.equal([105, MappingState.Uncompressed])
  })

  it('spreads allocations over the physical zones', async () => {
    const bench = await Bench.make({ ...SMALL_SHAPE, allocationsPerZone: 2 }, SMALL_VOLUME, {
      ...ONE_OF_EACH,
      physical: 3,
    })
    const zone = new LogicalZone(bench.context(Room.Logical))
    expect(Array.from({ length: 8 }, () => zone.allocationZone())).to.deep.equal([0, 0, 1, 1, 2, 2, 0, 0])
  })

  describe('when blocks are contended for', () => {
    it('lets one vio work on an lbn and passes the lock on in order', () => {
      const a = stage.write(5)
      const b = stage.write(5)
      const c = stage.read(5)
      stage.runBut(PhysicalOp.Allocate)
      expect(stage.bench.sent.map((sent) => sent.operand)).to.deep.equal([a])
      stage.step(PhysicalOp.Allocate)
      stage.runBut(PhysicalOp.Allocate)
      expect(stage.bench.sent.map((sent) => sent.operand)).to.deep.equal([b])
      expect([...stage.home.keys()]).to.deep.equal([a])
      stage.run()
      expect([...stage.home.keys()]).to.deep.equal([a, b, c])
      expect(stage.vios.mappedPbn[c]).to.equal(stage.vios.newPbn[b])
    })

    it('serves a read from a writer that has a block, and makes it wait for one that has not', () => {
      const writer = stage.vio(VioFlag.Write, 5)
      blockOf(writer).fill(9)
      stage.launch(writer)
      stage.runBut(PhysicalOp.Allocate)
      const early = stage.read(5)
      expect(ops()).to.deep.equal([PhysicalOp.Allocate])
      Atomics.store(stage.vios.allocationSucceeded, writer, 1)
      const late = stage.read(5)
      expect(stage.bench.expect(FrontOp.Release).operand).to.equal(late)
      expect(blockOf(late).every((byte) => byte === 9)).to.equal(true)
      expect(stage.counter(Mark.ReadsServedFromWriters)).to.equal(1)
      stage.run()
      expect(stage.home.get(early)).to.equal(Status.Success)
    })

    it('does not serve the read half of a partial write', () => {
      const writer = stage.write(5)
      Atomics.store(stage.vios.allocationSucceeded, writer, 1)
      stage.write(5, VioFlag.Partial | VioFlag.Unmerged)
      expect(ops()).to.not.include(FrontOp.Release)
    })

    it('takes a holder out of the packer, once', () => {
      const holder = stage.write(5)
      stage.runBut(PhysicalOp.Allocate)
      Atomics.store(stage.vios.compression, holder, CompressionStage.Packing)
      const first = stage.write(5)
      const second = stage.write(5)
      const evict = stage.bench.expect(PackerOp.Evict)
      expect(evict.operand).to.equal(first)
      expect(stage.vios.lockHolder[first]).to.equal(holder)
      expect(ops()).to.not.include(PackerOp.Evict)
      expect(mayCompress(stage.vios.compression, holder)).to.equal(false)
      stage.run()
      expect(stage.home.get(second)).to.equal(Status.Success)
    })

    it('forbids a new holder to linger while others wait for it', () => {
      stage.write(5)
      const heir = stage.write(5)
      const last = stage.write(5)
      stage.runBut(PhysicalOp.Allocate)
      stage.step(PhysicalOp.Allocate)
      stage.runBut(PhysicalOp.Allocate)
      expect(mayCompress(stage.vios.compression, heir)).to.equal(false)
      expect(mayCompress(stage.vios.compression, last)).to.equal(true)
      stage.run()
    })

    it('lets vios that need the same tree pages wait for whoever brings them', () => {
      const writes = [5, 6, 7, TREE + 5].map((lbn) => stage.write(lbn))
      const read = stage.read(8)
      expect(ops()).to.deep.equal([BioOp.Read])
      stage.run()
      for (const vio of writes) expect(stage.home.get(vio)).to.equal(Status.Success)
      expect(stage.home.get(read)).to.equal(Status.Success)
      // A root page, a page each of heights 3, 2 and 1, and two leaves.
      expect(stage.counter(Mark.TreePagesAllocated)).to.equal(5)
    })
  })

  describe('out of space', () => {
    it('fails writes that need a tree page, unacknowledged, and lets reads be zeros', () => {
      stage.noSpace = true
      const writes = [stage.write(5), stage.write(6)]
      const read = stage.read(7)
      const discard = stage.discard(8)
      stage.run()
      for (const vio of writes) expect(stage.home.get(vio)).to.equal(Status.NoSpace)
      expect(stage.home.get(read)).to.equal(Status.Success)
      expect(stage.home.get(discard)).to.equal(Status.Success)
      expect(stage.readOnlyReason).to.equal(null)
    })

    it('goes read-only when an acknowledged write fails', () => {
      const vio = stage.write(5)
      stage.runBut(PhysicalOp.Allocate)
      stage.vios.acknowledged[vio] = 1
      stage.noSpace = true
      expect(stage.context.boards.hasLostWrite).to.equal(false)
      stage.run()
      expect(stage.readOnlyReason).to.equal(Status.NoSpace)
      expect(stage.context.boards.hasLostWrite).to.equal(true)
    })
  })

  describe('discarding', () => {
    it('unmaps block by block and acknowledges only the last', () => {
      for (const lbn of [5, 6]) stage.write(lbn)
      stage.run()
      const vio = stage.discard(5, 3)
      stage.runBut(JournalOp.Append)
      expect(stage.acknowledged.has(vio)).to.equal(false)
      stage.run()
      expect(stage.home.get(vio)).to.equal(Status.Success)
      expect(stage.acknowledged.has(vio)).to.equal(true)
      for (const lbn of [5, 6, 7]) expect(lookUp(lbn)).to.deep.equal([0, MappingState.Unmapped])
    })

    it('passes over what has no leaf in one step', () => {
      stage.write(LEAF + 1)
      stage.run()
      const vio = stage.discard(5, LEAF)
      let launches = 1
      for (;;) {
        stage.runBut(LogicalOp.Launch)
        if (stage.bench.sent.length === 0) break
        launches++
        stage.step(LogicalOp.Launch)
      }
      // One for leaf 0, then each block of leaf 1 up to the fifth.
      expect(launches).to.equal(6)
      expect(stage.home.get(vio)).to.equal(Status.Success)
      expect(lookUp(LEAF + 1)).to.deep.equal([0, MappingState.Unmapped])
      expect(stage.counter(Mark.TreePagesAllocated)).to.equal(4)
    })

    it('forgets everything about a block before it walks to the next', () => {
      stage.write(5)
      stage.run()
      const vio = stage.discard(5, 2)
      Atomics.store(stage.vios.allocationSucceeded, vio, 1)
      stage.vios.duplicateLock[vio] = 3
      cancelCompression(stage.vios.compression, vio)
      stage.runBut(LogicalOp.Launch)
      expect(mayCompress(stage.vios.compression, vio)).to.equal(true)
      expect(Atomics.load(stage.vios.allocationSucceeded, vio)).to.equal(0)
      expect(stage.vios.duplicateLock[vio]).to.equal(-1)
      expect(stage.vios.lbn[vio]).to.equal(6)
      expect(stage.vios.remainingBlocks[vio]).to.equal(0)
      stage.run()
    })
  })

  describe('closing flush generations', () => {
    const close = (generation: number) => {
      stage.context.boards.closingGeneration = generation
      stage.zone.receive(LogicalOp.AdvanceGeneration, 0)
      expect(stage.bench.expect(FlushOp.GenerationClosed).operand).to.equal(0)
    }

    it('keeps a generation open while a write of it is under way', () => {
      const vio = stage.write(5)
      stage.runBut(PhysicalOp.Allocate)
      expect(stage.vios.flushGeneration[vio]).to.equal(0)
      close(0)
      expect(stage.context.boards.oldestGeneration(0)).to.equal(0)
      const later = stage.write(6)
      expect(stage.vios.flushGeneration[later]).to.equal(1)
      stage.step(PhysicalOp.Allocate)
      stage.runBut(PhysicalOp.Allocate, FlushOp.OldestAdvanced)
      expect(stage.bench.expect(FlushOp.OldestAdvanced).operand).to.equal(0)
      expect(stage.context.boards.oldestGeneration(0)).to.equal(1)
      stage.run()
    })

    it('passes a generation without writes at once', () => {
      close(0)
      close(1)
      expect(stage.context.boards.oldestGeneration(0)).to.equal(2)
    })
  })

  describe('writing pages out', () => {
    const dirty = () => stage.counter(Counter.BlockMapDirtyPages)

    it('writes a page when its journal block is as old as the age allows, after a flush', () => {
      stage.entriesPerBlock = 100
      stage.write(5)
      stage.run()
      expect(dirty()).to.equal(1)
      stage.disk.log.length = 0
      for (let i = 0; i < 7; i++) stage.openBlock()
      expect(ops()).to.deep.equal([])
      stage.openBlock()
      expect(ops()).to.deep.equal([BioOp.Flush])
      stage.step(BioOp.Flush)
      stage.run()
      const first = stage.disk.log.slice(1).filter((line) => line.startsWith('w'))
      const second = stage.disk.log.slice(1).filter((line) => line.startsWith('p'))
      expect(stage.disk.log[0]).to.equal('flush')
      // The root page, three more interior pages and the leaf, all for the first time.
      expect(first.sort()).to.deep.equal(['w100', 'w101', 'w102', 'w103', 'w40'])
      expect(second.sort()).to.deep.equal(['p100', 'p101', 'p102', 'p103', 'p40'])
      expect(dirty()).to.equal(0)
      expect(stage.context.journalLocks.isHeld(1, 0)).to.equal(false)
      expect(stage.released).to.equal(1)
    })

    it('writes a page that was never written as uninitialized first', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.step(BioOp.Flush)
      const writes = stage.bench.sent.filter(({ op }) => op === BioOp.Write).map(({ operand }) => operand)
      for (const vio of writes) {
        const at = stage.vios.ioAt[vio]
        expect(stage.context.arena[at + 32]).to.equal(0)
      }
      stage.run()
      for (const block of stage.disk.blocks.values()) expect(block[32]).to.equal(1)
      stage.disk.log.length = 0
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      expect(stage.disk.log).to.deep.equal(['flush', 'w103'])
    })

    it('keeps the lock of the oldest journal block that a page depends on', () => {
      const { journalLocks } = stage.context
      stage.entriesPerBlock = 100
      stage.write(5)
      stage.run()
      stage.openBlock()
      stage.write(6)
      stage.run()
      expect(journalLocks.isHeld(1, 0)).to.equal(true)
      expect(journalLocks.isHeld(2, 0)).to.equal(false)
    })

    it('takes over an older journal block that arrives late', () => {
      const { journalLocks } = stage.context
      stage.entriesPerBlock = 100
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      const early = stage.write(6)
      stage.runBut(JournalOp.Append)
      const late = stage.write(7)
      stage.runBut(JournalOp.Append)
      stage.bench.takeAll()
      stage.vios.journalSequence[late] = 12
      stage.zone.receive(LogicalOp.Incremented, late)
      expect(journalLocks.isHeld(12, 0)).to.equal(true)
      stage.vios.journalSequence[early] = 9
      stage.zone.receive(LogicalOp.Incremented, early)
      expect(journalLocks.isHeld(12, 0)).to.equal(false)
      expect(journalLocks.isHeld(9, 0)).to.equal(true)
      stage.run()
    })

    it('writes at once what depends on an era that is past', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      const vio = stage.write(6)
      stage.runBut(JournalOp.Append)
      stage.bench.takeAll()
      stage.vios.journalSequence[vio] = 1
      stage.zone.receive(LogicalOp.Incremented, vio)
      expect(ops()).to.include(BioOp.Flush)
      stage.run()
      expect(dirty()).to.equal(0)
    })

    it('lets readers look at an outgoing page, and writers wait', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.step(BioOp.Flush)
      expect(stage.counter(Counter.BlockMapOutgoingPages)).to.equal(1)
      const read = stage.read(5)
      expect(stage.counter(Counter.BlockMapReadOutgoing)).to.equal(1)
      const write = stage.write(6)
      stage.runBut(BioOp.Write)
      expect(stage.home.get(read)).to.equal(Status.Success)
      expect(stage.home.has(write)).to.equal(false)
      stage.run()
      expect(stage.home.get(write)).to.equal(Status.Success)
      expect(dirty()).to.equal(1)
    })

    it('flushes again for an interior page that changed after the flush was asked for', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      const vio = stage.write(TREE + 5)
      stage.runBut(BioOp.Flush)
      stage.step(BioOp.Flush)
      const written = stage.bench.sent.filter(({ op }) => op === BioOp.Write)
      // The height-1 page names the new leaf since; the others stand as they were.
      expect(written.map(({ operand }) => stage.vios.ioPbn[operand as VioIndex])).to.include.members([
        40, 100, 101,
      ])
      expect(written.map(({ operand }) => stage.vios.ioPbn[operand as VioIndex])).to.not.include(102)
      stage.run()
      expect(stage.home.get(vio)).to.equal(Status.Success)
      expect(stage.disk.log).to.include('p102')
    })

    it('writes an interior page twice only the first time', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      stage.write(TREE + 5)
      stage.run()
      stage.disk.log.length = 0
      for (let i = 0; i < 9; i++) stage.openBlock()
      stage.run()
      expect(stage.disk.log).to.include('w102')
      expect(stage.disk.log).to.not.include('p102')
    })

    it('answers a save when everything is on the disk, and another zone finds it there', async () => {
      const lbns = [5, 6, 900, TREE + 7, 3 * LEAF]
      for (const lbn of lbns) stage.write(lbn)
      stage.run()
      const places = lbns.map((lbn) => lookUp(lbn))
      const before = stage.phases
      stage.administer(AdminCommand.Save)
      expect(ops()).to.not.include(AdminOp.PhaseDone)
      stage.run()
      expect(stage.phases).to.equal(before + 1)
      expect(dirty()).to.equal(0)
      for (let sequence = 1; sequence <= stage.sequence; sequence++) {
        expect(stage.context.journalLocks.isHeld(sequence, 0)).to.equal(false)
      }
      const again = await Stage.make({}, { isNew: false }, stage.disk)
      expect(lbns.map((lbn) => lookUp(lbn, again))).to.deep.equal(places)
    })

    it('writes nothing extra to suspend, and goes on when resumed', () => {
      stage.write(5)
      stage.run()
      stage.disk.log.length = 0
      stage.administer(AdminCommand.Suspend)
      stage.run()
      expect(stage.disk.log).to.deep.equal([])
      const refused = stage.write(6)
      stage.run()
      expect(stage.home.get(refused)).to.equal(Status.ShuttingDown)
      stage.administer(AdminCommand.Resume)
      const vio = stage.write(6)
      stage.run()
      expect(stage.home.get(vio)).to.equal(Status.Success)
      expect(stage.phases).to.equal(3)
    })

    it('leaves the store alone while it is suspended, though word of an era comes late', () => {
      stage.write(5)
      stage.run()
      stage.administer(AdminCommand.Suspend)
      stage.run()
      for (let i = 0; i < 20; i++) stage.openBlock()
      expect(ops()).to.deep.equal([])
      stage.administer(AdminCommand.Resume)
      expect(ops()).to.include(BioOp.Flush)
    })

    it('ends a suspend only when what is in flight has come back', () => {
      stage.write(5)
      stage.run()
      stage.entriesPerBlock = 100
      stage.write(TREE + 6)
      stage.run()
      for (let i = 0; i < 7; i++) stage.openBlock()
      expect(ops()).to.deep.equal([BioOp.Flush])
      stage.openBlock()
      stage.administer(AdminCommand.Suspend)
      stage.runBut(BioOp.Write)
      expect(stage.phases).to.equal(1)
      stage.run()
      expect(stage.phases).to.equal(2)
      // What expired after the flush was asked for stays for later.
      expect(stage.disk.log.filter((line) => line === 'flush')).to.have.length(1)
      expect(dirty()).to.be.greaterThan(0)
    })
  })

  describe('with more leaves than the cache holds', () => {
    beforeEach(async () => {
      stage = await Stage.make({ cachePages: 2 })
      stage.run()
    })

    it('writes the least recently used page and reads another in its place', () => {
      for (const lbn of [0, LEAF, 2 * LEAF]) {
        stage.write(lbn)
        stage.run()
      }
      const places = [0, LEAF, 2 * LEAF].map((lbn) => lookUp(lbn))
      expect(places.map(([, state]) => state)).to.deep.equal([1, 1, 1])
      expect(stage.counter(Mark.PageEvictions)).to.be.greaterThan(2)
      expect(stage.counter(Counter.BlockMapFreePages)).to.equal(0)
    })

    it('gives the room to all who wait for the same page', () => {
      for (const lbn of [0, LEAF]) stage.write(lbn)
      stage.run()
      const writes = [2 * LEAF, 2 * LEAF + 1, 2 * LEAF + 2].map((lbn) => stage.write(lbn))
      stage.run()
      for (const vio of writes) expect(stage.home.get(vio)).to.equal(Status.Success)
      const loaded = stage.counter(Counter.BlockMapPagesLoaded)
      expect(loaded).to.equal(3)
    })

    it('keeps a page that is wanted again while it is written to be evicted', () => {
      for (const lbn of [0, LEAF]) stage.write(lbn)
      stage.run()
      stage.read(LEAF)
      stage.run()
      const other = stage.write(2 * LEAF)
      stage.runBut(BioOp.Flush)
      const back = stage.write(1)
      stage.run()
      expect(stage.home.get(back)).to.equal(Status.Success)
      expect(stage.home.get(other)).to.equal(Status.Success)
      expect(stage.counter(Counter.BlockMapReclaimed)).to.equal(1)
    })
  })

  describe('before it is loaded', () => {
    const [PAGE, OTHER] = [300, 301]

    it('lets a patch wait for a page that is being written', async () => {
      stage = await Stage.unloaded({ cachePages: 1 })
      const first = stage.patch(0, PAGE, 1, 500)
      stage.run()
      const between = stage.patch(1, OTHER, 1, 501)
      expect(ops()).to.deep.equal([BioOp.Flush])
      const second = stage.patch(2, PAGE, 2, 502)
      expect(ops()).to.deep.equal([BioOp.Flush])
      stage.run()
      for (const vio of [first, between, second]) expect(stage.home.get(vio)).to.equal(Status.Success)
      stage.administer(RepairStep.Recover)
      stage.run()
      const page = stage.disk.blocks.get(PAGE)!
      expect([1, 2].map((slot) => readEntryPbn(page, 0, slot))).to.deep.equal([500, 502])
      expect(readEntryPbn(stage.disk.blocks.get(OTHER)!, 0, 1)).to.equal(501)
    })

    it('is loaded after a repair that failed, and serves reads', async () => {
      stage = await Stage.unloaded({ cachePages: 2 })
      stage.disk.fail = (op) => op === `r${OTHER}`
      const patched = stage.patch(0, PAGE, 1, 500)
      const failed = stage.patch(1, OTHER, 1, 501)
      stage.run()
      expect(stage.home.get(patched)).to.equal(Status.Success)
      expect(stage.home.get(failed)).to.equal(Status.IoError)
      stage.zone.receive(LogicalOp.EnterReadOnly, 0)
      stage.administer(AdminCommand.Load)
      expect(lookUp(5)).to.deep.equal([0, 0])
      stage.administer(AdminCommand.Save)
      stage.run()
      expect(stage.phases).to.equal(2)
      expect(stage.disk.blocks.has(PAGE)).to.equal(false)
    })
  })

  describe('when storage fails', () => {
    it('goes read-only when a tree page cannot be read', () => {
      stage.disk.fail = (op) => op === 'r40'
      const read = stage.read(5)
      const write = stage.write(6)
      stage.run()
      expect(stage.readOnlyReason).to.equal(Status.IoError)
      expect(stage.home.get(read)).to.equal(Status.IoError)
      expect(stage.home.get(write)).to.equal(Status.ReadOnly)
    })

    it('goes read-only when a leaf cannot be read, or is another page', async () => {
      stage.write(5)
      stage.run()
      stage.administer(AdminCommand.Save)
      stage.run()
      for (const [break_, status] of [
        [(s: Stage) => (s.disk.fail = (op) => op === 'r103'), Status.IoError],
        [(s: Stage) => s.disk.blocks.set(103, s.disk.blocks.get(102)!), Status.BadPage],
      ] as const) {
        const again = await Stage.make({}, {}, stage.disk)
        break_(again)
        const read = again.read(5)
        again.run()
        again.disk.fail = () => false
        expect(again.home.get(read)).to.equal(status)
        expect(again.readOnlyReason).to.equal(status)
      }
    })

    it('keeps a page dirty that cannot be written, and refuses whoever waits to change it', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.step(BioOp.Flush)
      const write = stage.write(6)
      stage.runBut(BioOp.Write)
      stage.disk.fail = (op) => op === 'w103'
      stage.run()
      expect(stage.readOnlyReason).to.equal(Status.IoError)
      expect(stage.home.get(write)).to.equal(Status.ReadOnly)
      expect(stage.counter(Counter.BlockMapDirtyPages)).to.equal(1)
      expect(stage.counter(Counter.BlockMapOutgoingPages)).to.equal(0)
      const read = stage.read(5)
      stage.run()
      expect(stage.home.get(read)).to.equal(Status.Success)
      expect(stage.vios.mappedPbn[read]).to.equal(104)
    })

    it('writes nothing when a flush failed', () => {
      stage.write(5)
      stage.run()
      stage.disk.log.length = 0
      stage.disk.fail = (op) => op === 'flush'
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      expect(stage.disk.log).to.deep.equal(['flush'])
      expect(stage.readOnlyReason).to.equal(Status.IoError)
      expect(stage.context.journalLocks.isHeld(1, 0)).to.equal(true)
    })
  })

  describe('in read-only mode', () => {
    it('fails writes, serves reads, writes no page and comes to rest', () => {
      stage.write(5)
      stage.run()
      stage.disk.log.length = 0
      stage.zone.receive(LogicalOp.EnterReadOnly, 0)
      const vios = [stage.write(6), stage.write(7, VioFlag.Zero), stage.discard(5)]
      const read = stage.read(5)
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.run()
      for (const vio of vios) expect(stage.home.get(vio)).to.equal(Status.ReadOnly)
      expect(stage.home.get(read)).to.equal(Status.Success)
      const before = stage.phases
      stage.administer(AdminCommand.Save)
      stage.run()
      expect(stage.phases).to.equal(before + 1)
      expect(stage.disk.log).to.deep.equal(['r104'])
    })

    it('does not begin the second write of a page that was never written', () => {
      stage.write(5)
      stage.run()
      for (let i = 0; i < 8; i++) stage.openBlock()
      stage.step(BioOp.Flush)
      stage.disk.log.length = 0
      stage.zone.receive(LogicalOp.EnterReadOnly, 0)
      stage.run()
      const writes = stage.disk.log.filter((line) => line !== 'flush')
      expect(writes.length).to.be.above(0)
      for (const line of writes) expect(line).to.match(/^w/)
      expect(stage.counter(Counter.BlockMapDirtyPages)).to.equal(1)
      expect(stage.counter(Counter.BlockMapOutgoingPages)).to.equal(0)
      expect(stage.context.journalLocks.isHeld(1, 0)).to.equal(true)
    })

    it('reads nothing through a mapping whose block may be another’s by now', () => {
      for (const lbn of [5, 6]) stage.write(lbn)
      stage.run()
      // Journaled and counted, the old block may be handed out; the map never learns of the new one.
      const vio = stage.write(5)
      stage.runBut(JournalOp.Append)
      stage.answer(stage.bench.expect(JournalOp.Append), () => stage.zone.receive(LogicalOp.EnterReadOnly, 0))
      stage.run()
      expect(stage.home.get(vio)).to.equal(Status.ReadOnly)
      const reads = [stage.read(5), stage.read(6)]
      stage.run()
      expect(reads.map((read) => stage.home.get(read))).to.deep.equal([Status.ReadOnly, Status.Success])
    })

    it('evicts clean pages and refuses room when all are dirty', async () => {
      stage = await Stage.make({ cachePages: 2 })
      for (const lbn of [0, LEAF, 2 * LEAF]) {
        stage.write(lbn)
        stage.run()
      }
      stage.write(LEAF)
      stage.run()
      expect(stage.counter(Counter.BlockMapDirtyPages)).to.equal(2)
      stage.zone.receive(LogicalOp.EnterReadOnly, 0)
      const reads = [stage.read(0), stage.read(1)]
      stage.run()
      for (const vio of reads) expect(stage.home.get(vio)).to.equal(Status.ReadOnly)
      const read = stage.read(LEAF)
      stage.run()
      expect(stage.home.get(read)).to.equal(Status.Success)
    })

    it('takes eviction back', async () => {
      stage = await Stage.make({ cachePages: 2 })
      for (const lbn of [0, LEAF]) stage.write(lbn)
      stage.run()
      const vio = stage.write(2 * LEAF)
      stage.runBut(BioOp.Flush)
      stage.zone.receive(LogicalOp.EnterReadOnly, 0)
      stage.run()
      expect(stage.home.get(vio)).to.equal(Status.ReadOnly)
      expect(stage.counter(Counter.BlockMapDirtyPages)).to.equal(2)
      expect(stage.counter(Counter.BlockMapOutgoingPages)).to.equal(0)
    })
  })

  describe('under any order of messages', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      it(`keeps every mapping, with seed ${seed}`, async () => {
        const prng = new Prng(seed)
        const cachePages = 1 + prng.below(4)
        stage = await Stage.make({
          cachePages,
          blockMapAge: 1 + prng.below(6),
          blockMapVios: 2 + prng.below(4),
        })
        stage.entriesPerBlock = 1 + prng.below(6)
        const lbns = Array.from({ length: 24 }, () => prng.below(100_000))
        /** What may be found: the last write of each lbn, by vio order, is the truth. */
        const truth = new Map<number, string>()
        const pending: [vio: VioIndex, lbn: number, flags: number][] = []
        for (let round = 0; round < 60; round++) {
          const used = new Set<number>()
          for (let i = prng.below(20); i >= 0; i--) {
            const lbn = lbns[prng.below(lbns.length)]
            const kind = prng.below(4)
            if (kind === 3) {
              stage.read(lbn)
            } else if (!used.has(lbn)) {
              used.add(lbn)
              const flags = kind === 0 ? VioFlag.Zero : kind === 1 ? VioFlag.Discard : 0
              pending.push([stage.write(lbn, flags), lbn, flags])
            }
            stage.run(prng, prng.below(30))
          }
          stage.run(prng)
          for (const [vio, lbn, flags] of pending.splice(0)) {
            expect(stage.home.get(vio)).to.equal(Status.Success)
            if (flags === VioFlag.Discard) truth.set(lbn, '0,0')
            else truth.set(lbn, flags === VioFlag.Zero ? '0,1' : `${stage.vios.newPbn[vio]},1`)
          }
        }
        expect(stage.readOnlyReason).to.equal(null)
        for (const [lbn, mapping] of truth) expect(lookUp(lbn).join()).to.equal(mapping)
        stage.administer(AdminCommand.Save)
        stage.run(prng)
        for (let sequence = stage.sequence; sequence > 0 && sequence > stage.sequence - 64; sequence--) {
          expect(stage.context.journalLocks.isHeld(sequence, 0)).to.equal(false)
        }
        const again = await Stage.make({}, { isNew: false }, stage.disk)
        for (const [lbn, mapping] of truth) expect(lookUp(lbn, again).join()).to.equal(mapping)
      })
    }
  })

  describe('when storage fails at any moment', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      it(`answers everything and comes to rest, with seed ${seed}`, async () => {
        const prng = new Prng(seed)
        const cachePages = 1 + prng.below(4)
        stage = await Stage.make({ cachePages, blockMapAge: 2, blockMapVios: 2 + prng.below(4) })
        stage.entriesPerBlock = 2
        const broken = prng.pick(['w', 'p', 'r', 'flush'])
        const vios: VioIndex[] = []
        for (let i = 0; i < 120; i++) {
          if (i === 60) stage.disk.fail = (op) => op.startsWith(broken)
          const lbn = prng.below(40) * LEAF
          // Fewer in flight than there are vios.
          if (i % 40 === 0) stage.run(prng)
          vios.push(prng.below(3) === 0 ? stage.read(lbn) : stage.write(lbn))
          stage.run(prng, prng.below(12))
          if (i === 119) stage.run(prng)
        }
        expect(stage.readOnlyReason).to.equal(Status.IoError)
        for (const vio of vios.slice(-stage.bench.shape.dataVios)) expect(stage.home.has(vio)).to.equal(true)
        stage.administer(AdminCommand.Save)
        stage.run(prng)
        expect(stage.phases).to.equal(2)
        const { context } = stage
        const gauges = [
          Counter.BlockMapCleanPages,
          Counter.BlockMapDirtyPages,
          Counter.BlockMapFreePages,
          Counter.BlockMapIncomingPages,
          Counter.BlockMapOutgoingPages,
          Counter.BlockMapFailedPages,
        ].map((counter) => context.counters[counter])
        expect(gauges.reduce((sum, pages) => sum + pages)).to.equal(cachePages)
        expect(gauges.slice(3)).to.deep.equal([0, 0, 0])
      })
    }
  })

  it('sends a vio home through the front door only', () => {
    const vio = stage.write(5)
    stage.runBut(FrontOp.Release)
    expect(stage.bench.sent).to.deep.equal([{ op: FrontOp.Release, zone: 0, operand: vio }])
  })
})
