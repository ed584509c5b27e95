import { expect } from 'chai'
import { lbn, type Pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Status } from '../../../src/base/status.js'
import { BLOCK_SIZE, JournalOperation } from '../../../src/format/constants.js'
import * as format from '../../../src/format/recovery-journal-block.js'
import { Counter } from '../../../src/vio/counters.js'
import { LockKind, ZoneJournalLocks } from '../../../src/vio/journal-locks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  hop,
  JournalOp,
  LogicalOp,
  PhysicalOp,
  Room,
} from '../../../src/vio/opcodes.js'
import { IoFlag, IoKind, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import type { VolumeShape } from '../../../src/vio/volume-shape.js'
import { JournalZone } from '../../../src/zones/journal/journal-zone.js'
import { type ExpectedJournalBlock, expectedOf, goldenBlock } from '../../format/golden.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

const A = 200 as Pbn
const B = 300 as Pbn
const PAGE = 150 as Pbn

describe('the recovery journal', () => {
  let bench: Bench
  let vios: VioTable
  let journal: JournalZone

  async function open(shape: Partial<VolumeShape>, volume = SMALL_VOLUME): Promise<void> {
    bench = await Bench.make({ ...SMALL_SHAPE, ...shape }, volume, ONE_OF_EACH)
    ;({ vios } = bench.arena)
    journal = new JournalZone(bench.context(Room.Journal))
    journal.receive(JournalOp.Administer, AdminCommand.Load)
    bench.expect(AdminOp.PhaseDone)
  }

  /** A vio whose entry maps slot `slot` of the page from `from` to `to`; 0 is unmapped. */
  function entry(row: number, from: number, to: number): VioIndex {
    const vio = vioIndex(row)
    vios.status[vio] = Status.Success
    vios.flags[vio] = VioFlag.Write
    vios.lbn[vio] = lbn(row)
    vios.pagePbn[vio] = PAGE
    vios.pageSlot[vio] = row
    vios.mappedPbn[vio] = from as Pbn
    vios.mappedState[vio] = from === 0 ? 0 : 1
    vios.newPbn[vio] = to as Pbn
    vios.newState[vio] = to === 0 ? 0 : 1
    vios.journalSequence[vio] = 0
    return vio
  }

  function append(row: number, from = 0, to: number = A): VioIndex {
    const vio = entry(row, from, to)
    journal.receive(JournalOp.Append, vio)
    return vio
  }

  /** The writes that the journal has started: sequence and number of entries. */
  function writes(): [number, number][] {
    const started = bench.sent.filter(({ op }) => op === BioOp.Write)
    return started.map(({ operand }) => {
      const at = vios.bufferAt(operand as VioIndex)
      return [
        format.readJournalSequence(bench.arena.bytes, at),
        format.readJournalEntryCount(bench.arena.bytes, at),
      ]
    })
  }

  /** Ends the oldest write. */
  function written(status = Status.Success): void {
    const vio = bench.expect(BioOp.Write).operand as VioIndex
    vios.status[vio] = status
    journal.receive(JournalOp.Written, vio)
  }

  const released = () =>
    bench.sent.filter(({ op }) => op === PhysicalOp.Increment).map(({ operand }) => operand)

  it('writes what came in one pass together, durable before it is answered', async () => {
    await open({})
    append(1)
    append(2)
    expect(writes()).to.deep.equal([])
    journal.endPass()
    expect(writes()).to.deep.equal([[1, 2]])
    const vio = bench.sent.find(({ op }) => op === BioOp.Write)?.operand as VioIndex
    expect(vios.ioKind[vio]).to.equal(IoKind.Journal)
    expect(vios.ioFlags[vio]).to.equal(IoFlag.Preflush | IoFlag.Fua)
    expect(vios.ioPbn[vio]).to.equal(SMALL_VOLUME.journalOrigin + 1)
    expect(released()).to.deep.equal([])
    written()
    expect(released()).to.deep.equal([1, 2])
    expect([vios.journalSequence[1 as VioIndex], vios.journalEntry[1]]).to.deep.equal([1, 0])
    expect([vios.journalSequence[2 as VioIndex], vios.journalEntry[2]]).to.deep.equal([1, 1])
  })

  it('counts the new block before the old one, and leaves out the zero block', async () => {
    await open({})
    append(1, A, B)
    append(2, 0, B)
    append(3, A, 0)
    journal.endPass()
    bench.takeAll().forEach(({ op, operand }) => {
      if (op === BioOp.Write) journal.receive(JournalOp.Written, operand)
    })
    expect(bench.takeAll().map(({ op, operand }) => [op, operand])).to.deep.equal([
      [PhysicalOp.Increment, 1],
      [PhysicalOp.Decrement, 1],
      [PhysicalOp.Increment, 2],
      [LogicalOp.Incremented, 3],
      [PhysicalOp.Decrement, 3],
    ])
  })

  it('rewrites the active block with more entries, never two writes of it at once', async () => {
    await open({})
    append(1)
    journal.endPass()
    append(2)
    append(3)
    journal.endPass()
    expect(writes()).to.deep.equal([[1, 1]])
    written()
    journal.endPass()
    expect(writes()).to.deep.equal([[1, 3]])
    written()
    journal.endPass()
    expect(writes()).to.deep.equal([])
    expect(released()).to.deep.equal([1, 2, 3])
  })

  it('writes full blocks first, and the active one only when there are none', async () => {
    await open({ journalEntriesPerBlock: 2 })
    for (let row = 1; row <= 5; row++) append(row)
    journal.endPass()
    expect(writes()).to.deep.equal([
      [1, 2],
      [2, 2],
    ])
    written()
    journal.endPass()
    expect(writes()).to.deep.equal([[2, 2]])
    written()
    journal.endPass()
    expect(writes()).to.deep.equal([[3, 1]])
  })

  it('releases entries in journal order though writes end in another', async () => {
    await open({ journalEntriesPerBlock: 2 })
    for (let row = 1; row <= 4; row++) append(row)
    journal.endPass()
    const [first, second] = bench.takeAll().filter(({ op }) => op === BioOp.Write)
    journal.receive(JournalOp.Written, second.operand)
    expect(released()).to.deep.equal([])
    journal.receive(JournalOp.Written, first.operand)
    expect(released()).to.deep.equal([1, 2, 3, 4])
  })

  it('makes entries wait when all blocks in memory are taken', async () => {
    await open({ journalEntriesPerBlock: 1, journalTailBlocks: 2 })
    for (let row = 1; row <= 3; row++) append(row)
    journal.endPass()
    expect(writes().map(([sequence]) => sequence)).to.deep.equal([1, 2])
    written()
    written()
    journal.endPass()
    expect(writes()).to.deep.equal([[3, 1]])
  })

  it('tells the logical zones of each era, and physical zones of a head that lags', async () => {
    await open({ journalEntriesPerBlock: 1, journalTailBlocks: 2 }, { ...SMALL_VOLUME, journalBlocks: 8 })
    for (let row = 1; row <= 5; row++) {
      append(row)
      journal.endPass()
      bench.expect(LogicalOp.AdvanceEra)
      expect(bench.arena.boards.era).to.equal(row)
      written()
    }
    expect(bench.sent.some(({ op }) => op === PhysicalOp.CommitTails)).to.equal(false)
    append(6)
    journal.endPass()
    bench.expect(PhysicalOp.CommitTails)
    expect(bench.arena.boards.wantedLock).to.equal(1)
    // An entry may reach its slab after the request: whatever moves is a reason to ask again.
    journal.receive(JournalOp.LocksReleased, 0)
    journal.endPass()
    bench.expect(PhysicalOp.CommitTails)
    // So is a resume, for a zone that rested may have passed over the request.
    written()
    journal.receive(JournalOp.Administer, AdminCommand.Suspend)
    journal.endPass()
    bench.takeAll()
    journal.receive(JournalOp.Administer, AdminCommand.Resume)
    journal.endPass()
    bench.expect(PhysicalOp.CommitTails)
  })

  it('reaps what nobody holds, after a flush, and only then uses the room', async () => {
    await open({ journalEntriesPerBlock: 1, journalTailBlocks: 2 }, { ...SMALL_VOLUME, journalBlocks: 8 })
    const { journalLocks } = bench.arena
    const notify = () => bench.send(hop(JournalOp.LocksReleased, 0), 0)
    const pages = new ZoneJournalLocks(journalLocks, LockKind.Logical, notify)
    const slabs = new ZoneJournalLocks(journalLocks, LockKind.Physical, notify)
    // Six of eight blocks are usable.
    for (let row = 1; row <= 7; row++) {
      append(row)
      journal.endPass()
      if (row <= 6) written()
    }
    expect(writes()).to.deep.equal([])
    expect(bench.context(Room.Journal).counters[Counter.JournalDiskFull]).to.equal(1)
    bench.takeAll()

    slabs.acquire(1)
    pages.acquire(1)
    journalLocks.entryTaken(1)
    pages.acquire(2)
    journalLocks.entryTaken(2)
    pages.release(1)
    bench.expect(JournalOp.LocksReleased)
    journal.receive(JournalOp.LocksReleased, 0)
    // The block map is done with block 1, the slab journals are not.
    bench.expect(BioOp.Flush)
    pages.release(2)
    slabs.release(1)
    bench.expect(JournalOp.LocksReleased)
    journal.receive(JournalOp.LocksReleased, 0)
    expect(bench.sent.some(({ op }) => op === BioOp.Flush)).to.equal(false)
    journal.receive(JournalOp.Flushed, 0)
    journal.endPass()
    // The first flush moved one head only; the second one, begun at once, moves both.
    expect(writes()).to.deep.equal([])
    bench.expect(BioOp.Flush)
    journal.receive(JournalOp.Flushed, 0)
    journal.endPass()
    expect(writes()).to.deep.equal([[7, 1]])
    const at = vios.bufferAt(bench.expect(BioOp.Write).operand as VioIndex)
    expect(format.readJournalBlockMapHead(bench.arena.bytes, at)).to.equal(3)
    expect(format.readJournalSlabJournalHead(bench.arena.bytes, at)).to.equal(3)
    expect(bench.arena.boards.journalNext).to.equal(1)
  })

  it('counts what is used, and heads each block with the sums before it', async () => {
    await open(
      { journalEntriesPerBlock: 3 },
      { ...SMALL_VOLUME, logicalBlocksUsed: 50, blockMapDataBlocks: 7 },
    )
    append(1, 0, A)
    append(2, A, 0)
    journal.receive(JournalOp.AppendTree, entry(3, 0, B))
    append(4, 0, A)
    const { boards } = bench.arena
    expect([boards.logicalBlocksUsed, boards.blockMapDataBlocks]).to.deep.equal([51, 8])
    journal.endPass()
    written()
    bench.expect(PhysicalOp.IncrementTree)
    journal.endPass()
    const at = vios.bufferAt(bench.expect(BioOp.Write).operand as VioIndex)
    expect(format.readJournalLogicalBlocksUsed(bench.arena.bytes, at)).to.equal(50)
    expect(format.readJournalBlockMapDataBlocks(bench.arena.bytes, at)).to.equal(8)
  })

  it('counts down to nothing and no further, whatever damage has made of the count', async () => {
    await open({ journalEntriesPerBlock: 3 }, { ...SMALL_VOLUME, logicalBlocksUsed: 1 })
    append(1, A, 0)
    append(2, A, 0)
    expect(bench.arena.boards.logicalBlocksUsed).to.equal(0)
    append(3, 0, A)
    expect(bench.arena.boards.logicalBlocksUsed).to.equal(1)
  })

  it('refuses every entry when a write fails, and tells the volume', async () => {
    await open({ journalEntriesPerBlock: 2, journalTailBlocks: 2 })
    for (let row = 1; row <= 6; row++) append(row)
    journal.endPass()
    written(Status.IoError)
    bench.expect(AdminOp.ReadOnly)
    // Block 2 is still being written; its entries follow.
    const refused = () => bench.sent.filter(({ op }) => op === LogicalOp.Incremented).map((s) => s.operand)
    expect(refused()).to.deep.equal([1, 2, 5, 6])
    written()
    expect(refused()).to.deep.equal([1, 2, 5, 6, 3, 4])
    for (let row = 1; row <= 6; row++) {
      const vio = vioIndex(row)
      expect(vios.status[vio]).to.equal(Status.ReadOnly)
      expect(vios.decrementStatus[vio]).to.equal(Status.ReadOnly)
      expect(vios.journalSequence[vio]).to.equal(0)
    }
    expect(released()).to.deep.equal([])
    journal.receive(JournalOp.EnterReadOnly, 0)
    bench.expect(AdminOp.ReadOnlyEntered)
    expect(bench.arena.boards.journalNext).to.equal(1)
    append(7)
    expect(refused()).to.include(7)
    expect(writes()).to.deep.equal([])
  })

  it('answers a tree entry that it refuses as one', async () => {
    await open({})
    journal.receive(JournalOp.EnterReadOnly, 0)
    journal.receive(JournalOp.AppendTree, entry(1, 0, A))
    expect(bench.expect(LogicalOp.TreeCounted).operand).to.equal(1)
    expect(vios.status[1 as VioIndex]).to.equal(Status.ReadOnly)
  })

  it('goes read-only rather than past the last sequence number', async () => {
    await open({ journalEntriesPerBlock: 1 }, { ...SMALL_VOLUME, journalStart: 2 ** 48 - 1 })
    append(1)
    journal.endPass()
    expect(writes()).to.deep.equal([[2 ** 48 - 1, 1]])
    append(2)
    expect(bench.expect(AdminOp.ReadOnly).operand).to.equal(Status.SequenceExhausted)
    expect(bench.expect(LogicalOp.Incremented).operand).to.equal(2)
  })

  it('drains before it is saved, and starts afresh with a new block', async () => {
    await open({ journalEntriesPerBlock: 3 })
    append(1)
    journal.endPass()
    journal.receive(JournalOp.Administer, AdminCommand.Save)
    expect(bench.sent.some(({ op }) => op === AdminOp.PhaseDone)).to.equal(false)
    written()
    bench.expect(AdminOp.PhaseDone)
    expect(bench.arena.boards.journalNext).to.equal(2)
    bench.takeAll()
    journal.receive(JournalOp.Administer, AdminCommand.Resume)
    bench.expect(AdminOp.PhaseDone)
    append(2)
    journal.endPass()
    expect(writes()).to.deep.equal([[2, 1]])
    const at = vios.bufferAt(bench.expect(BioOp.Write).operand as VioIndex)
    expect(format.readJournalBlockMapHead(bench.arena.bytes, at)).to.equal(2)
  })

  it('goes on with its active block after a mere suspension', async () => {
    await open({ journalEntriesPerBlock: 3 })
    append(1)
    journal.endPass()
    written()
    journal.receive(JournalOp.Administer, AdminCommand.Suspend)
    bench.expect(AdminOp.PhaseDone)
    journal.receive(JournalOp.Administer, AdminCommand.Resume)
    append(2)
    journal.endPass()
    expect(writes()).to.deep.equal([[1, 2]])
  })

  it('waits for a notice that is under way before it is drained', async () => {
    await open({})
    expect(bench.arena.journalLocks.claimNotice()).to.equal(true)
    journal.receive(JournalOp.Administer, AdminCommand.Suspend)
    expect(bench.sent).to.deep.equal([])
    journal.receive(JournalOp.LocksReleased, 0)
    bench.expect(AdminOp.PhaseDone)
  })

  for (const name of ['clean-journal-block-5']) {
    it(`writes the bytes that the kernel wrote: ${name}`, async () => {
      const golden = expectedOf<ExpectedJournalBlock>(name)
      expect(golden.blockMapHead).to.equal(golden.slabJournalHead)
      const nonce = BigInt(golden.nonce)
      await open(
        { dataVios: 256, journalEntriesPerBlock: 217 },
        {
          ...SMALL_VOLUME,
          nonceLow: Number(nonce & 0xffff_ffffn),
          nonceHigh: Number(nonce >> 32n),
          journalBlocks: 32768,
          journalStart: golden.blockMapHead,
          recoveryCount: golden.recoveryCount,
          logicalBlocksUsed: golden.logicalUsed,
          blockMapDataBlocks: golden.dataBlocks,
          depotOrigin: 1,
          slabBlocks: 2 ** 20,
        },
      )
      // Blocks before the golden one are filled with rewrites, which leave the counters as they are.
      for (let sequence = golden.blockMapHead; sequence < golden.sequence; sequence++) {
        for (let row = 0; row < 217; row++) append(row, A, A)
        journal.endPass()
        written()
        bench.takeAll()
      }
      golden.entries.forEach(([operation, page, slot, to, toState, from, fromState], row) => {
        const vio = entry(row, from, to)
        vios.pagePbn[vio] = page as Pbn
        vios.pageSlot[vio] = slot
        vios.newState[vio] = toState
        vios.mappedState[vio] = fromState
        const isTree = operation === JournalOperation.BlockMapRemapping
        journal.receive(isTree ? JournalOp.AppendTree : JournalOp.Append, vio)
      })
      journal.endPass()
      const at = vios.bufferAt(bench.expect(BioOp.Write).operand as VioIndex)
      const block = bench.arena.bytes.slice(at, at + BLOCK_SIZE)
      expect(Buffer.from(block).equals(Buffer.from(goldenBlock(name)))).to.equal(true)
    })
  }
})
