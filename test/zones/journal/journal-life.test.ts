import { expect } from 'chai'
import { lbn, type Pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { BLOCK_SIZE } from '../../../src/format/constants.js'
import * as format from '../../../src/format/recovery-journal-block.js'
import { Counter } from '../../../src/vio/counters.js'
import { LockKind, ZoneJournalLocks } from '../../../src/vio/journal-locks.js'
import { Mark } from '../../../src/vio/marks.js'
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
import { VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import { JournalZone } from '../../../src/zones/journal/journal-zone.js'
import { Bench, ONE_OF_EACH, type Sent, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

const NEW_BLOCK = 200 as Pbn
const OLD_BLOCK = 300 as Pbn
const PAGES = 6

/** A logical zone that only dirties pages, and writes them when they are old. */
class FakePages {
  private readonly locks: ZoneJournalLocks
  /** Page to the journal block that it holds. */
  readonly dirty = new Map<number, number>()

  constructor(bench: Bench, notify: () => void) {
    this.locks = new ZoneJournalLocks(bench.arena.journalLocks, LockKind.Logical, notify)
  }

  update(page: number, sequence: number): void {
    if (!this.dirty.has(page)) {
      this.dirty.set(page, sequence)
      this.locks.acquire(sequence)
    }
    this.locks.entryTaken(sequence)
  }

  write(oldest: number): void {
    for (const [page, sequence] of this.dirty) {
      if (sequence > oldest) continue
      this.dirty.delete(page)
      this.locks.release(sequence)
    }
  }
}

/** A slab journal that keeps one block in memory and one lock for it. */
class FakeSlab {
  private readonly locks: ZoneJournalLocks
  private held = 0
  private entries = 0

  constructor(
    bench: Bench,
    notify: () => void,
    private readonly entriesPerBlock: number,
  ) {
    this.locks = new ZoneJournalLocks(bench.arena.journalLocks, LockKind.Physical, notify)
  }

  add(sequence: number): void {
    if (this.entries++ === 0) {
      this.held = sequence
      this.locks.acquire(sequence)
    }
    if (this.entries === this.entriesPerBlock) this.commit()
  }

  commitOldest(wanted: number): void {
    if (this.entries > 0 && this.held <= wanted) this.commit()
  }

  commit(): void {
    if (this.entries === 0) return
    this.entries = 0
    this.locks.release(this.held)
  }
}

interface Sizes {
  readonly journalBlocks: number
  readonly journalTailBlocks: number
  readonly journalEntriesPerBlock: number
}

/** A journal among fakes: messages are delivered in any order that keeps that of each pair of zones. */
class World {
  readonly vios: VioTable
  readonly journal: JournalZone
  readonly disk = new Map<number, Uint8Array>()
  readonly pages: FakePages
  readonly slab: FakeSlab
  /** Where entries were released, in that order. */
  private lastReleased = -1
  /** Requests with bio: they end in any order. */
  private readonly io: Sent[] = []
  private readonly idle: VioIndex[] = []
  private readonly arrivals = new Map<VioIndex, number>()
  released = 0
  appended = 0
  done = 0

  constructor(
    readonly bench: Bench,
    private readonly sizes: Sizes,
    private readonly prng: Prng,
  ) {
    this.vios = bench.arena.vios
    this.journal = new JournalZone(bench.context(Room.Journal))
    const notify = () => bench.send(hop(JournalOp.LocksReleased, 0), 0)
    this.pages = new FakePages(bench, notify)
    this.slab = new FakeSlab(bench, notify, sizes.journalEntriesPerBlock * 40)
    for (let row = 0; row < bench.shape.dataVios; row++) this.idle.push(vioIndex(row))
    this.journal.receive(JournalOp.Administer, AdminCommand.Load)
    bench.expect(AdminOp.PhaseDone)
  }

  get counters(): Float64Array {
    return this.bench.context(Room.Journal).counters
  }

  /** Runs until all of `entries` were appended and are done. */
  run(entries: number): void {
    const goal = this.appended + entries
    let quiet = 0
    while (this.done < goal) {
      const before = this.appended + this.done + this.released
      if (this.appended < goal && this.idle.length > 0 && this.prng.chance(1 / 2)) this.append()
      else this.deliver()
      if (this.prng.chance(1 / 3)) this.journal.endPass()
      quiet = before === this.appended + this.done + this.released ? quiet + 1 : 0
      expect(quiet, 'the journal makes progress').to.be.lessThan(10_000)
    }
  }

  private append(): void {
    const { vios } = this
    const vio = this.idle.splice(this.prng.below(this.idle.length), 1)[0]
    vios.status[vio] = Status.Success
    vios.flags[vio] = VioFlag.Write
    vios.lbn[vio] = lbn(vio)
    vios.pagePbn[vio] = (150 + this.prng.below(PAGES)) as Pbn
    vios.pageSlot[vio] = vio
    const isOverwrite = this.prng.chance(1 / 2)
    vios.mappedPbn[vio] = (isOverwrite ? OLD_BLOCK : 0) as Pbn
    vios.mappedState[vio] = isOverwrite ? 1 : 0
    vios.newPbn[vio] = NEW_BLOCK
    vios.newState[vio] = 1
    this.arrivals.set(vio, isOverwrite ? 2 : 1)
    this.appended++
    this.journal.receive(JournalOp.Append, vio)
  }

  private deliver(): void {
    if (this.io.length > 0 && this.prng.chance(1 / 2)) {
      const request = this.io.splice(this.prng.below(this.io.length), 1)[0]
      return this.finishIo(request)
    }
    const message = this.bench.sent.shift()
    if (message !== undefined) this.take(message)
  }

  private take({ op, operand }: Sent): void {
    const { boards } = this.bench.arena
    const vio = operand as VioIndex
    switch (op) {
      case BioOp.Write:
      case BioOp.Flush:
        this.io.push({ op, zone: 0, operand })
        return
      case LogicalOp.AdvanceEra:
        this.pages.write(boards.era - Math.floor(this.sizes.journalBlocks / 2))
        return
      case PhysicalOp.CommitTails:
        this.slab.commitOldest(boards.wantedLock)
        return
      case PhysicalOp.Increment:
        this.checkReleased(vio)
        this.slab.add(this.vios.journalSequence[vio])
        return this.arrive(vio)
      case PhysicalOp.Decrement:
        this.slab.add(this.vios.journalSequence[vio])
        return this.arrive(vio)
      case JournalOp.LocksReleased:
        this.journal.receive(op, operand)
        return
      default:
        throw new Error(`unexpected message ${op}`)
    }
  }

  private finishIo({ op, operand }: Sent): void {
    const vio = operand as VioIndex
    if (op === BioOp.Flush) return this.journal.receive(JournalOp.Flushed, operand)
    const at = this.vios.bufferAt(vio)
    this.disk.set(this.vios.ioPbn[vio], this.bench.arena.bytes.slice(at, at + BLOCK_SIZE))
    this.journal.receive(JournalOp.Written, operand)
  }

  /** A released entry is on disk, comes after the last one, and no head has passed it. */
  private checkReleased(vio: VioIndex): void {
    const sequence = this.vios.journalSequence[vio]
    const index = this.vios.journalEntry[vio]
    const place = sequence * this.sizes.journalEntriesPerBlock + index
    expect(place).to.equal(this.lastReleased === -1 ? place : this.lastReleased + 1)
    this.lastReleased = place
    this.released++
    const block = this.disk.get(SMALL_VOLUME.journalOrigin + (sequence % this.sizes.journalBlocks))
    if (block === undefined) throw new Error('the block was never written')
    expect(format.readJournalSequence(block, 0)).to.equal(sequence)
    expect(format.readJournalEntryCount(block, 0)).to.be.greaterThan(index)
    expect(format.readJournalSlot(block, format.journalEntryAt(0, index))).to.equal(vio)
    expect(format.readJournalBlockMapHead(block, 0)).to.be.at.most(sequence)
    expect(sequence - format.readJournalSlabJournalHead(block, 0)).to.be.lessThan(this.sizes.journalBlocks)
  }

  private arrive(vio: VioIndex): void {
    const left = this.arrivals.get(vio)! - 1
    this.arrivals.set(vio, left)
    if (left > 0) return
    this.pages.update(this.vios.pagePbn[vio], this.vios.journalSequence[vio])
    this.idle.push(vio)
    this.done++
  }

  /** Saves: whoever holds something lets go, as its own phase would make it. */
  save(): void {
    this.pages.write(Number.POSITIVE_INFINITY)
    this.journal.receive(JournalOp.Administer, AdminCommand.Save)
    let saved = false
    for (let steps = 0; !saved; steps++) {
      expect(steps).to.be.lessThan(10_000)
      this.journal.endPass()
      if (this.io.length > 0) this.finishIo(this.io.shift()!)
      const at = this.bench.sent.findIndex(({ op }) => op === AdminOp.PhaseDone)
      if (at >= 0) saved = this.bench.sent.splice(at, 1).length === 1
      else this.deliver()
    }
    while (this.bench.sent.length > 0) this.deliver()
    this.slab.commit()
    while (this.bench.sent.length > 0) this.deliver()
    expect(this.io).to.deep.equal([])
    // The next entry opens a new block, though the last one may have room.
    this.lastReleased = -1
  }
}

describe('the life of a recovery journal', () => {
  const SIZES: readonly Sizes[] = [
    { journalBlocks: 16, journalTailBlocks: 2, journalEntriesPerBlock: 1 },
    { journalBlocks: 16, journalTailBlocks: 11, journalEntriesPerBlock: 3 },
    { journalBlocks: 32, journalTailBlocks: 4, journalEntriesPerBlock: 7 },
    { journalBlocks: 64, journalTailBlocks: 11, journalEntriesPerBlock: 5 },
  ]

  for (const [seed, sizes] of SIZES.entries()) {
    const { journalBlocks, journalTailBlocks, journalEntriesPerBlock } = sizes
    const name = `${journalBlocks} blocks of ${journalEntriesPerBlock}, ${journalTailBlocks} in memory`

    it(`fills, wraps, commits and reaps without end: ${name}`, async () => {
      const bench = await Bench.make(
        { ...SMALL_SHAPE, journalTailBlocks, journalEntriesPerBlock },
        { ...SMALL_VOLUME, journalBlocks },
        ONE_OF_EACH,
      )
      const world = new World(bench, sizes, new Prng(seed + 1))
      const { counters } = world
      for (let round = 1; round <= 3; round++) {
        const entries = 8 * journalBlocks * journalEntriesPerBlock + 1
        world.run(entries)
        expect(counters[Mark.JournalWraps]).to.be.at.least(7 * round)
        world.save()
        const { boards, journalLocks } = bench.arena
        for (let block = 0; block < journalBlocks; block++) {
          expect(journalLocks.isHeld(block, LockKind.Logical)).to.equal(false)
          expect(journalLocks.isHeld(block, LockKind.Physical)).to.equal(false)
        }
        // The next block is one past the last that is on disk.
        const sequences = [...world.disk.values()].map((block) => format.readJournalSequence(block, 0))
        expect(boards.journalNext).to.equal(Math.max(...sequences) + 1)
        world.journal.receive(JournalOp.Administer, AdminCommand.Resume)
        bench.expect(AdminOp.PhaseDone)
      }
      const started = counters[Counter.JournalEntriesStarted]
      expect(started).to.equal(world.done)
      expect(counters[Counter.JournalEntriesWritten]).to.equal(started)
      expect(counters[Counter.JournalEntriesCommitted]).to.equal(started)
      expect(counters[Counter.JournalBlocksCommitted]).to.equal(counters[Counter.JournalBlocksWritten])
      expect(counters[Mark.JournalReaps]).to.be.greaterThan(0)
      expect(counters[Counter.JournalCommitsRequested]).to.be.greaterThan(0)
    })
  }
})
