import { expect } from 'chai'
import { pbn } from '../../../src/base/ids.js'
import { Status } from '../../../src/base/status.js'
import { Counter } from '../../../src/vio/counters.js'
import { Mark } from '../../../src/vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  CpuOp,
  FrontOp,
  HashOp,
  JournalOp,
  LogicalOp,
  PhysicalOp,
} from '../../../src/vio/opcodes.js'
import { slabsOf } from './life.js'
import { Rig, SHAPE, VOLUME } from './rig.js'

const DATA = VOLUME.slabDataBlocks

describe('a physical zone', () => {
  it('hands out a block, acknowledges, and sends the vio to be named', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(3)
    rig.send(PhysicalOp.Allocate, vio)
    expect(rig.bench.expect(FrontOp.Acknowledge).operand).to.equal(vio)
    expect(rig.bench.expect(CpuOp.Name).operand).to.equal(vio)
    expect(rig.vios.allocatedPbn[vio]).to.equal(VOLUME.depotOrigin)
    expect(rig.vios.allocationSucceeded[vio]).to.equal(1)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(1)
  })

  it('counts all blocks as used until it knows better', async () => {
    const rig = await Rig.make()
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(DATA * VOLUME.slabCount)
    rig.administer(AdminCommand.Load)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(0)
  })

  it('takes an unused block back when the vio gives its allocation up', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(0)
    rig.send(PhysicalOp.Allocate, vio)
    rig.send(PhysicalOp.ReleaseAllocation, vio)
    expect(rig.bench.expect(LogicalOp.Release).operand).to.equal(vio)
    expect(rig.vios.allocatedPbn[vio]).to.equal(0)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(0)
  })

  it('counts what is written and frees what is dropped', async () => {
    const rig = await Rig.loaded()
    const block = rig.write()
    expect(rig.limitOf(block)).to.equal(SHAPE.maximumReferences - 1)
    expect(rig.drop(block)).to.equal(Status.Success)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(0)
    expect(rig.drop(block)).to.equal(Status.ReferenceCountInvalid)
    expect(rig.bench.expect(AdminOp.ReadOnly).operand).to.equal(Status.ReferenceCountInvalid)
  })

  it('keeps a locked block from being reused when its last reference is dropped', async () => {
    const rig = await Rig.loaded()
    const block = rig.write()
    const agent = rig.vio(5)
    rig.vios.duplicatePbn[agent] = pbn(block)
    rig.send(PhysicalOp.LockDuplicate, agent)
    expect(rig.bench.expect(HashOp.DuplicateLocked).operand).to.equal(agent)
    expect(rig.vios.duplicateLock[agent]).to.be.at.least(0)
    rig.drop(block)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(1)
    rig.send(PhysicalOp.UnlockDuplicate, agent)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(0)
  })

  it('leaves a block that is only provisional to its lock when a reference is dropped', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(0)
    rig.send(PhysicalOp.Allocate, vio)
    const block = rig.vios.allocatedPbn[vio]
    expect(rig.drop(block)).to.equal(Status.Success)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(1)
    rig.vios.newPbn[vio] = block
    rig.nextEntry(vio)
    rig.send(PhysicalOp.Increment, vio)
    expect(rig.vios.status[vio]).to.equal(Status.Success)
    expect(slabsOf(rig)[0].counts.count(0)).to.equal(1)
    expect(rig.bench.arena.boards.readOnlyReason).to.equal(Status.Success)
  })

  it('frees a block that is only provisional and not locked when a reference is dropped', async () => {
    const rig = await Rig.loaded()
    rig.write()
    const [{ counts, origin }] = slabsOf(rig)
    counts.makeProvisional(7)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(2)
    expect(rig.drop(origin + 7)).to.equal(Status.Success)
    expect(counts.count(7)).to.equal(0)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(1)
    expect(rig.bench.arena.boards.readOnlyReason).to.equal(Status.Success)
  })

  it('lets duplicates claim the references that a count leaves, and no more', async () => {
    const rig = await Rig.loaded({ shape: { ...SHAPE, maximumReferences: 14 } })
    const block = rig.write()
    const sharer = rig.vio(6)
    rig.vios.newPbn[sharer] = pbn(block)
    for (let count = 2; count <= 14; count++) {
      expect(rig.limitOf(block)).to.equal(14 - count + 1)
      rig.nextEntry(sharer)
      rig.send(PhysicalOp.Increment, sharer)
      expect(rig.vios.status[sharer]).to.equal(Status.Success)
    }
    expect(rig.limitOf(block)).to.equal(0)
  })

  it('refuses a read lock on a block that is being written', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(0)
    rig.send(PhysicalOp.Allocate, vio)
    expect(rig.limitOf(rig.vios.allocatedPbn[vio])).to.equal(0)
  })

  it('turns the lock of a written block into one that duplicates share', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(0)
    rig.send(PhysicalOp.Allocate, vio)
    rig.vios.newPbn[vio] = rig.vios.allocatedPbn[vio]
    rig.nextEntry(vio)
    rig.send(PhysicalOp.Increment, vio)
    expect(rig.bench.expect(LogicalOp.Incremented).operand).to.equal(vio)
    const row = rig.vios.allocationLock[vio]
    let claims = 0
    while (rig.bench.arena.pbnLocks.claim(row)) claims++
    expect(claims).to.equal(253)
  })

  it('gives tree pages a count that nothing can share', async () => {
    const rig = await Rig.loaded()
    const block = rig.writeTree()
    expect(rig.limitOf(block)).to.equal(0)
    expect(rig.drop(block)).to.equal(Status.Success)
  })

  it('shares a packed block among its members, clients before the agent', async () => {
    const rig = await Rig.loaded()
    const [agent, first, second] = [rig.vio(0), rig.vio(1), rig.vio(2)]
    for (const vio of [agent, first, second]) rig.send(PhysicalOp.Allocate, vio)
    const block = rig.vios.allocatedPbn[agent]
    rig.vios.packedNext[agent] = first
    rig.vios.packedNext[first] = second
    rig.vios.packedNext[second] = -1 as never
    rig.vios.packedSlot[agent] = 0
    rig.vios.packedSlot[first] = 1
    rig.vios.packedSlot[second] = 2
    rig.bench.takeAll()
    rig.send(PhysicalOp.SharePacked, agent)
    expect(rig.bench.takeAll().map((s) => s.operand)).to.deep.equal([first, second, agent])
    expect([agent, first, second].map((v) => rig.vios.newState[v])).to.deep.equal([2, 3, 4])
    expect(rig.vios.allocatedPbn[agent]).to.equal(0)
    for (const vio of [first, second]) rig.send(PhysicalOp.ReleaseAllocation, vio)
    for (const vio of [agent, first, second]) {
      expect(rig.vios.newPbn[vio]).to.equal(block)
      rig.nextEntry(vio)
      rig.send(PhysicalOp.Increment, vio)
      rig.send(PhysicalOp.UnlockDuplicate, vio)
    }
    expect(rig.limitOf(block)).to.equal(251)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(1)
  })

  it('has every member written plainly when a packed block could not be written', async () => {
    const rig = await Rig.loaded()
    const [agent, client] = [rig.vio(0), rig.vio(1)]
    for (const vio of [agent, client]) rig.send(PhysicalOp.Allocate, vio)
    rig.vios.packedNext[agent] = client
    rig.vios.packedNext[client] = -1 as never
    rig.vios.status[agent] = Status.IoError
    rig.bench.takeAll()
    rig.isHeld = true
    rig.send(PhysicalOp.SharePacked, agent)
    expect(rig.bench.takeAll().map((s) => s.operand)).to.deep.equal([client, agent])
    expect(rig.vios.status[agent]).to.equal(Status.Success)
    expect(rig.vios.newPbn[agent]).to.equal(rig.vios.allocatedPbn[agent])
  })

  it("goes read-only when entries come out of the journal's order", async () => {
    const rig = await Rig.loaded()
    const block = rig.write()
    const vio = rig.vio(1)
    rig.vios.newPbn[vio] = pbn(block)
    rig.vios.journalSequence[vio] = 1
    rig.vios.journalEntry[vio] = 0
    rig.send(PhysicalOp.Increment, vio)
    expect(rig.vios.status[vio]).to.equal(Status.JournalOrder)
    expect(rig.bench.arena.boards.readOnlyReason).to.equal(Status.JournalOrder)
  })

  it('lets go of the recovery journal when the summary counts the entries', async () => {
    const rig = await Rig.loaded()
    rig.write()
    const locks = rig.bench.arena.journalLocks
    expect(locks.isHeld(rig.recoverySequence, 1)).to.equal(true)
    rig.bench.arena.boards.wantedLock = rig.recoverySequence
    rig.send(PhysicalOp.CommitTails, 0)
    expect(locks.isHeld(rig.recoverySequence, 1)).to.equal(false)
    rig.bench.expect(JournalOp.LocksReleased)
    expect(rig.counter(Counter.SlabJournalBlocksWritten)).to.equal(1)
    expect(rig.counter(Counter.SlabSummaryBlocksWritten)).to.equal(1)
  })

  it('commits only tails that hold the wanted journal block', async () => {
    const rig = await Rig.loaded()
    rig.write()
    rig.bench.arena.boards.wantedLock = rig.recoverySequence - 1
    rig.send(PhysicalOp.CommitTails, 0)
    expect(rig.counter(Counter.SlabJournalBlocksWritten)).to.equal(0)
  })

  it('commits nothing that it is asked for when it rests already', async () => {
    const rig = await Rig.loaded()
    rig.write()
    rig.administer(AdminCommand.Suspend)
    rig.bench.arena.boards.wantedLock = rig.recoverySequence
    rig.send(PhysicalOp.CommitTails, 0)
    expect(rig.counter(Counter.SlabJournalBlocksWritten)).to.equal(0)
    rig.administer(AdminCommand.Resume)
    rig.send(PhysicalOp.CommitTails, 0)
    expect(rig.counter(Counter.SlabJournalBlocksWritten)).to.equal(1)
  })

  it('makes no entry after a partial block until the summary counts it', async () => {
    const rig = await Rig.loaded()
    const block = rig.write()
    rig.isHeld = true
    rig.bench.arena.boards.wantedLock = rig.recoverySequence
    rig.send(PhysicalOp.CommitTails, 0)
    rig.drop(block)
    rig.step()
    expect(rig.bench.sent.some((s) => s.op === LogicalOp.Decremented)).to.equal(false)
    rig.step()
    expect(rig.bench.expect(LogicalOp.Decremented).operand).to.equal(1)
  })

  it('fills every block of the zone, frees them, and fills them again', async () => {
    const rig = await Rig.loaded()
    const blocks = new Set<number>()
    for (let block = rig.write(); block !== 0; block = rig.write()) blocks.add(block)
    expect(blocks.size).to.equal(DATA * VOLUME.slabCount)
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(DATA * VOLUME.slabCount)
    for (const block of blocks) {
      expect(rig.drop(block)).to.equal(Status.Success)
      rig.bench.takeAll()
    }
    rig.bench.takeAll()
    expect(rig.counter(Counter.DataBlocksAllocated)).to.equal(0)
    expect(rig.counter(Mark.SlabJournalReaps)).to.be.greaterThan(0)
    expect(rig.write()).to.not.equal(0)
  })

  it('says so to a tree page when there is no block', async () => {
    const rig = await Rig.loaded({ volume: { ...VOLUME, slabCount: 1 } })
    while (rig.write() !== 0);
    const vio = rig.vio(0)
    rig.send(PhysicalOp.AllocateTree, vio)
    expect(rig.bench.expect(LogicalOp.TreeAllocated).operand).to.equal(vio)
    expect(rig.vios.status[vio]).to.equal(Status.NoSpace)
  })

  it('looks in every zone before it gives up', async () => {
    const counts = { logical: 1, physical: 3, hash: 1, cpu: 1, bio: 1, index: 1 }
    const rig = await Rig.loaded({ counts })
    const blocks = new Set<number>()
    for (let block = rig.write(0, 1); block !== 0; block = rig.write(0, 1)) blocks.add(block)
    expect(blocks.size).to.equal(DATA * VOLUME.slabCount)
  })

  it('writes reference blocks as its journal grows, and blocks entries that have no room', async () => {
    const rig = await Rig.loaded()
    rig.write()
    rig.isHeld = true
    const entries = 300
    const blocks = Array.from({ length: 40 }, (_, i) => {
      const vio = rig.vio(i)
      rig.send(PhysicalOp.Allocate, vio)
      rig.vios.newPbn[vio] = rig.vios.allocatedPbn[vio]
      return vio
    })
    for (let i = 0; i < entries; i++) {
      const vio = blocks[i % 40]
      if (rig.zones[0].entries.isWaiting(vio * 2)) {
        expect(
          rig.counter(Counter.SlabJournalTailBusy) + rig.counter(Counter.SlabJournalBlocked),
        ).to.be.greaterThan(0)
        rig.release()
        rig.isHeld = true
      }
      rig.nextEntry(vio)
      if (i < 40) rig.send(PhysicalOp.Increment, vio)
      else {
        rig.vios.allocatedPbn[vio] = pbn(0)
        rig.send(PhysicalOp.Increment, vio)
      }
      rig.bench.sent.splice(0, rig.bench.sent.length, ...rig.bench.sent.filter((s) => s.op >= 1 << 8))
    }
    rig.release()
    expect(rig.counter(Counter.SlabJournalFlush)).to.be.greaterThan(0)
    expect(rig.counter(Counter.ReferenceBlocksWritten)).to.be.greaterThan(0)
    expect(rig.bench.arena.boards.readOnlyReason).to.equal(Status.Success)
  })

  it('answers what waits with ReadOnly when the volume becomes read-only', async () => {
    const rig = await Rig.loaded()
    const block = rig.write()
    rig.isHeld = true
    rig.bench.arena.boards.wantedLock = rig.recoverySequence
    rig.send(PhysicalOp.CommitTails, 0)
    rig.drop(block)
    rig.send(PhysicalOp.EnterReadOnly, 0)
    expect(rig.vios.decrementStatus[1 as never]).to.equal(Status.ReadOnly)
    const writes = rig.writes.length
    rig.release()
    expect(rig.writes.length - writes).to.equal(1)
    const vio = rig.vio(7)
    rig.send(PhysicalOp.Allocate, vio)
    expect(rig.vios.status[vio]).to.equal(Status.ReadOnly)
    rig.administer(AdminCommand.Save)
    expect(rig.bench.arena.boards.phaseStatus).to.equal(Status.ReadOnly)
  })
})
