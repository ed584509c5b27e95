/** Slab journals get what a crash kept from them, at the very places that it would have had. */

import { expect } from 'chai'
import type { VioIndex } from '../../../src/base/ids.js'
import { JournalOperation } from '../../../src/format/constants.js'
import {
  journalCheckByte,
  openJournalBlock,
  writeJournalEntry,
  writeJournalHeader,
} from '../../../src/format/recovery-journal-block.js'
import { readSummaryEntry, summaryLoad, summaryTail } from '../../../src/format/slab-summary.js'
import { AdminCommand, AdminOp, PhysicalOp, RepairOp, RepairStep } from '../../../src/vio/opcodes.js'
import { LoadKind } from '../../../src/vio/volume.js'
import { ONE_OF_EACH } from '../bench.js'
import { slabsOf } from './life.js'
import { type Disk, Rig, SHAPE, TINY } from './rig.js'

/** What an entry of the recovery journal maps and unmaps; a tree page maps only. */
interface Entry {
  readonly maps: number
  readonly unmaps?: number
  readonly isTree?: boolean
}

const CRASHED = { ...TINY, isNew: false, savedPhysicalZones: 1, load: LoadKind.Recovery }
const FIRST = TINY.depotOrigin

/** A disk that was loaded once and never used. */
async function unusedDisk(): Promise<Disk> {
  return copyOf((await Rig.loaded({ volume: TINY })).disk)
}

const copyOf = (disk: Disk): Disk => new Map([...disk].map(([block, bytes]) => [block, bytes.slice()]))

async function crashed(disk: Disk, physical = 1): Promise<Rig> {
  const rig = await Rig.make({ shape: SHAPE, volume: CRASHED, counts: { ...ONE_OF_EACH, physical }, disk })
  step(rig, RepairStep.Recover)
  return rig
}

function step(rig: Rig, which: RepairStep | AdminCommand): void {
  for (let zone = 0; zone < rig.zones.length; zone++) {
    rig.send(PhysicalOp.Administer, which, zone)
    rig.bench.expect(AdminOp.PhaseDone)
  }
}

/** Sends block `sequence` of the recovery journal past all zones. */
function replay(rig: Rig, sequence: number, entries: readonly Entry[]): void {
  const { arena } = rig.bench
  const vio = arena.pools.repair.first
  const at = arena.vios.bufferAt(vio)
  const { nonceLow, nonceHigh, journalBlocks } = rig.bench.volume
  const check = journalCheckByte(sequence, journalBlocks)
  openJournalBlock(arena.bytes, at, sequence, nonceLow, nonceHigh, 0, 0, check, 0)
  entries.forEach(({ maps, unmaps = 0, isTree = false }, i) => {
    const operation = isTree ? JournalOperation.BlockMapRemapping : JournalOperation.DataRemapping
    writeJournalEntry(
      arena.bytes,
      at,
      i,
      operation,
      50,
      i,
      maps,
      maps === 0 ? 0 : 1,
      unmaps,
      unmaps === 0 ? 0 : 1,
    )
  })
  writeJournalHeader(arena.bytes, at, 1, 1, entries.length)
  arena.vios.status[vio] = 0
  arena.vios.journalEntry[vio] = entries.length
  rig.send(PhysicalOp.ReplayEntries, vio)
  for (let zone = 1; zone < rig.zones.length; zone++) {
    const sent = rig.bench.expect(PhysicalOp.ReplayEntries)
    expect(sent.zone).to.equal(zone)
    rig.send(PhysicalOp.ReplayEntries, sent.operand, zone)
  }
  expect(rig.bench.expect(RepairOp.EntriesReplayed).operand as VioIndex).to.equal(vio)
}

/** Ends the recovery: slab journals are written, slabs scrubbed. */
function load(rig: Rig): void {
  step(rig, RepairStep.ReplaySlabs)
  step(rig, AdminCommand.Load)
}

const countOf = (rig: Rig, block: number): number => {
  const slab = slabsOf(rig).find((s) => block >= s.origin && block < s.origin + TINY.slabBlocks)
  return slab?.counts.count(block - slab.origin) ?? -1
}

const journalBlocks = (disk: Disk): (Uint8Array | undefined)[] =>
  Array.from({ length: TINY.slabJournalBlocks }, (_, position) =>
    disk.get(FIRST + TINY.slabDataBlocks + TINY.slabReferenceBlocks + position),
  )

describe('slab journals after a crash', () => {
  it('get increments and decrements, tree pages among them, in slabs that were never used', async () => {
    const rig = await crashed(await unusedDisk())
    replay(rig, 5, [
      { maps: FIRST + 9, isTree: true },
      { maps: FIRST },
      { maps: FIRST + 1 },
      { maps: FIRST },
      { maps: FIRST + 2, unmaps: FIRST + 1 },
      { maps: 0, unmaps: FIRST },
    ])
    load(rig)
    expect([9, 0, 1, 2].map((sbn) => countOf(rig, FIRST + sbn))).to.deep.equal([254, 1, 0, 1])
    const again = await rig.reopened({ volume: { ...CRASHED, load: LoadKind.Normal } })
    expect([9, 0, 1, 2].map((sbn) => countOf(again, FIRST + sbn))).to.deep.equal([254, 1, 0, 1])
  })

  it('get what is of their own zone only', async () => {
    const rig = await crashed(await unusedDisk(), 3)
    const blocks = [0, 1, 2, 3, 4].map((slab) => FIRST + slab * TINY.slabBlocks + slab)
    replay(
      rig,
      5,
      blocks.map((maps) => ({ maps })),
    )
    load(rig)
    expect(blocks.map((block) => countOf(rig, block))).to.deep.equal([1, 1, 1, 1, 1])
  })

  it('are the same as without the crash, block for block', async () => {
    const before = await Rig.loaded({ volume: TINY })
    const entries: Entry[] = []
    for (let i = 0; i < 40; i++)
      entries.push({ maps: i % 7 === 3 ? before.writeTree(i) : before.write(i), isTree: i % 7 === 3 })
    before.bench.arena.boards.wantedLock = before.recoverySequence
    before.send(PhysicalOp.CommitTails, 0)
    const rig = await crashed(await unusedDisk())
    replay(rig, before.recoverySequence, entries)
    step(rig, RepairStep.ReplaySlabs)
    const wanted = journalBlocks(before.disk)
    expect(wanted.filter((block) => block !== undefined).length).to.be.above(4)
    const found = journalBlocks(rig.disk)
    for (const [position, block] of wanted.entries()) {
      // Bytes behind the last entry may be anything.
      expect(found[position]?.subarray(0, 36 + 8 * 3), `block ${position}`).to.deep.equal(
        block?.subarray(0, 36 + 8 * 3),
      )
    }
  })

  it('get nothing twice, however often it is replayed', async () => {
    const disk = await unusedDisk()
    const entries = Array.from({ length: 30 }, (_, i) => ({ maps: FIRST + (i % 11) }))
    for (let time = 0; time < 3; time++) {
      const rig = await crashed(disk)
      replay(rig, 5, entries.slice(0, 10 * (time + 1)))
      step(rig, RepairStep.ReplaySlabs)
    }
    const rig = await crashed(disk)
    replay(rig, 5, entries)
    load(rig)
    for (let sbn = 0; sbn < 11; sbn++) expect(countOf(rig, FIRST + sbn)).to.equal(sbn < 8 ? 3 : 2)
  })

  it('wait for vios to be written with, and the entries of other slabs with them', async () => {
    const rig = await crashed(await unusedDisk())
    rig.isHeld = true
    const { arena } = rig.bench
    const vio = arena.pools.repair.first
    const entries = Array.from({ length: 150 }, (_, i) => ({ maps: FIRST + (i % 60) }))
    expect(() => replay(rig, 5, [...entries, { maps: FIRST + TINY.slabBlocks }])).to.throw(/no message/)
    expect(slabsOf(rig)[1].journal.isBlank).to.equal(true)
    rig.release()
    expect(rig.bench.expect(RepairOp.EntriesReplayed).operand as VioIndex).to.equal(vio)
    load(rig)
    expect(countOf(rig, FIRST + 19)).to.equal(3)
    expect(countOf(rig, FIRST + TINY.slabBlocks)).to.equal(1)
  })

  it('fill their ring past blocks that must have been reaped', async () => {
    const disk = await unusedDisk()
    const rig = await crashed(disk)
    // More blocks than the ring has, as a kernel may leave it: the newest ones count.
    const perBlock = SHAPE.slabJournalEntriesPerBlock
    const total = (TINY.slabJournalBlocks + 3) * perBlock
    for (let i = 0; i < total; i += 100) {
      const count = Math.min(100, total - i)
      replay(
        rig,
        5 + i / 100,
        Array.from({ length: count }, (_, k) =>
          (i + k) % 2 === 0 ? { maps: FIRST } : { maps: 0, unmaps: FIRST },
        ),
      )
    }
    step(rig, RepairStep.ReplaySlabs)
    const { journal } = slabsOf(rig)[0]
    expect(journal.length).to.equal(TINY.slabJournalBlocks)
    expect(journal.requiresScrubbing).to.equal(true)
  })

  it('never make a slab look unused, where their ring comes round', async () => {
    const rig = await crashed(await unusedDisk())
    const perBlock = SHAPE.slabJournalEntriesPerBlock
    for (let block = 1; block < TINY.slabJournalBlocks; block++) {
      replay(
        rig,
        5 + block,
        Array.from({ length: perBlock }, (_, i) =>
          i % 2 === 0 ? { maps: FIRST } : { maps: 0, unmaps: FIRST },
        ),
      )
    }
    step(rig, RepairStep.ReplaySlabs)
    const entry = readSummaryEntry(rig.disk.get(TINY.summaryOrigin)!, 0, 0)
    expect([summaryTail(entry), summaryLoad(entry)]).to.deep.equal([0, true])
  })

  it('make a slab wait to be scrubbed where more entries would wait', async () => {
    const perBlock = SHAPE.slabJournalEntriesPerBlock
    for (const [blocks, isTooLong] of [
      [TINY.slabJournalBlocking - 1, false],
      [TINY.slabJournalBlocking, true],
    ] as const) {
      const rig = await crashed(await unusedDisk())
      for (let block = 0; block < blocks; block++) {
        replay(
          rig,
          5 + block,
          Array.from({ length: perBlock }, (_, i) =>
            i % 2 === 0 ? { maps: FIRST } : { maps: 0, unmaps: FIRST },
          ),
        )
      }
      const { journal } = slabsOf(rig)[0]
      expect(journal.length).to.equal(blocks)
      expect(journal.requiresScrubbing).to.equal(isTooLong)
    }
  })

  it('wait where the ring comes round to blocks that the summary does not count yet', async () => {
    const rig = await crashed(await unusedDisk())
    rig.isSummaryHeld = true
    const vio = rig.bench.arena.pools.repair.first
    const perBlock = SHAPE.slabJournalEntriesPerBlock
    const change = (i: number) => (i % 2 === 0 ? { maps: FIRST } : { maps: 0, unmaps: FIRST })
    const entries = Array.from({ length: TINY.slabJournalBlocks * perBlock }, (_, i) => change(i))
    for (let i = 0; i < entries.length; i += 128) replay(rig, 5 + i / 128, entries.slice(i, i + 128))
    expect(() => replay(rig, 9, [change(0), change(1)])).to.throw(/no message/)
    rig.isSummaryHeld = false
    rig.run()
    expect(rig.bench.expect(RepairOp.EntriesReplayed).operand as VioIndex).to.equal(vio)
    step(rig, RepairStep.ReplaySlabs)
    expect(slabsOf(rig)[0].journal.tail).to.equal(TINY.slabJournalBlocks + 2)
  })

  it('are left alone once the volume is read-only, and the block goes on all the same', async () => {
    const rig = await crashed(await unusedDisk())
    rig.send(PhysicalOp.EnterReadOnly, 0)
    rig.writes.length = 0
    replay(rig, 5, [{ maps: FIRST }])
    rig.send(PhysicalOp.Administer, RepairStep.ReplaySlabs)
    rig.bench.expect(AdminOp.PhaseDone)
    expect(rig.writes).to.deep.equal([])
  })

  it('come to rest with the volume after a repair that failed', async () => {
    for (const command of [AdminCommand.Suspend, AdminCommand.Save]) {
      const rig = await crashed(await unusedDisk(), 3)
      replay(rig, 5, [{ maps: FIRST }, { maps: FIRST + 1 }])
      for (let zone = 0; zone < 3; zone++) rig.send(PhysicalOp.EnterReadOnly, 0, zone)
      const before = copyOf(rig.disk)
      step(rig, command)
      expect(rig.disk).to.deep.equal(before)
    }
  })
})
