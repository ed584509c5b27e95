/**
 * Decides, for each set of identical writes in flight, who stores the data and who shares.
 *
 * A write enters with its name. The first of its kind opens a hash lock and becomes its agent: it asks the index,
 * has the candidate locked and compared, and shares it, or stores its own block. Whoever comes later with the same
 * data joins; when the data has a place, each member claims a reference to it and goes on by itself. A block takes
 * so many references and no more: who finds none left forks the lock and stores another copy.
 *
 * One zone, one thread. A member's data is read by later arrivals for as long as it is a member, so it leaves
 * before its vio may be used again. The lock's states and arrows are in hash-lock.ts; the methods here follow their
 * order.
 */
import { assert, unreachable } from '../../base/assert.js'
import { NO_VIO, pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { advicePbn, adviceState, isAdvice } from '../../format/advice.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { IndexStage } from '../../vio/boards.js'
import { afterHashLock, toCleanup } from '../../vio/cleanup-path.js'
import { cancelCompression, endCompression, mayCompress } from '../../vio/compression.js'
import { Counter } from '../../vio/counters.js'
import { CONTEXT_BYTES, IndexRequestKind } from '../../vio/dedupe-contexts.js'
import { Mark } from '../../vio/marks.js'
import { AdminCommand, HashOp, type Hop } from '../../vio/opcodes.js'
import { toVerify } from '../../vio/read-path.js'
import { MappingState, VioFlag } from '../../vio/vio-table.js'
import {
  afterWrite,
  toCompressor,
  toDuplicateLock,
  toDuplicateUnlock,
  toEviction,
  toPlainWrite,
} from '../../vio/write-path.js'
import { phaseDone, type ZoneContext } from '../../vio/zone-context.js'
import { HashLockState } from './hash-lock.js'
import { HashLockTable, NO_LOCK, NO_PBN_LOCK } from './lock-table.js'
import { Queries } from './queries.js'

/** The states that a map entry can have, and so an advice. */
const HIGHEST_STATE = 15

export class HashZone implements Zone {
  private readonly locks: HashLockTable
  private readonly queries: Queries
  private readOnly = false
  private draining = false

  constructor(private readonly context: ZoneContext) {
    this.locks = new HashLockTable(context.shape.dataVios, context.vios.waiterNext)
    this.queries = new Queries(context)
  }

  receive(op: HashOp, operand: number): void {
    const vio = operand as VioIndex
    switch (op) {
      case HashOp.Enter:
        return this.enter(vio)
      case HashOp.Answered:
        return this.answered(operand)
      case HashOp.DuplicateLocked:
        return this.finishLocking(vio)
      case HashOp.Verified:
        return this.finishVerifying(vio)
      case HashOp.DuplicateUnlocked:
        return this.finishUnlocking(vio)
      case HashOp.Continue:
        return this.goOn(vio)
      case HashOp.QueryDeadline:
        return this.giveUpQueries()
      case HashOp.Administer:
        return this.administer(operand as AdminCommand)
      case HashOp.EnterReadOnly:
        this.readOnly = true
        return
      default:
        return unreachable('a hash zone knows its messages', op)
    }
  }

  // Members come, wait and leave.

  private enter(vio: VioIndex): void {
    const { vios, placement, native, counters } = this.context
    const { locks } = this
    vios.hashLock[vio] = NO_LOCK
    vios.duplicateLock[vio] = NO_PBN_LOCK
    vios.isDuplicate[vio] = 0
    if (vios.status[vio] !== Status.Success) return this.send(toCleanup(vios, placement, vio), vio)

    const low = vios.name[vio * 4]
    const high = vios.name[vio * 4 + 1]
    const lock = locks.find(low, high)
    if (lock === NO_LOCK) return this.startQuerying(this.open(low, high, vio), vio)

    if (!native.equal(vios.dataAt(vio), vios.dataAt(locks.firstMember(lock)), BLOCK_SIZE)) {
      counters[Counter.ConcurrentHashCollisions]++
      return this.send(toPlainWrite(vios, placement, vio), vio)
    }
    counters[Counter.ConcurrentDataMatches]++
    const state: HashLockState = locks.state[lock]
    // Nobody can share with a lock that is ending: write as if there were none.
    if (state === HashLockState.Bypassing) {
      counters[Mark.EndingHashLockMet]++
      return this.send(toPlainWrite(vios, placement, vio), vio)
    }
    this.join(lock, vio)
    if (state === HashLockState.Deduping) return this.share(lock, vio)
    locks.wait(lock, vio)
    if (state === HashLockState.Writing) this.hurry(lock, vio)
  }

  private open(low: number, high: number, vio: VioIndex): number {
    const lock = this.locks.open(low, high)
    this.locks.agent[lock] = vio
    this.join(lock, vio)
    return lock
  }

  private join(lock: number, vio: VioIndex): void {
    this.locks.join(lock, vio)
    this.context.vios.hashLock[vio] = lock
  }

  /** The agent must not linger in the packer while somebody waits; if it is there already, it is to be taken out. */
  private hurry(lock: number, waiter: VioIndex): void {
    const { vios, counters } = this.context
    const agent = this.locks.agent[lock]
    if (!cancelCompression(vios.compression, agent)) return
    counters[Mark.HashWaiterEvicts]++
    vios.lockHolder[waiter] = agent
    this.send(toEviction, waiter)
  }

  private leave(lock: number, vio: VioIndex): void {
    const { vios, placement } = this.context
    const { locks } = this
    locks.leave(lock, vio)
    vios.hashLock[vio] = NO_LOCK
    if (locks.memberCount[lock] === 0) locks.close(lock)
    this.send(afterHashLock(vios, placement, vio), vio)
  }

  /** A member comes back with its mapping journaled and made, or failed. */
  private goOn(vio: VioIndex): void {
    const lock = this.context.vios.hashLock[vio]
    assert(lock !== NO_LOCK, 'only a member comes back')
    const state: HashLockState = this.locks.state[lock]
    if (state === HashLockState.Writing) this.adoptShare(lock, vio)
    if (this.context.vios.status[vio] !== Status.Success) return this.fail(lock, vio)
    if (state === HashLockState.Writing) return this.finishWriting(lock, vio)
    if (state === HashLockState.Deduping) return this.finishDeduping(lock, vio)
    assert(state === HashLockState.Bypassing, 'members come back from writing or sharing')
    this.leave(lock, vio)
  }

  /**
   * A failed agent ends its lock: whoever waits writes for itself. A member that shares fails alone, for the others'
   * references are claimed already and the block is to stay locked until they are made; the last one ends the lock.
   */
  private fail(lock: number, vio: VioIndex): void {
    const { vios, placement, counters } = this.context
    const { locks } = this
    const state: HashLockState = locks.state[lock]
    if (state === HashLockState.Bypassing) return this.leave(lock, vio)
    if (state === HashLockState.Deduping) {
      counters[Mark.SharerFails]++
      if (locks.memberCount[lock] > 1) return this.leave(lock, vio)
      locks.agent[lock] = vio
    }
    assert(locks.agent[lock] === vio, 'whoever waits does not fail')
    locks.enter(lock, HashLockState.Bypassing)
    for (let waiter = locks.shiftWaiter(lock); waiter !== NO_VIO; waiter = locks.shiftWaiter(lock)) {
      counters[Mark.WaiterOfFailedAgent]++
      this.send(toPlainWrite(vios, placement, waiter), waiter)
    }
    if (locks.duplicateLock[lock] !== NO_PBN_LOCK) {
      counters[Mark.FailedLockUnlocks]++
      return this.sendToUnlock(lock, vio)
    }
    locks.agent[lock] = NO_VIO
    this.leave(lock, vio)
  }

  // Querying: does the index know these data? The agent's own block is offered.

  private startQuerying(lock: number, agent: VioIndex): void {
    const { vios, counters } = this.context
    this.locks.enter(lock, HashLockState.Querying)
    const own = vios.allocatedPbn[agent]
    if (own === ZERO_BLOCK) counters[Mark.QueryWithoutOffer]++
    const kind = own === ZERO_BLOCK ? IndexRequestKind.Query : IndexRequestKind.Post
    if (this.mayAsk && this.queries.ask(agent, kind, own, MappingState.Uncompressed)) return
    this.startWithoutAdvice(lock, agent)
  }

  private get mayAsk(): boolean {
    const { boards } = this.context
    return boards.deduplicating && boards.indexStage === IndexStage.Open && !this.readOnly
  }

  private answered(row: number): void {
    const { vios, counters } = this.context
    const vio = this.queries.answered(row)
    if (vio === NO_VIO) {
      counters[Mark.LateAnswers]++
      return this.finishDrain()
    }
    const lock = vios.hashLock[vio]
    assert(this.locks.agent[lock] === vio, 'an answer is for an agent')
    if (this.locks.state[lock] === HashLockState.Updating) this.finishUpdating(lock, vio)
    else if (this.isUsable(row)) this.startWithAdvice(lock, vio, row)
    else this.startWithoutAdvice(lock, vio)
    this.finishDrain()
  }

  /** The index may say anything: only a data block in a possible state is worth a look. */
  private isUsable(row: number): boolean {
    const { contexts, placement, counters } = this.context
    const { known } = contexts
    const at = row * CONTEXT_BYTES
    if (contexts.locations[row] === 0 || !isAdvice(known, at)) return false
    const state = adviceState(known, at)
    const usable =
      state !== MappingState.Unmapped && state <= HIGHEST_STATE && placement.isDataBlock(advicePbn(known, at))
    if (!usable) counters[Counter.InvalidAdvicePbn]++
    return usable
  }

  private startWithAdvice(lock: number, agent: VioIndex, row: number): void {
    const { known } = this.context.contexts
    this.locks.duplicatePbn[lock] = pbn(advicePbn(known, row * CONTEXT_BYTES))
    this.locks.duplicateState[lock] = adviceState(known, row * CONTEXT_BYTES)
    this.startLocking(lock, agent)
  }

  /** What was offered is what will be written, unless the agent had nothing to offer. */
  private startWithoutAdvice(lock: number, agent: VioIndex): void {
    this.locks.updateAdvice[lock] = this.context.vios.allocatedPbn[agent] === ZERO_BLOCK ? 1 : 0
    this.startWriting(lock)
  }

  private giveUpQueries(): void {
    const { queries, locks } = this
    queries.timerFired()
    for (let vio = queries.takeExpired(); vio !== NO_VIO; vio = queries.takeExpired()) {
      const lock = this.context.vios.hashLock[vio]
      if (locks.state[lock] === HashLockState.Updating) this.finishUpdating(lock, vio)
      else this.startWithoutAdvice(lock, vio)
    }
    queries.setTimer()
  }

  // Locking: nobody may free the candidate or write to it.

  private startLocking(lock: number, agent: VioIndex): void {
    const { vios, placement } = this.context
    assert(this.locks.duplicateLock[lock] === NO_PBN_LOCK, 'a lock holds one share at most')
    this.locks.enter(lock, HashLockState.Locking)
    this.aimAtDuplicate(lock, agent)
    this.send(toDuplicateLock(vios, placement, agent), agent)
  }

  private finishLocking(agent: VioIndex): void {
    const { vios, counters, placement } = this.context
    const { locks } = this
    const lock = this.lockOfAgent(agent, HashLockState.Locking)
    locks.duplicateLock[lock] = vios.duplicateLock[agent]
    if (vios.status[agent] !== Status.Success) return this.fail(lock, agent)
    if (locks.duplicateLock[lock] === NO_PBN_LOCK) {
      counters[Counter.DedupeAdviceStale]++
      locks.updateAdvice[lock] = 1
      return this.startWriting(lock)
    }
    locks.enter(lock, HashLockState.Verifying)
    this.send(toVerify(vios, placement, agent), agent)
  }

  // Verifying: the candidate is compared byte by byte.

  private finishVerifying(agent: VioIndex): void {
    const { vios, counters, pbnLocks } = this.context
    const { locks } = this
    const lock = this.lockOfAgent(agent, HashLockState.Verifying)
    const equal = vios.isDuplicate[agent] === 1
    // Only the first verdict says something about the index; a later one is about a block that was let go.
    if (locks.verifyCounted[lock] === 0) {
      locks.verifyCounted[lock] = 1
      counters[equal ? Counter.DedupeAdviceValid : Counter.DedupeAdviceStale]++
    }
    if (equal && pbnLocks.claim(locks.duplicateLock[lock])) {
      locks.verified[lock] = 1
      return this.startDeduping(lock, agent, false)
    }
    if (equal) counters[Mark.DuplicateWithoutReference]++
    vios.isDuplicate[agent] = 0
    locks.updateAdvice[lock] = 1
    this.startUnlocking(lock, agent)
  }

  // Deduping: everyone shares, in parallel, without an agent.

  /** `isDone` says that the agent has its mapping; otherwise it shares too, with the reference that it claimed. */
  private startDeduping(lock: number, agent: VioIndex, isDone: boolean): void {
    const { locks } = this
    if (locks.duplicateLock[lock] === NO_PBN_LOCK) this.takeAllocationLock(lock, agent)
    locks.enter(lock, HashLockState.Deduping)
    locks.agent[lock] = NO_VIO
    if (!isDone) this.launchShare(lock, agent)
    for (let waiter = locks.shiftWaiter(lock); waiter !== NO_VIO; waiter = locks.shiftWaiter(lock)) {
      this.share(lock, waiter)
    }
    if (isDone) this.finishDeduping(lock, agent)
  }

  /** The agent's own block, on disk and counted, is what others share from now on: its lock stays until they have. */
  private takeAllocationLock(lock: number, agent: VioIndex): void {
    const { vios } = this.context
    const own = vios.allocatedPbn[agent]
    assert(
      own !== ZERO_BLOCK && own === vios.newPbn[agent],
      'an agent that holds no share wrote its own block',
    )
    this.locks.duplicateLock[lock] = vios.allocationLock[agent]
    vios.allocatedPbn[agent] = ZERO_BLOCK
  }

  private share(lock: number, vio: VioIndex): void {
    if (!this.context.pbnLocks.claim(this.locks.duplicateLock[lock])) return this.fork(lock, vio)
    this.launchShare(lock, vio)
  }

  private launchShare(lock: number, vio: VioIndex): void {
    const { vios, placement } = this.context
    this.aimAtDuplicate(lock, vio)
    vios.isDuplicate[vio] = 1
    vios.newPbn[vio] = vios.duplicatePbn[vio]
    vios.newState[vio] = vios.duplicateState[vio]
    endCompression(vios.compression, vio)
    this.send(afterWrite(vios, placement, vio), vio)
  }

  /** The block has no reference left: another copy is written, for this vio and for all who wait behind it. */
  private fork(old: number, vio: VioIndex): void {
    const { vios, counters } = this.context
    const { locks } = this
    counters[Mark.HashRollOvers]++
    const lock = locks.replace(old)
    // One of the two places is enough for the index, and the old one takes no more references for now.
    locks.updateAdvice[old] = 0
    locks.updateAdvice[lock] = 1
    locks.leave(old, vio)
    this.join(lock, vio)
    locks.agent[lock] = vio
    locks.moveWaiters(old, lock, vios.hashLock)
    this.startWriting(lock)
  }

  private finishDeduping(lock: number, vio: VioIndex): void {
    const { locks } = this
    assert(locks.agent[lock] === NO_VIO && !locks.hasWaiters(lock), 'nobody waits while all share')
    if (locks.memberCount[lock] > 1) return this.leave(lock, vio)
    locks.agent[lock] = vio
    if (locks.updateAdvice[lock] === 1) this.startUpdating(lock, vio)
    else this.startUnlocking(lock, vio)
  }

  // Unlocking: the share of the duplicate's lock goes back.

  private startUnlocking(lock: number, agent: VioIndex): void {
    this.locks.enter(lock, HashLockState.Unlocking)
    this.sendToUnlock(lock, agent)
  }

  private sendToUnlock(lock: number, agent: VioIndex): void {
    const { vios, placement } = this.context
    assert(this.locks.duplicateLock[lock] !== NO_PBN_LOCK, 'only a share that is held is given back')
    this.aimAtDuplicate(lock, agent)
    this.send(toDuplicateUnlock(vios, placement, agent), agent)
  }

  private finishUnlocking(agent: VioIndex): void {
    const { vios, counters } = this.context
    const { locks } = this
    const lock = vios.hashLock[agent]
    assert(lock !== NO_LOCK && locks.agent[lock] === agent, 'an agent gives the share back')
    locks.duplicateLock[lock] = NO_PBN_LOCK
    vios.duplicateLock[agent] = NO_PBN_LOCK
    if (locks.state[lock] === HashLockState.Bypassing) {
      locks.agent[lock] = NO_VIO
      return this.leave(lock, agent)
    }
    assert(
      locks.state[lock] === HashLockState.Unlocking,
      'a share is given back while unlocking or at the end',
    )
    if (locks.verified[lock] === 0) return this.startWriting(lock)
    // Without a lock on it the block may change at once.
    locks.verified[lock] = 0
    if (!locks.hasWaiters(lock)) return this.finish(lock, agent)
    counters[Mark.HashLockHandedOn]++
    const successor = locks.shiftWaiter(lock)
    locks.agent[lock] = successor
    this.leave(lock, agent)
    this.startLocking(lock, successor)
  }

  // Writing: the agent stores the data, packed or plain.

  private startWriting(lock: number): void {
    const { vios, placement, counters } = this.context
    const { locks } = this
    locks.enter(lock, HashLockState.Writing)
    let agent = locks.agent[lock]
    if (vios.allocatedPbn[agent] === ZERO_BLOCK) {
      agent = locks.swapAgent(lock, vios.allocatedPbn)
      if (agent === NO_VIO) {
        counters[Mark.NoAgentHasBlock]++
        vios.fail(locks.agent[lock], Status.NoSpace)
        return this.fail(lock, locks.agent[lock])
      }
      counters[Mark.AgentReplaced]++
    }
    assert(vios.duplicateLock[agent] === NO_PBN_LOCK, 'an agent that starts to write holds no share')
    vios.isDuplicate[agent] = 0
    if (locks.hasWaiters(lock)) cancelCompression(vios.compression, agent)
    this.send(
      this.mayPack(agent) ? toCompressor(placement, agent) : toPlainWrite(vios, placement, agent),
      agent,
    )
  }

  /** Not what is to be durable soon, nor a discard whose client waits, nor what somebody waits for. */
  private mayPack(vio: VioIndex): boolean {
    const { vios, boards } = this.context
    if (!boards.compressing || this.readOnly || vios.has(vio, VioFlag.Fua)) return false
    if (vios.has(vio, VioFlag.Discard) && vios.acknowledged[vio] === 0) return false
    return mayCompress(vios.compression, vio)
  }

  /** A packed write left the agent, failed later or not, with a share of the packed block's lock. */
  private adoptShare(lock: number, agent: VioIndex): void {
    const { vios } = this.context
    const { locks } = this
    assert(locks.agent[lock] === agent, 'only the agent writes')
    if (vios.duplicateLock[agent] === NO_PBN_LOCK) return
    locks.duplicateLock[lock] = vios.duplicateLock[agent]
    locks.duplicatePbn[lock] = vios.duplicatePbn[agent]
  }

  private finishWriting(lock: number, agent: VioIndex): void {
    const { vios } = this.context
    const { locks } = this
    const packed = vios.newState[agent] > MappingState.Uncompressed
    assert(
      packed === (locks.duplicateLock[lock] !== NO_PBN_LOCK),
      'a packed write, and no other, leaves a share of its block',
    )
    locks.duplicatePbn[lock] = vios.newPbn[agent]
    locks.duplicateState[lock] = vios.newState[agent]
    locks.verified[lock] = 1
    // The index was offered the agent's own block, not a fragment of some other.
    if (packed && locks.isRegistered(lock)) locks.updateAdvice[lock] = 1
    if (locks.hasWaiters(lock)) this.startDeduping(lock, agent, true)
    else if (locks.updateAdvice[lock] === 1) this.startUpdating(lock, agent)
    else this.letGo(lock, agent)
  }

  // Updating: the index learns where the data are.

  private startUpdating(lock: number, agent: VioIndex): void {
    const { locks } = this
    locks.enter(lock, HashLockState.Updating)
    const pbn = locks.duplicatePbn[lock]
    if (this.mayAsk && this.queries.ask(agent, IndexRequestKind.Update, pbn, locks.duplicateState[lock]))
      return
    this.finishUpdating(lock, agent)
  }

  private finishUpdating(lock: number, agent: VioIndex): void {
    this.locks.updateAdvice[lock] = 0
    if (!this.locks.hasWaiters(lock)) return this.letGo(lock, agent)
    this.context.counters[Mark.HashLockJoinedLate]++
    this.startDeduping(lock, agent, true)
  }

  // The end.

  private letGo(lock: number, agent: VioIndex): void {
    if (this.locks.duplicateLock[lock] !== NO_PBN_LOCK) this.startUnlocking(lock, agent)
    else this.finish(lock, agent)
  }

  private finish(lock: number, agent: VioIndex): void {
    this.locks.enter(lock, HashLockState.Bypassing)
    this.locks.agent[lock] = NO_VIO
    this.leave(lock, agent)
  }

  private administer(command: AdminCommand): void {
    switch (command) {
      case AdminCommand.Load:
      case AdminCommand.Resume:
        return phaseDone(this.context, Status.Success)
      case AdminCommand.Suspend:
      case AdminCommand.Save:
        assert(this.locks.size === 0, 'requests are drained before zones')
        this.draining = true
        return this.finishDrain()
      default:
        return unreachable('a hash zone knows the commands', command)
    }
  }

  /** Drained when the index has sent every context back. */
  private finishDrain(): void {
    if (!this.draining || !this.queries.areIdle) return
    this.draining = false
    phaseDone(this.context, Status.Success)
  }

  // Helpers.

  private lockOfAgent(agent: VioIndex, state: HashLockState): number {
    const lock = this.context.vios.hashLock[agent]
    assert(lock !== NO_LOCK && this.locks.agent[lock] === agent, 'an agent does the work of its lock')
    assert(this.locks.state[lock] === state, 'an answer comes to the state that asked')
    return lock
  }

  private aimAtDuplicate(lock: number, vio: VioIndex): void {
    const { vios } = this.context
    vios.duplicatePbn[vio] = this.locks.duplicatePbn[lock]
    vios.duplicateState[vio] = this.locks.duplicateState[lock]
    vios.duplicateLock[vio] = this.locks.duplicateLock[lock]
  }

  private send(hop: Hop, vio: VioIndex): void {
    this.context.post.send(hop, vio)
  }
}
