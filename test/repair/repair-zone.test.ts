/** What the repair zone keeps in memory, and until when: a journal is large. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { vioIndex } from '../../src/base/ids.js'
import { Status } from '../../src/base/status.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { RepairZone } from '../../src/repair/repair-zone.js'
import { AdminOp, BioOp, RepairOp, RepairStep, Room } from '../../src/vio/opcodes.js'
import { LoadKind } from '../../src/vio/volume.js'
import { Bench, SMALL_SHAPE, SMALL_VOLUME } from '../zones/bench.js'

/** 32 MiB of journal, in which nothing was ever written. */
const JOURNAL_BLOCKS = 8192
const JOURNAL_BYTES = JOURNAL_BLOCKS * BLOCK_SIZE

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

class Repair {
  private constructor(
    private readonly bench: Bench,
    private readonly zone: RepairZone,
    private readonly before: number,
  ) {}

  static async of(load: LoadKind): Promise<Repair> {
    const volume = { ...SMALL_VOLUME, journalBlocks: JOURNAL_BLOCKS, load }
    const bench = await Bench.make(SMALL_SHAPE, volume)
    return new Repair(bench, new RepairZone(bench.context(Room.Repair), () => {}), Repair.memory())
  }

  private static memory(): number {
    collect()
    // What the first has found is given back beside the program; the second waits for that.
    collect()
    return process.memoryUsage().arrayBuffers
  }

  /** Bytes of memory that it has taken and still has. */
  get held(): number {
    return Repair.memory() - this.before
  }

  /** Does a step, with reads that end in `status`; gives how the step has ended. */
  step(which: RepairStep, status = Status.Success): Status {
    const { bench, zone } = this
    zone.receive(RepairOp.Administer, which)
    for (;;) {
      const message = bench.sent.shift()
      if (message === undefined || message.op === AdminOp.PhaseDone) return bench.arena.boards.phaseStatus
      if (message.op !== BioOp.Read) continue
      bench.arena.vios.status[vioIndex(message.operand)] = status
      zone.receive(RepairOp.JournalRead, message.operand)
    }
  }
}

describe('the repair zone', () => {
  it('keeps the journal for the slabs, until they have it', async () => {
    const repair = await Repair.of(LoadKind.Recovery)
    expect(repair.step(RepairStep.Recover)).to.equal(Status.Success)
    expect(repair.held).to.be.at.least(JOURNAL_BYTES)
    expect(repair.step(RepairStep.ReplaySlabs)).to.equal(Status.Success)
    expect(repair.held).to.be.below(JOURNAL_BYTES / 4)
  })

  it('lets the journal go when the load fails elsewhere', async () => {
    const repair = await Repair.of(LoadKind.Recovery)
    repair.step(RepairStep.Recover)
    expect(repair.step(RepairStep.GiveUp)).to.equal(Status.Success)
    expect(repair.held).to.be.below(JOURNAL_BYTES / 4)
  })

  it('keeps nothing of a journal that it cannot read', async () => {
    const repair = await Repair.of(LoadKind.Recovery)
    expect(repair.step(RepairStep.Recover, Status.IoError)).to.equal(Status.IoError)
    expect(repair.held).to.be.below(JOURNAL_BYTES / 4)
  })

  it('keeps nothing of a journal for the count of a rebuild', async () => {
    const repair = await Repair.of(LoadKind.Rebuild)
    expect(repair.step(RepairStep.Recover)).to.equal(Status.Success)
    expect(repair.held).to.be.below(JOURNAL_BYTES / 4)
  })
})
