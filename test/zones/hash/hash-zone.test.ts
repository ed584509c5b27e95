import { expect } from 'chai'
import { pbn, type VioIndex, vioIndex } from '../../../src/base/ids.js'
import { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { advicePbn, encodeAdvice } from '../../../src/format/advice.js'
import { IndexStage } from '../../../src/vio/boards.js'
import { advanceCompression, resetCompression } from '../../../src/vio/compression.js'
import { Counter } from '../../../src/vio/counters.js'
import { ContextState, IndexRequestKind } from '../../../src/vio/dedupe-contexts.js'
import { Mark } from '../../../src/vio/marks.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  CpuOp,
  HashOp,
  IndexOp,
  LogicalOp,
  opOfHop,
  PackerOp,
  PhysicalOp,
  Room,
} from '../../../src/vio/opcodes.js'
import { MappingState, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import type { ZoneContext } from '../../../src/vio/zone-context.js'
import { HashZone } from '../../../src/zones/hash/hash-zone.js'
import { Bench, SMALL_SHAPE } from '../bench.js'

/** Rows of pbn locks: vio v's own block is locked by row v, the candidate by this one. */
const CANDIDATE_LOCK = 100
const CANDIDATE = pbn(300)

describe('a hash zone', () => {
  let bench: Bench
  let context: ZoneContext
  let vios: VioTable
  let zone: HashZone
  let next = 0

  const open = async (shape = SMALL_SHAPE) => {
    bench = await Bench.make(shape)
    context = bench.context(Room.Hash)
    vios = context.vios
    zone = new HashZone(context)
    context.boards.deduplicating = true
    context.boards.indexStage = IndexStage.Open
    next = 0
  }
  beforeEach(() => open())

  /** A write of the block that `content` stands for; its name is `name`. Not yet in the zone. */
  const newWrite = (content = 1, { hasBlock = true, name = content, flags = 0 } = {}): VioIndex => {
    const vio = vioIndex(next++)
    vios.flags[vio] = VioFlag.Write | flags
    vios.status[vio] = Status.Success
    vios.hashLock[vio] = -1
    vios.hashZone[vio] = 0
    vios.allocatedPbn[vio] = pbn(hasBlock ? 200 + vio : 0)
    vios.allocationLock[vio] = vio
    vios.name.set([name, name + 1, name + 2, name + 3], vio * 4)
    resetCompression(vios.compression, vio)
    new Prng(content).fill(context.arena.subarray(vios.dataAt(vio), vios.dataAt(vio) + 4096))
    return vio
  }

  const enter = (content = 1, options: Parameters<typeof newWrite>[1] = {}): VioIndex => {
    const vio = newWrite(content, options)
    zone.receive(HashOp.Enter, vio)
    return vio
  }

  /** The index answers the question that was sent: with a place, or with nothing. */
  const answer = (place?: number, state = MappingState.Uncompressed as number, inTime = true) => {
    const { operand } = bench.expect(IndexOp.Request)
    const { contexts } = context
    contexts.locations[operand] = place === undefined ? 0 : 1
    encodeAdvice(contexts.known, operand * 16, place ?? 0, state)
    expect(contexts.swap(operand, ContextState.Pending, ContextState.Complete)).to.equal(inTime)
    if (!inTime) contexts.swap(operand, ContextState.TimedOut, ContextState.TimedOutComplete)
    zone.receive(HashOp.Answered, operand)
    return { kind: contexts.kinds[operand], offered: advicePbn(contexts.offered, operand * 16) }
  }

  /** The physical zone locks the candidate with so many references left, or refuses. */
  const lockCandidate = (vio: VioIndex, references: number | undefined) => {
    expect(bench.expect(PhysicalOp.LockDuplicate).operand).to.equal(vio)
    if (references !== undefined) context.pbnLocks.open(CANDIDATE_LOCK, references)
    vios.duplicateLock[vio] = references === undefined ? -1 : CANDIDATE_LOCK
    zone.receive(HashOp.DuplicateLocked, vio)
  }

  const verify = (vio: VioIndex, isDuplicate: boolean) => {
    expect(bench.expect(BioOp.Read).operand).to.equal(vio)
    expect(opOfHop(vios.returnTo[vio])).to.equal(CpuOp.Verify)
    vios.isDuplicate[vio] = isDuplicate ? 1 : 0
    zone.receive(HashOp.Verified, vio)
  }

  const unlock = (vio: VioIndex, row = CANDIDATE_LOCK) => {
    expect(bench.expect(PhysicalOp.UnlockDuplicate).operand).to.equal(vio)
    expect(vios.duplicateLock[vio]).to.equal(row)
    zone.receive(HashOp.DuplicateUnlocked, vio)
  }

  /** The vio is told to write, does so to its own block, and its increment turns its lock into a read lock. */
  const writeAndReturn = (vio: VioIndex, references = 253) => {
    expect(bench.expect(BioOp.Write).operand).to.equal(vio)
    expect(vios.newPbn[vio]).to.equal(vios.allocatedPbn[vio])
    context.pbnLocks.open(vio, references)
    zone.receive(HashOp.Continue, vio)
  }

  /** The vio shares a place and comes back. */
  const share = (vio: VioIndex, place: number, state = MappingState.Uncompressed as number) => {
    expect(bench.expect(LogicalOp.ReadMapping).operand).to.equal(vio)
    expect([vios.newPbn[vio], vios.newState[vio]]).to.deep.equal([place, state])
    return () => zone.receive(HashOp.Continue, vio)
  }

  /** The vio left the lock and goes to give its block back, or home if it has none. */
  const left = (vio: VioIndex) => {
    const sent = bench.sent.findIndex(({ op, operand }) => op !== IndexOp.Request && operand === vio)
    expect(sent).to.be.at.least(0)
    const [{ op }] = bench.sent.splice(sent, 1)
    expect(op).to.equal(vios.allocatedPbn[vio] === 0 ? LogicalOp.Release : PhysicalOp.ReleaseAllocation)
    expect(vios.hashLock[vio]).to.equal(-1)
  }

  const fail = (vio: VioIndex, status = Status.IoError) => {
    vios.fail(vio, status)
    zone.receive(HashOp.Continue, vio)
  }

  /** Nothing is left: no message, no lock, no context. */
  const quiet = () => {
    expect(bench.takeAll()).to.deep.equal([])
    const { locks } = zone as unknown as { locks: { size: number } }
    expect(locks.size).to.equal(0)
    zone.receive(HashOp.Administer, AdminCommand.Suspend)
    bench.expect(AdminOp.PhaseDone)
    expect(context.counters[Counter.CurrentDedupeQueries]).to.equal(0)
  }

  const count = (counter: Counter | Mark) => context.counters[counter]

  describe('new data', () => {
    it('are written where the index was told that they would be', () => {
      const vio = enter()
      expect(answer()).to.deep.equal({ kind: IndexRequestKind.Post, offered: 200 })
      writeAndReturn(vio)
      left(vio)
      quiet()
    })

    it('without a block of their own fail for want of space', () => {
      const vio = enter(1, { hasBlock: false })
      expect(answer().kind).to.equal(IndexRequestKind.Query)
      expect(vios.status[vio]).to.equal(Status.NoSpace)
      left(vio)
      quiet()
    })

    it('are written without a question when deduplication is off', () => {
      context.boards.deduplicating = false
      const vio = enter()
      writeAndReturn(vio)
      left(vio)
      quiet()
    })

    it('are written without a question in read-only mode', () => {
      zone.receive(HashOp.EnterReadOnly, 0)
      const vio = enter()
      fail(vio, Status.ReadOnly)
      bench.expect(BioOp.Write)
      left(vio)
      quiet()
    })

    it('are written without a question when every context is busy', async () => {
      await open({ ...SMALL_SHAPE, dedupeContexts: 1 })
      const first = enter(1)
      const second = enter(2)
      writeAndReturn(second)
      left(second)
      expect(count(Mark.QueriesSkipped)).to.equal(1)
      answer()
      writeAndReturn(first)
      left(first)
      quiet()
    })
  })

  describe('advice', () => {
    it('that proves right is shared', () => {
      const vio = enter()
      answer(CANDIDATE)
      lockCandidate(vio, 5)
      verify(vio, true)
      share(vio, CANDIDATE)()
      unlock(vio)
      left(vio)
      expect(count(Counter.DedupeAdviceValid)).to.equal(1)
      expect(count(Counter.DedupeAdviceStale)).to.equal(0)
      quiet()
    })

    it('that names a fragment is read as a packed block', () => {
      const vio = enter()
      answer(CANDIDATE, MappingState.CompressedBase + 5)
      lockCandidate(vio, 5)
      expect(vios.ioAt[vio]).to.equal(vios.compressedAt(vio))
      verify(vio, true)
      share(vio, CANDIDATE, MappingState.CompressedBase + 5)()
      unlock(vio)
      left(vio)
      quiet()
    })

    it('that proves wrong is replaced in the index', () => {
      const vio = enter()
      answer(CANDIDATE)
      lockCandidate(vio, 5)
      verify(vio, false)
      unlock(vio)
      writeAndReturn(vio)
      expect(answer()).to.deep.equal({ kind: IndexRequestKind.Update, offered: 200 })
      left(vio)
      expect(count(Counter.DedupeAdviceStale)).to.equal(1)
      quiet()
    })

    it('whose block cannot be locked is replaced in the index', () => {
      const vio = enter()
      answer(CANDIDATE)
      lockCandidate(vio, undefined)
      writeAndReturn(vio)
      expect(answer().kind).to.equal(IndexRequestKind.Update)
      left(vio)
      expect(count(Counter.DedupeAdviceStale)).to.equal(1)
      quiet()
    })

    it('whose block has no reference left is replaced in the index, though it was right', () => {
      const vio = enter()
      answer(CANDIDATE)
      lockCandidate(vio, 0)
      verify(vio, true)
      unlock(vio)
      writeAndReturn(vio)
      expect(answer().kind).to.equal(IndexRequestKind.Update)
      left(vio)
      expect(count(Counter.DedupeAdviceValid)).to.equal(1)
      quiet()
    })

    it('that cannot be is ignored and counted', () => {
      for (const [place, state] of [
        [0, 1],
        [99, 1],
        [100 + 799, 1],
        [100 + 8 * 1024, 1],
        [CANDIDATE, 0],
        [CANDIDATE, 16],
      ]) {
        const vio = enter()
        answer(place, state)
        writeAndReturn(vio)
        left(vio)
      }
      expect(count(Counter.InvalidAdvicePbn)).to.equal(6)
      quiet()
    })

    it('lets a write without a block of its own succeed', () => {
      const vio = enter(1, { hasBlock: false })
      answer(CANDIDATE)
      lockCandidate(vio, 1)
      verify(vio, true)
      share(vio, CANDIDATE)()
      unlock(vio)
      expect(vios.status[vio]).to.equal(Status.Success)
      left(vio)
      quiet()
    })
  })

  describe('waiters', () => {
    it('share the candidate in parallel, and the last one gives its lock back', () => {
      const [first, second, third] = [enter(), enter(), enter()]
      expect(count(Counter.ConcurrentDataMatches)).to.equal(2)
      answer(CANDIDATE)
      lockCandidate(first, 5)
      verify(first, true)
      const returns = [first, second, third].map((vio) => share(vio, CANDIDATE))
      returns[1]()
      left(second)
      returns[0]()
      left(first)
      returns[2]()
      unlock(third)
      left(third)
      quiet()
    })

    it('share what the agent wrote, under the lock of its allocation', () => {
      const [first, second] = [enter(), enter()]
      answer()
      writeAndReturn(first)
      expect(vios.allocatedPbn[first]).to.equal(0)
      left(first)
      share(second, 200)()
      unlock(second, first)
      left(second)
      quiet()
    })

    it('that come while all share, share at once', () => {
      const first = enter()
      answer(CANDIDATE)
      lockCandidate(first, 5)
      verify(first, true)
      const back = share(first, CANDIDATE)
      const late = enter()
      share(late, CANDIDATE)()
      left(late)
      back()
      unlock(first)
      left(first)
      quiet()
    })

    it('that come while the candidate is unlocked lock it again and verify it again', () => {
      const first = enter()
      answer(CANDIDATE)
      lockCandidate(first, 5)
      verify(first, true)
      share(first, CANDIDATE)()
      const late = enter()
      unlock(first)
      left(first)
      lockCandidate(late, 5)
      verify(late, false)
      unlock(late)
      writeAndReturn(late)
      expect(answer().kind).to.equal(IndexRequestKind.Update)
      left(late)
      expect(count(Counter.DedupeAdviceValid)).to.equal(1)
      expect(count(Counter.DedupeAdviceStale)).to.equal(0)
      quiet()
    })

    it('that come while the index is updated share then', () => {
      const first = enter(1)
      answer(CANDIDATE)
      lockCandidate(first, undefined)
      writeAndReturn(first)
      const late = enter()
      answer()
      left(first)
      share(late, 200)()
      unlock(late, first)
      left(late)
      quiet()
    })

    it('with a block write in place of an agent without one', () => {
      const [first, second, third] = [enter(1, { hasBlock: false }), enter(1, { hasBlock: false }), enter(1)]
      answer()
      writeAndReturn(third)
      left(third)
      const returns = [share(first, 202), share(second, 202)]
      expect(bench.sent).to.deep.equal([])
      returns[0]()
      left(first)
      returns[1]()
      // The index was never offered a place, so it is told now.
      expect(answer()).to.deep.equal({ kind: IndexRequestKind.Update, offered: 202 })
      unlock(second, third)
      left(second)
      quiet()
    })

    it('fail with the agent when nobody has a block', () => {
      const [first, second] = [enter(1, { hasBlock: false }), enter(1, { hasBlock: false })]
      answer()
      left(first)
      expect(bench.expect(LogicalOp.ReadMapping).operand).to.equal(second)
      expect([vios.status[first], vios.status[second]]).to.deep.equal([Status.NoSpace, Status.NoSpace])
      zone.receive(HashOp.Continue, second)
      left(second)
      quiet()
    })
  })

  describe('different data of one name', () => {
    it('are written past the lock', () => {
      const first = enter(1)
      const other = enter(2, { name: 1 })
      expect(count(Counter.ConcurrentHashCollisions)).to.equal(1)
      expect(bench.expect(BioOp.Write).operand).to.equal(other)
      expect(vios.hashLock[other]).to.equal(-1)
      answer()
      writeAndReturn(first)
      left(first)
      quiet()
    })

    it('fail for want of space without a block', () => {
      enter(1)
      const other = enter(2, { name: 1, hasBlock: false })
      expect(bench.expect(LogicalOp.ReadMapping).operand).to.equal(other)
      expect(vios.status[other]).to.equal(Status.NoSpace)
    })
  })

  describe('rolling over', () => {
    it('happens at the 255th reference: one more copy is written and shared by the rest', () => {
      // 254 references are possible; the agent's own is the first.
      const all = Array.from({ length: 60 }, () => enter())
      const first = all[0]
      answer()
      writeAndReturn(first, 253 - 200)
      left(first)
      const sharers = all.slice(1, 1 + 53)
      const rest = all.slice(1 + 53)
      const returns = sharers.map((vio) => share(vio, 200))
      expect(count(Mark.HashRollOvers)).to.equal(1)
      // The first who found no reference left writes; those behind it wait for that.
      const writer = rest[0]
      writeAndReturn(writer)
      left(writer)
      const others = rest.slice(1).map((vio) => share(vio, 200 + writer))
      for (const back of returns) back()
      for (const vio of sharers.slice(0, -1)) left(vio)
      unlock(sharers.at(-1)!, first)
      left(sharers.at(-1)!)
      for (const back of others) back()
      for (const vio of rest.slice(1, -1)) left(vio)
      // The new place is better advice than the old one.
      expect(answer()).to.deep.equal({ kind: IndexRequestKind.Update, offered: 200 + writer })
      unlock(rest.at(-1)!, writer)
      left(rest.at(-1)!)
      quiet()
    })

    it('of a late arrival leaves the old lock to those who have it', () => {
      const first = enter()
      answer(CANDIDATE)
      lockCandidate(first, 1)
      verify(first, true)
      const back = share(first, CANDIDATE)
      const late = enter()
      const later = enter()
      expect(count(Mark.HashRollOvers)).to.equal(1)
      back()
      // The old lock has nothing to tell the index.
      unlock(first)
      left(first)
      writeAndReturn(late)
      left(late)
      share(later, 200 + late)()
      answer()
      unlock(later, late)
      left(later)
      quiet()
    })

    it('to a waiter that has a block, when the first has none', () => {
      const first = enter()
      answer(CANDIDATE)
      lockCandidate(first, 1)
      const poor = enter(1, { hasBlock: false })
      const rich = enter()
      verify(first, true)
      const back = share(first, CANDIDATE)
      writeAndReturn(rich)
      left(rich)
      share(poor, 200 + rich)()
      answer()
      unlock(poor, rich)
      left(poor)
      back()
      unlock(first)
      left(first)
      quiet()
    })

    it('chains', () => {
      const all = Array.from({ length: 5 }, () => enter())
      answer()
      // Each copy takes its writer and one more.
      writeAndReturn(all[0], 1)
      left(all[0])
      share(all[1], 200)()
      unlock(all[1], all[0])
      left(all[1])
      writeAndReturn(all[2], 1)
      left(all[2])
      share(all[3], 202)()
      unlock(all[3], all[2])
      left(all[3])
      writeAndReturn(all[4])
      answer()
      left(all[4])
      expect(count(Mark.HashRollOvers)).to.equal(2)
      quiet()
    })

    it('ends the old lock through its agent when all its waiters rolled over', () => {
      const [first, second] = [enter(), enter()]
      answer()
      writeAndReturn(first, 0)
      unlock(first, first)
      left(first)
      writeAndReturn(second)
      answer()
      left(second)
      quiet()
    })
  })

  describe('failure', () => {
    it('of the writing agent sends every waiter to its own block', () => {
      const [first, second, third] = [enter(), enter(), enter(1, { hasBlock: false })]
      answer()
      bench.expect(BioOp.Write)
      fail(first)
      left(first)
      expect(bench.expect(BioOp.Write).operand).to.equal(second)
      expect(bench.expect(LogicalOp.ReadMapping).operand).to.equal(third)
      expect(vios.status[third]).to.equal(Status.NoSpace)
      // Whoever comes now writes too, and is no member.
      const late = enter()
      expect(bench.expect(BioOp.Write).operand).to.equal(late)
      expect(vios.hashLock[late]).to.equal(-1)
      zone.receive(HashOp.Continue, second)
      left(second)
      zone.receive(HashOp.Continue, third)
      left(third)
      quiet()
    })

    it('of one that shares is its own affair; the last gives the lock back and tells the index nothing', () => {
      const [first, second] = [enter(), enter()]
      answer(CANDIDATE)
      lockCandidate(first, 5)
      verify(first, true)
      share(first, CANDIDATE)
      share(second, CANDIDATE)
      fail(first)
      left(first)
      fail(second)
      unlock(second)
      left(second)
      quiet()
    })

    it('to lock the candidate ends the lock', () => {
      const [first, second] = [enter(), enter()]
      answer(CANDIDATE)
      vios.fail(first, Status.IoError)
      lockCandidate(first, undefined)
      left(first)
      expect(bench.expect(BioOp.Write).operand).to.equal(second)
      zone.receive(HashOp.Continue, second)
      left(second)
      quiet()
    })

    it('after a packed write gives the share of the packed block back', () => {
      context.boards.compressing = true
      const vio = enter()
      answer()
      bench.expect(CpuOp.Compress)
      vios.allocatedPbn[vio] = pbn(0)
      vios.newPbn[vio] = vios.duplicatePbn[vio] = pbn(250)
      vios.newState[vio] = MappingState.CompressedBase
      vios.duplicateLock[vio] = 50
      fail(vio)
      unlock(vio, 50)
      left(vio)
      quiet()
    })

    it('before it enters keeps a vio out', () => {
      const vio = newWrite()
      vios.fail(vio, Status.IoError)
      zone.receive(HashOp.Enter, vio)
      left(vio)
      quiet()
    })
  })

  describe('compression', () => {
    beforeEach(() => {
      context.boards.compressing = true
    })

    /** The packer put the vio's fragment into slot 3 of a block under lock 50. */
    const packed = (vio: VioIndex, references: number) => {
      context.pbnLocks.open(50, references)
      vios.newPbn[vio] = vios.duplicatePbn[vio] = pbn(250)
      vios.newState[vio] = MappingState.CompressedBase + 3
      vios.duplicateLock[vio] = 50
      zone.receive(HashOp.Continue, vio)
    }

    it('moves the data, so the index is told, and the share given back', () => {
      const vio = enter()
      answer()
      bench.expect(CpuOp.Compress)
      packed(vio, 10)
      expect(answer()).to.deep.equal({ kind: IndexRequestKind.Update, offered: 250 })
      unlock(vio, 50)
      left(vio)
      quiet()
    })

    it('serves those who came meanwhile from the packed block', () => {
      const vio = enter()
      answer()
      bench.expect(CpuOp.Compress)
      const late = enter()
      expect(bench.sent).to.deep.equal([])
      packed(vio, 10)
      left(vio)
      share(late, 250, MappingState.CompressedBase + 3)()
      answer()
      unlock(late, 50)
      left(late)
      quiet()
    })

    it('is not tried by an agent with waiters', () => {
      const first = enter()
      enter()
      answer()
      expect(bench.expect(BioOp.Write).operand).to.equal(first)
    })

    it('is ended by a waiter that comes, who has the agent taken out of the packer', () => {
      const first = enter()
      answer()
      bench.expect(CpuOp.Compress)
      advanceCompression(vios.compression, first)
      advanceCompression(vios.compression, first)
      const second = enter()
      expect(bench.expect(PackerOp.Evict).operand).to.equal(second)
      expect(vios.lockHolder[second]).to.equal(first)
      enter()
      expect(bench.sent).to.deep.equal([])
    })

    it('is not for FUA, nor for a discard whose client waits', () => {
      const fua = enter(1, { flags: VioFlag.Fua })
      answer()
      expect(bench.expect(BioOp.Write).operand).to.equal(fua)
      const discard = enter(2, { flags: VioFlag.Discard | VioFlag.Partial })
      answer()
      expect(bench.expect(BioOp.Write).operand).to.equal(discard)
    })
  })

  describe('a question', () => {
    const timeOut = (after: number) => {
      bench.nowMs += after
      zone.receive(HashOp.QueryDeadline, 0)
    }

    it('that stays open too long is given up; its late answer only frees the context', () => {
      const vio = enter()
      expect(bench.timers.map((timer) => [timer.at, timer.op])).to.deep.equal([[5000, HashOp.QueryDeadline]])
      timeOut(5000)
      expect(count(Counter.DedupeAdviceTimeouts)).to.equal(1)
      writeAndReturn(vio)
      left(vio)
      expect(bench.sent.map((sent) => sent.op)).to.deep.equal([IndexOp.Request])
      zone.receive(HashOp.Administer, AdminCommand.Suspend)
      // The context is away, so the zone is not drained.
      expect(bench.sent.length).to.equal(1)
      expect(count(Counter.CurrentDedupeQueries)).to.equal(1)
      answer(CANDIDATE, 1, false)
      bench.expect(AdminOp.PhaseDone)
      quiet()
    })

    it('that was answered just in time is not given up', () => {
      const vio = enter()
      const { operand } = bench.expect(IndexOp.Request)
      context.contexts.swap(operand, ContextState.Pending, ContextState.Complete)
      timeOut(5000)
      expect(bench.sent).to.deep.equal([])
      zone.receive(HashOp.Answered, operand)
      writeAndReturn(vio)
      left(vio)
      quiet()
    })

    it('younger than the oldest is left open, under a new timer', () => {
      const first = enter(1)
      bench.nowMs = 4990
      const second = enter(2)
      expect(bench.timers.length).to.equal(1)
      bench.nowMs = 5000
      zone.receive(HashOp.QueryDeadline, 0)
      bench.expect(IndexOp.Request)
      expect(bench.timers.map((timer) => timer.at)).to.deep.equal([5000, 9990])
      writeAndReturn(first)
      left(first)
      answer()
      writeAndReturn(second)
      left(second)
    })

    it('that comes soon after another does not make the timer go off at once again', () => {
      enter(1)
      bench.nowMs = 20
      enter(2)
      bench.nowMs = 5000
      zone.receive(HashOp.QueryDeadline, 0)
      expect(bench.timers.map((timer) => timer.at)).to.deep.equal([5000, 5100])
      bench.nowMs = 5100
      zone.receive(HashOp.QueryDeadline, 0)
      expect(count(Counter.DedupeAdviceTimeouts)).to.equal(2)
      expect(bench.timers.length).to.equal(2)
    })

    it('is not asked while the index is not open', () => {
      for (const stage of [IndexStage.Closed, IndexStage.Opening, IndexStage.Closing]) {
        context.boards.indexStage = stage
        const vio = enter()
        expect(bench.sent.map(({ op }) => op)).not.to.include(IndexOp.Request)
        writeAndReturn(vio)
        left(vio)
      }
      quiet()
    })

    it('to update the index holds nobody up for ever', () => {
      const vio = enter()
      answer(CANDIDATE)
      lockCandidate(vio, undefined)
      writeAndReturn(vio)
      timeOut(5000)
      left(vio)
      answer(undefined, 0, false)
      quiet()
    })
  })
})
