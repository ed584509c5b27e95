import { expect } from 'chai'
import type { VioIndex } from '../../../src/base/ids.js'
import { Status } from '../../../src/base/status.js'
import { decodeSuperBlock, type SuperBlock, VolumeState } from '../../../src/format/super-block.js'
import { LockKind } from '../../../src/vio/journal-locks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  FlushOp,
  FrontOp,
  HashOp,
  IndexOp,
  JournalOp,
  LogicalOp,
  PackerOp,
  PhysicalOp,
  RepairOp,
  RepairStep,
  Room,
} from '../../../src/vio/opcodes.js'
import { IoFlag, IoKind } from '../../../src/vio/vio-table.js'
import { LoadKind } from '../../../src/vio/volume.js'
import { enterReadOnly } from '../../../src/vio/zone-context.js'
import { AdminZone } from '../../../src/zones/admin/admin-zone.js'
import { goldenBlock } from '../../format/golden.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

/** What a message is called in the expectations below. */
const NAMES = new Map<number, string>([
  [LogicalOp.Administer, 'logical'],
  [PhysicalOp.Administer, 'physical'],
  [HashOp.Administer, 'hash'],
  [JournalOp.Administer, 'journal'],
  [PackerOp.Administer, 'packer'],
  [FlushOp.Administer, 'flush'],
  [IndexOp.Administer, 'index'],
  [RepairOp.Administer, 'repair'],
  [LogicalOp.EnterReadOnly, 'logical!'],
  [PhysicalOp.EnterReadOnly, 'physical!'],
  [HashOp.EnterReadOnly, 'hash!'],
  [JournalOp.EnterReadOnly, 'journal!'],
  [PackerOp.EnterReadOnly, 'packer!'],
  [FlushOp.EnterReadOnly, 'flush!'],
])

const DRAIN =
  'packer0 hash0 hash1 index0 flush0 sync logical0 logical1 journal0 physical0 physical1 physical2'
const START = 'physical0 physical1 physical2 journal0 logical0 logical1 index0 hash0 hash1 packer0 flush0'

describe('the admin zone', () => {
  let bench: Bench
  let admin: AdminZone
  /** What happened, a word each. */
  let log: string[]
  let answer: Status | null
  /** The super block as last written. */
  let written: SuperBlock
  /** What the store and the rooms are to answer. */
  let failing: ReadonlyMap<string, Status>
  let journalAnswers: boolean

  beforeEach(() => open(VolumeState.New))

  /** A volume of this state. */
  async function open(state: VolumeState, load = LoadKind.Normal): Promise<void> {
    const counts = { ...ONE_OF_EACH, logical: 2, physical: 3, hash: 2 }
    bench = await Bench.make(SMALL_SHAPE, { ...SMALL_VOLUME, load }, counts)
    const context = bench.context(Room.Admin)
    const crc = (bytes: Uint8Array, seed?: number) => context.native.crc32(bytes, seed)
    admin = new AdminZone(context, { ...decodeSuperBlock(goldenBlock('formatted-super-block'), crc), state })
    log = []
    answer = null
    failing = new Map()
    journalAnswers = true
  }

  /** Answers every message until none is left. */
  function run(): void {
    for (;;) {
      const next = bench.sent.shift()
      if (next === undefined) return
      const { op, zone, operand } = next
      const name = NAMES.get(op)
      if (name?.endsWith('!')) {
        log.push(name + zone)
        if (op === JournalOp.EnterReadOnly && journalAnswers) admin.receive(AdminOp.ReadOnlyEntered, 0)
      } else if (name !== undefined) {
        log.push(operand in RepairStep ? `${name}${zone}.${RepairStep[operand]}` : name + zone)
        const status = failing.get(name + zone)
        if (status !== undefined) bench.arena.boards.failPhase(status)
        admin.receive(AdminOp.PhaseDone, zone)
      } else if (op === BioOp.Flush) {
        log.push('sync')
        expect(bench.arena.vios.ioKind[operand]).to.equal(IoKind.Data)
        admin.receive(AdminOp.StorageFlushed, operand)
      } else if (op === BioOp.Write) {
        writeSuperBlock(operand as VioIndex)
      } else if (op === AdminOp.ReadOnly) {
        admin.receive(op, operand)
      } else if (op === FrontOp.AdminAnswer) {
        answer = bench.arena.boards.adminStatus
      } else {
        throw new Error(`unexpected message ${op}`)
      }
    }
  }

  function writeSuperBlock(vio: VioIndex): void {
    const { vios, bytes } = bench.arena
    const { native } = bench.context(Room.Admin)
    const at = vios.bufferAt(vio)
    written = decodeSuperBlock(bytes.slice(at, at + 4096), (data, seed) => native.crc32(data, seed))
    const word = VolumeState[written.state]
    expect(vios.ioPbn[vio]).to.equal(SMALL_VOLUME.superBlockPbn)
    const isReadOnly = written.state === VolumeState.ReadOnly
    expect(vios.ioFlags[vio]).to.equal(isReadOnly ? IoFlag.Fua : IoFlag.Fua | IoFlag.Preflush)
    log.push(word)
    vios.status[vio] = failing.get(word) ?? Status.Success
    admin.receive(AdminOp.SuperBlockWritten, vio)
  }

  /** Gives a command; tells what happened. */
  function command(which: AdminCommand): string {
    log = []
    answer = null
    admin.receive(AdminOp.Command, which)
    run()
    return log.join(' ')
  }

  it('loads the journal and the slabs, says that the volume is in use, then the rest', () => {
    bench.arena.boards.journalNext = 77
    expect(command(AdminCommand.Load)).to.equal(
      'journal0 physical0 physical1 physical2 Dirty logical0 logical1 hash0 hash1 packer0 flush0 index0',
    )
    expect(answer).to.equal(Status.Success)
    expect(written.zoneCount).to.equal(3)
    expect(written.journalStart).to.equal(77)
  })

  it('stops a load at the first error and writes nothing', () => {
    failing = new Map([['physical1', Status.IoError]])
    expect(command(AdminCommand.Load)).to.equal('journal0 physical0 physical1')
    expect(answer).to.equal(Status.IoError)
    expect(command(AdminCommand.Save)).to.equal('')
    expect(answer).to.equal(Status.InvalidRequest)
  })

  describe('when the volume was not closed', () => {
    const STEPS = [
      'repair0.Recover',
      'logical0.Recover logical1.Recover sync',
      'physical0.Recover physical1.Recover physical2.Recover',
      'repair0.ReplaySlabs',
      'physical0.ReplaySlabs physical1.ReplaySlabs physical2.ReplaySlabs',
      'repair0.Restart',
      'Dirty journal0 physical0 physical1 physical2 logical0 logical1 hash0 hash1 packer0 flush0 index0',
    ].join(' ')

    beforeEach(() => open(VolumeState.Dirty, LoadKind.Recovery))

    it('replays the map, then the slabs, then says that a new life begins, then scrubs', () => {
      bench.arena.boards.completeRecoveries = 8
      expect(command(AdminCommand.Load)).to.equal(STEPS)
      expect(answer).to.equal(Status.Success)
      expect(written.completeRecoveries).to.equal(8)
    })

    it('is recovering until its last slab is scrubbed, and says so when it is saved', () => {
      const { boards } = bench.arena
      boards.addUnscrubbed(2)
      expect(boards.isRecovering).to.equal(false)
      command(AdminCommand.Load)
      expect(boards.isRecovering).to.equal(true)
      expect(command(AdminCommand.Save)).to.equal(`${DRAIN} Recovering`)
      expect(command(AdminCommand.Resume)).to.equal(`Dirty ${START}`)
      boards.addUnscrubbed(-2)
      expect(boards.isRecovering).to.equal(false)
      expect(command(AdminCommand.Save)).to.equal(`${DRAIN} Clean`)
    })

    it('goes on recovering when it was saved before', async () => {
      await open(VolumeState.Recovering)
      bench.arena.boards.addUnscrubbed(1)
      expect(command(AdminCommand.Load)).to.match(/^journal0 physical0/)
      expect(bench.arena.boards.isRecovering).to.equal(true)
    })

    it('is not recovering when it was closed, however much is to be read', async () => {
      await open(VolumeState.Clean)
      bench.arena.boards.addUnscrubbed(1)
      command(AdminCommand.Load)
      expect(bench.arena.boards.isRecovering).to.equal(false)
    })

    it('is left as it is when its journal is not to be understood', () => {
      failing = new Map([['repair0', Status.UnsupportedVersion]])
      expect(command(AdminCommand.Load)).to.equal('repair0.Recover')
      expect(answer).to.equal(Status.UnsupportedVersion)
    })
  })

  describe('when the counts are to be made anew', () => {
    const STEPS = [
      'repair0.Recover',
      'logical0.Recover logical1.Recover sync',
      'physical0.Forget physical1.Forget physical2.Forget',
      'repair0.Recount',
      'logical0.Recover logical1.Recover sync',
      'physical0.SaveCounts physical1.SaveCounts physical2.SaveCounts',
      'repair0.Restart',
      'Dirty journal0 physical0 physical1 physical2 logical0 logical1 hash0 hash1 packer0 flush0 index0',
    ].join(' ')

    it('makes the map whole, counts it, writes the counts, then says that a new life begins', async () => {
      await open(VolumeState.ForceRebuild, LoadKind.Rebuild)
      expect(command(AdminCommand.Load)).to.equal(STEPS)
      expect(bench.arena.boards.isRecovering).to.equal(false)
    })

    it('keeps asking for it until it is done, whatever fails', async () => {
      await open(VolumeState.ForceRebuild, LoadKind.Rebuild)
      admin.receive(AdminOp.Command, AdminCommand.Load)
      enterReadOnly(bench.context(Room.Repair), Status.IoError)
      bench.arena.boards.failPhase(Status.IoError)
      run()
      expect(log.join(' ')).to.not.match(/Dirty|ReadOnly/)
      expect(answer).to.equal(Status.IoError)
    })
  })

  describe('when the volume is read-only from the start', () => {
    beforeEach(() => open(VolumeState.ReadOnly, LoadKind.ReadOnly))

    it('tells every room first, leaves slabs and super block alone, and serves', () => {
      expect(command(AdminCommand.Load)).to.equal(
        'logical!0 logical!1 physical!0 physical!1 physical!2 hash!0 hash!1 journal!0 packer!0 flush!0 ' +
          'journal0 logical0 logical1 hash0 hash1 packer0 flush0',
      )
      expect(answer).to.equal(Status.Success)
      expect(bench.arena.boards.readOnlyReason).to.equal(Status.ReadOnly)
    })

    it('is closed as it was opened', () => {
      command(AdminCommand.Load)
      expect(command(AdminCommand.Save)).to.equal(DRAIN)
      expect(answer).to.equal(Status.Success)
    })
  })

  it('saves from producers to consumers, and then says that the volume is clean', () => {
    command(AdminCommand.Load)
    const { boards } = bench.arena
    boards.journalNext = 99
    boards.logicalBlocksUsed = 1234
    boards.blockMapDataBlocks = 12
    expect(command(AdminCommand.Save)).to.equal(`${DRAIN} Clean`)
    expect(answer).to.equal(Status.Success)
    expect(written).to.include({
      state: VolumeState.Clean,
      journalStart: 99,
      logicalBlocksUsed: 1234,
      blockMapDataBlocks: 12,
    })
    expect(command(AdminCommand.Resume)).to.equal(`Dirty ${START}`)
    expect(command(AdminCommand.Save)).to.equal(`${DRAIN} Clean`)
  })

  it('drains to the end after an error, but does not call the volume clean', () => {
    command(AdminCommand.Load)
    failing = new Map([['logical0', Status.IoError]])
    expect(command(AdminCommand.Save)).to.equal(DRAIN)
    expect(answer).to.equal(Status.IoError)
  })

  it('suspends and resumes without a word in the super block', () => {
    command(AdminCommand.Load)
    expect(command(AdminCommand.Suspend)).to.equal(DRAIN)
    expect(command(AdminCommand.Suspend)).to.equal('')
    expect(answer).to.equal(Status.Success)
    expect(command(AdminCommand.Resume)).to.equal(START)
    expect(command(AdminCommand.Load)).to.equal('')
    expect(answer).to.equal(Status.InvalidRequest)
  })

  it('leaves slabs and index alone in a volume that is read-only from the start', async () => {
    await open(VolumeState.ReadOnly, LoadKind.ReadOnly)
    const visited = command(AdminCommand.Load)
      .split(' ')
      .filter((name) => !name.includes('!'))
    expect(visited.join(' ')).to.equal('journal0 logical0 logical1 hash0 hash1 packer0 flush0')
    expect(answer).to.equal(Status.Success)
  })

  it('knows when the store is to be left alone', () => {
    const { boards } = bench.arena
    const atRest = (which: AdminCommand): boolean => {
      command(which)
      return boards.atRest
    }
    expect([AdminCommand.Load, AdminCommand.Suspend, AdminCommand.Resume].map(atRest)).to.deep.equal([
      false,
      true,
      false,
    ])
    expect([AdminCommand.Save, AdminCommand.Load, AdminCommand.Resume].map(atRest)).to.deep.equal([
      true,
      true,
      false,
    ])
  })

  it('is not content with a save after which a block of the journal is still needed', () => {
    command(AdminCommand.Load)
    bench.arena.journalLocks.zoneTakes(5, LockKind.Physical)
    expect(() => command(AdminCommand.Save)).to.throw('nobody needs the journal of a saved volume')
  })

  describe('when some zone meets a fatal error', () => {
    const TELL =
      'logical!0 logical!1 physical!0 physical!1 physical!2 hash!0 hash!1 journal!0 packer!0 flush!0'

    it('tells every room, then the super block', () => {
      command(AdminCommand.Load)
      log = []
      bench.arena.boards.journalNext = 55
      enterReadOnly(bench.context(Room.Journal), Status.IoError)
      enterReadOnly(bench.context(Room.Physical), Status.JournalOrder)
      run()
      expect(log.join(' ')).to.equal(`${TELL} ReadOnly`)
      expect(written.journalStart).to.equal(55)
      expect(command(AdminCommand.Save)).to.equal(DRAIN)
      expect(answer).to.equal(Status.Success)
      expect(command(AdminCommand.Resume)).to.equal(START)
    })

    it('ends a save under way only after that', () => {
      command(AdminCommand.Load)
      log = []
      admin.receive(AdminOp.Command, AdminCommand.Save)
      // The board says it before the message arrives.
      enterReadOnly(bench.context(Room.Logical), Status.IoError)
      const late = bench.expect(AdminOp.ReadOnly)
      answer = null
      run()
      expect(log.join(' ')).to.equal(DRAIN)
      expect(answer).to.equal(null)
      admin.receive(AdminOp.ReadOnly, late.operand)
      journalAnswers = false
      run()
      expect(answer).to.equal(null)
      admin.receive(AdminOp.ReadOnlyEntered, 0)
      run()
      expect(log.join(' ')).to.equal(`${DRAIN} ${TELL} ReadOnly`)
      expect(answer).to.equal(Status.Success)
    })

    it('leaves a volume at rest alone until it is resumed', () => {
      command(AdminCommand.Load)
      command(AdminCommand.Save)
      log = []
      enterReadOnly(bench.context(Room.Bio), Status.IoError)
      run()
      expect(log).to.deep.equal([])
      expect(command(AdminCommand.Resume)).to.equal(`${TELL} ReadOnly ${START}`)
    })

    it('is itself one when the super block cannot be written', () => {
      failing = new Map([
        ['Dirty', Status.IoError],
        ['ReadOnly', Status.IoError],
      ])
      expect(command(AdminCommand.Load)).to.equal(
        `journal0 physical0 physical1 physical2 Dirty ${TELL} ReadOnly`,
      )
      expect(answer).to.equal(Status.IoError)
      expect(command(AdminCommand.Save)).to.equal('')
    })

    it('serves reads after a load that failed, once the super block says why', () => {
      failing = new Map([['Dirty', Status.IoError]])
      expect(command(AdminCommand.Load)).to.equal(
        `journal0 physical0 physical1 physical2 Dirty ${TELL} ReadOnly repair0.GiveUp logical0 logical1 hash0 hash1 packer0 flush0`,
      )
      expect(answer).to.equal(Status.Success)
      expect(command(AdminCommand.Save)).to.equal(DRAIN)
      expect(answer).to.equal(Status.Success)
    })

    it('loads nobody twice and no slabs after a recovery that failed', async () => {
      await open(VolumeState.Dirty, LoadKind.Recovery)
      bench.arena.boards.addUnscrubbed(1)
      admin.receive(AdminOp.Command, AdminCommand.Load)
      const { operand } = bench.expect(RepairOp.Administer)
      expect(operand).to.equal(RepairStep.Recover)
      enterReadOnly(bench.context(Room.Repair), Status.CorruptJournal)
      bench.arena.boards.failPhase(Status.CorruptJournal)
      admin.receive(AdminOp.PhaseDone, 0)
      run()
      expect(log.join(' ')).to.equal(
        `${TELL} ReadOnly repair0.GiveUp journal0 logical0 logical1 hash0 hash1 packer0 flush0`,
      )
      expect(answer).to.equal(Status.Success)
      expect(bench.arena.boards.readOnlyReason).to.equal(Status.CorruptJournal)
      expect(bench.arena.boards.isRecovering).to.equal(false)
    })

    it('writes the super block after the write that is under way', () => {
      admin.receive(AdminOp.Command, AdminCommand.Load)
      while (bench.sent[0].op !== BioOp.Write) {
        const { zone } = bench.sent.shift()!
        admin.receive(AdminOp.PhaseDone, zone)
      }
      const write = bench.sent.shift()!
      enterReadOnly(bench.context(Room.Bio), Status.IoError)
      run()
      expect(log.join(' ')).to.equal(TELL)
      writeSuperBlock(write.operand as VioIndex)
      run()
      expect(log.slice(-9).join(' ')).to.equal(
        'Dirty ReadOnly logical0 logical1 hash0 hash1 packer0 flush0 index0',
      )
    })
  })
})
