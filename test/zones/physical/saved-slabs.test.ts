import { expect } from 'chai'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { MAXIMUM_SEQUENCE } from '../../../src/format/constants.js'
import { readSummaryEntry, summaryDirty, summaryLoad, summaryTail } from '../../../src/format/slab-summary.js'
import { Counter } from '../../../src/vio/counters.js'
import { Mark } from '../../../src/vio/marks.js'
import { AdminCommand, AdminOp, CpuOp, PhysicalOp } from '../../../src/vio/opcodes.js'
import type { ZoneCounts } from '../../../src/vio/volume.js'
import { SlabStatus } from '../../../src/zones/physical/slab-status.js'
import { ONE_OF_EACH } from '../bench.js'
import { Life, slabsOf } from './life.js'
import { type Disk, Rig, SHAPE, TINY, VOLUME } from './rig.js'

const SEEDS = [1, 2, 3, 4, 5, 6]
const zones = (physical: number): ZoneCounts => ({ ...ONE_OF_EACH, physical })

/** Few entries a block and few vios, so that journals fill, wait and wrap. */
const TIGHT = {
  ...SHAPE,
  allocatorVios: 7,
  slabJournalEntriesPerBlock: 4,
  slabJournalMixedEntriesPerBlock: 3,
}

async function lived(seed: number, steps: number, physical = 1, vios = 7): Promise<Life> {
  const rig = await Rig.loaded({
    shape: seed % 2 === 0 ? SHAPE : { ...TIGHT, allocatorVios: vios },
    volume: seed % 3 === 0 ? VOLUME : TINY,
    counts: zones(physical),
  })
  const life = new Life(rig, new Prng(seed))
  life.run(steps)
  return life
}

/** Every entry is counted by the summary, as if the recovery journal were short of space. */
function commitAll(rig: Rig): void {
  rig.bench.arena.boards.wantedLock = rig.recoverySequence
  for (let zone = 0; zone < rig.zones.length; zone++) rig.send(PhysicalOp.CommitTails, 0, zone)
}

/** A run after a crash that takes work, while slabs are still rebuilt; I/O is held. */
async function rebuilding(life: Life, prng: Prng): Promise<Life> {
  commitAll(life.rig)
  const { volume, shape } = life.rig.bench
  const rig = await Rig.make({
    shape,
    volume: { ...volume, isNew: false, savedPhysicalZones: life.rig.zones.length },
    disk: copyOf(life.rig.disk),
  })
  rig.follow(life.rig)
  rig.isHeld = true
  rig.send(PhysicalOp.Administer, AdminCommand.Load)
  while (!rig.bench.sent.some((s) => s.op === AdminOp.PhaseDone)) rig.stepAny(prng)
  rig.bench.expect(AdminOp.PhaseDone)
  const after = new Life(rig, prng)
  after.inherit(life)
  return after
}

const copyOf = (disk: Disk): Disk => new Map([...disk].map(([block, bytes]) => [block, bytes.slice()]))

describe('the counts of a zone', () => {
  for (const seed of SEEDS) {
    it(`are right whatever the order of I/O (${seed})`, async () => {
      const life = await lived(seed, 6000, 1 + (seed % 3))
      expect(life.differences()).to.deep.equal([])
      expect(life.references).to.be.greaterThan(100)
      expect(life.rig.counter(Mark.SlabJournalReaps)).to.be.greaterThan(0)
      expect(life.rig.bench.arena.boards.readOnlyReason).to.equal(Status.Success)
    })

    it(`survive a save, by another number of zones (${seed})`, async () => {
      let life = await lived(seed, 3000, 1 + (seed % 3))
      for (let run = 0; run < 3; run++) {
        const { rig } = life
        rig.administer(AdminCommand.Save)
        const next = await rig.reopened({ counts: zones(1 + ((seed + run) % 4)) })
        for (const slab of slabsOf(next))
          expect(next.zones[slab.number % next.zones.length].summary.isDirty(slab)).to.equal(false)
        const after = new Life(next, new Prng(seed + run))
        after.inherit(life)
        expect(after.differences()).to.deep.equal([])
        after.run(2000)
        expect(after.differences()).to.deep.equal([])
        life = after
      }
    })

    it(`are rebuilt from the slab journals (${seed})`, async () => {
      const life = await lived(seed, 4000, 1 + (seed % 3), 64)
      // Reference blocks that were written, and entries that they reflect but that are not reaped.
      life.rig.isFlushHeld = true
      for (const slab of slabsOf(life.rig)) if (slab.counts.isInMemory) slab.counts.writeAll()
      life.run(30)
      expect(life.isIdle).to.equal(true)
      commitAll(life.rig)
      const next = await life.rig.reopened({ disk: copyOf(life.rig.disk), counts: zones(1 + (seed % 4)) })
      const after = new Life(next, new Prng(seed))
      after.inherit(life)
      expect(after.differences()).to.deep.equal([])
      after.run(3000)
      expect(after.differences()).to.deep.equal([])
      next.administer(AdminCommand.Save)
    })

    it(`take changes while they are rebuilt in the background (${seed})`, async () => {
      const life = await lived(seed, 3000)
      const after = await rebuilding(life, new Prng(seed))
      after.run(3000)
      expect(after.differences()).to.deep.equal([])
      after.rig.administer(AdminCommand.Save)
      const last = new Life(await after.rig.reopened(), new Prng(seed))
      last.inherit(after)
      expect(last.differences()).to.deep.equal([])
    })
  }

  it('are saved in the midst of rebuilding, to be rebuilt at the next load', async () => {
    const life = await lived(1, 4000)
    const after = await rebuilding(life, new Prng(1))
    const { rig } = after
    rig.isHeld = false
    rig.administer(AdminCommand.Save)
    const unbuilt = slabsOf(rig).filter((slab) => !slab.isRebuilt)
    expect(unbuilt.length).to.be.greaterThan(0)
    const last = new Life(await rig.reopened({ disk: copyOf(rig.disk) }), new Prng(2))
    last.inherit(after)
    expect(last.differences()).to.deep.equal([])
    rig.administer(AdminCommand.Resume)
    expect(after.differences()).to.deep.equal([])
  })

  it('are rebuilt first where changes find no room', async () => {
    const life = await lived(1, 4000)
    const after = await rebuilding(life, new Prng(1))
    const { rig } = after
    const slab = slabsOf(rig).findLast((s) => s.status === SlabStatus.RequiresScrubbing)!
    while (!after.dropAll(slab)) after.run(0)
    expect(slab.status).to.equal(SlabStatus.RequiresHighPriorityScrubbing)
    after.settle()
    expect(after.differences()).to.deep.equal([])
  })

  it('let an allocation wait for the next slab when there is hope', async () => {
    const life = await lived(1, 6000)
    const { rig } = await rebuilding(life, new Prng(1))
    let row = 0
    let vio = rig.vio(row)
    do {
      vio = rig.vio(row++)
      rig.send(PhysicalOp.Allocate, vio)
    } while (rig.vios.allocatedPbn[vio] !== 0)
    expect(rig.bench.sent.some((s) => s.op === CpuOp.Name && s.operand === vio)).to.equal(false)
    rig.release()
    expect(rig.bench.sent.some((s) => s.op === CpuOp.Name && s.operand === vio)).to.equal(true)
  })

  it('go on after a suspension, and start with empty journals after a save', async () => {
    const life = await lived(1, 3000)
    const { rig } = life
    rig.administer(AdminCommand.Suspend)
    rig.administer(AdminCommand.Resume)
    life.run(1000)
    rig.administer(AdminCommand.Save)
    for (const slab of slabsOf(rig)) expect(rig.zones[0].summary.isDirty(slab)).to.equal(false)
    rig.administer(AdminCommand.Resume)
    for (const slab of slabsOf(rig)) expect(slab.journal.length).to.equal(0)
    life.run(2000)
    expect(life.differences()).to.deep.equal([])
    rig.administer(AdminCommand.Save)
    const writes = rig.writes.length
    rig.administer(AdminCommand.Save)
    expect(rig.writes.length).to.equal(writes)
  })
})

describe('the slab summary', () => {
  it('of a new volume has 64 blocks that say that no slab was used', async () => {
    const rig = await Rig.loaded({ counts: zones(2) })
    expect(rig.writes.length).to.equal(64)
    for (let block = 0; block < 64; block++) {
      const bytes = rig.disk.get(VOLUME.summaryOrigin + block)!
      const entry = readSummaryEntry(bytes, 0, 2047)
      expect([summaryTail(entry), summaryLoad(entry), summaryDirty(entry)]).to.deep.equal([0, false, false])
    }
  })

  it('has no journal for a slab that was opened and got no entry', async () => {
    const rig = await Rig.loaded()
    const vio = rig.vio(0)
    rig.send(PhysicalOp.Allocate, vio)
    rig.send(PhysicalOp.ReleaseAllocation, vio)
    rig.administer(AdminCommand.Save)
    const entry = readSummaryEntry(rig.disk.get(VOLUME.summaryOrigin)!, 0, 0)
    expect([summaryTail(entry), summaryLoad(entry), summaryDirty(entry)]).to.deep.equal([0, true, false])
    const next = await rig.reopened()
    expect(next.write()).to.not.equal(0)
    expect(next.bench.arena.boards.phaseStatus).to.equal(Status.Success)
  })

  it('has no dirty slab after a save, and nothing for slabs that were never used', async () => {
    const rig = await Rig.loaded()
    rig.write()
    rig.administer(AdminCommand.Save)
    const bytes = rig.disk.get(VOLUME.summaryOrigin)!
    const [used, unused] = [readSummaryEntry(bytes, 0, 0), readSummaryEntry(bytes, 0, 1)]
    expect([summaryTail(used), summaryLoad(used), summaryDirty(used)]).to.deep.equal([2, true, false])
    expect([summaryTail(unused), summaryLoad(unused), summaryDirty(unused)]).to.deep.equal([0, false, false])
    expect(rig.counter(Counter.ReferenceBlocksWritten)).to.equal(VOLUME.slabReferenceBlocks)
  })
})

describe('a zone that meets a bad disk', () => {
  const entered = (rig: Rig) => rig.bench.arena.boards.readOnlyReason

  it('does not load without its summary', async () => {
    const rig = await Rig.make({ volume: { ...VOLUME, isNew: false } })
    rig.bad.add(VOLUME.summaryOrigin)
    rig.administer(AdminCommand.Load)
    expect(rig.bench.arena.boards.phaseStatus).to.equal(Status.IoError)
  })

  for (const part of ['journal', 'counts'] as const) {
    it(`does not load without the ${part} of a slab`, async () => {
      const rig = await Rig.loaded()
      rig.write()
      rig.administer(AdminCommand.Save)
      const next = await Rig.make({
        disk: rig.disk,
        volume: { ...VOLUME, isNew: false, savedPhysicalZones: 1 },
      })
      const references = VOLUME.depotOrigin + VOLUME.slabDataBlocks
      next.bad.add(part === 'counts' ? references + 1 : references + VOLUME.slabReferenceBlocks + 1)
      next.administer(AdminCommand.Load)
      expect(next.bench.arena.boards.phaseStatus).to.not.equal(Status.Success)
      expect(entered(next)).to.equal(Status.IoError)
      next.administer(AdminCommand.Save)
    })
  }

  it('becomes read-only when a journal of a dirty slab is not what it should be', async () => {
    const rig = await Rig.loaded()
    for (let i = 0; i < 30; i++) rig.write()
    commitAll(rig)
    const disk = copyOf(rig.disk)
    disk.delete(VOLUME.depotOrigin + VOLUME.slabDataBlocks + VOLUME.slabReferenceBlocks + 1)
    const next = await Rig.make({ disk, volume: { ...VOLUME, isNew: false, savedPhysicalZones: 1 } })
    next.administer(AdminCommand.Load)
    expect(entered(next)).to.equal(Status.JournalOrder)
  })

  it('becomes read-only rather than go past the last number of a slab journal', async () => {
    const rig = await Rig.loaded()
    rig.write()
    rig.administer(AdminCommand.Save)
    const [first] = slabsOf(rig)
    const newest = first.journal.blockPbn(1)
    // The same place of the ring, on its last trip.
    const sequence = MAXIMUM_SEQUENCE - (MAXIMUM_SEQUENCE % VOLUME.slabJournalBlocks) + 1
    const block = new DataView(rig.disk.get(newest)!.buffer)
    for (const field of [0, 8]) block.setBigUint64(field, BigInt(sequence), true)
    const next = await rig.reopened()
    expect(slabsOf(next)[0].journal.tail).to.equal(sequence + 1)
    const left = (MAXIMUM_SEQUENCE - sequence) * SHAPE.slabJournalEntriesPerBlock
    for (let i = 0; i < left - 1; i++) next.write()
    expect(entered(next)).to.equal(Status.Success)
    next.write()
    expect(entered(next)).to.equal(Status.SequenceExhausted)
    expect(next.write()).to.equal(0)
  })

  it('becomes read-only when a slab journal, reference or summary block cannot be written', async () => {
    const first = VOLUME.depotOrigin + VOLUME.slabDataBlocks
    for (const block of [first + VOLUME.slabReferenceBlocks + 1, first, VOLUME.summaryOrigin]) {
      const rig = await Rig.loaded()
      rig.write()
      rig.bad.add(block)
      rig.administer(AdminCommand.Save)
      expect(entered(rig)).to.equal(Status.IoError)
    }
  })
})
