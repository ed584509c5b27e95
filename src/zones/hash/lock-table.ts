/**
 * The hash locks of one zone: a fixed pool of them as columns, a map from names to the registered ones, the lists
 * of members and the queues of waiters. As each lock has a member, there are never more locks than data vios.
 *
 * The map's key is the first 8 bytes of the name. Two names may share it, and so may two different blocks with
 * one name; members are compared, so a key is only where to look. A lock that was forked is *unregistered*: it
 * serves the members that it has, and nobody new finds it.
 */
import { assert } from '../../base/assert.js'
import { FreeList, NONE_FREE } from '../../base/free-list.js'
import { type Column, NO_VIO, type Pbn, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { NONE, PairMap } from '../../base/int-map.js'
import { IntrusiveLists } from '../../base/intrusive-list.js'
import { WaitQueues } from '../../base/wait-queue.js'
import { HashLockState, mayFollow } from './hash-lock.js'

export const NO_LOCK = -1
export const NO_PBN_LOCK = -1

export class HashLockTable {
  readonly state: Uint8Array
  readonly agent: Column<number, VioIndex>
  readonly memberCount: Int32Array
  /** 1: the index is to be told of the block's place. */
  readonly updateAdvice: Uint8Array
  /** 1: the place holds the members' data, for as long as `duplicateLock` or the agent's own lock is held. */
  readonly verified: Uint8Array
  /** 1: the verdict on the index's advice is in the statistics. */
  readonly verifyCounted: Uint8Array
  /** The candidate, then the place to share. */
  readonly duplicatePbn: Column<number, Pbn>
  readonly duplicateState: Uint8Array
  /** This lock's share of the pbn lock on it (a row of PbnLockTable), or NO_PBN_LOCK. */
  readonly duplicateLock: Int32Array
  private readonly registered: Uint8Array
  private readonly keyLow: Uint32Array
  private readonly keyHigh: Uint32Array
  private readonly members: IntrusiveLists
  private readonly waiters: WaitQueues
  private readonly pool: FreeList
  private readonly map: PairMap
  /** One queue more than there are locks, for sorting waiters. */
  private readonly spareQueue: number

  /** `waiterNext` links the waiters. */
  constructor(dataVios: number, waiterNext: Int32Array) {
    this.state = new Uint8Array(dataVios)
    this.agent = new Int32Array(dataVios) as unknown as Column<number, VioIndex>
    this.memberCount = new Int32Array(dataVios)
    this.updateAdvice = new Uint8Array(dataVios)
    this.verified = new Uint8Array(dataVios)
    this.verifyCounted = new Uint8Array(dataVios)
    this.duplicatePbn = new Float64Array(dataVios) as unknown as Column<number, Pbn>
    this.duplicateState = new Uint8Array(dataVios)
    this.duplicateLock = new Int32Array(dataVios)
    this.registered = new Uint8Array(dataVios)
    this.keyLow = new Uint32Array(dataVios)
    this.keyHigh = new Uint32Array(dataVios)
    this.members = new IntrusiveLists(dataVios, dataVios)
    this.waiters = WaitQueues.create(waiterNext, dataVios + 1)
    this.pool = new FreeList(dataVios)
    this.map = new PairMap(dataVios)
    this.spareQueue = dataVios
  }

  /** Locks in use. */
  get size(): number {
    return this.pool.usedCount
  }

  /** The registered lock of a key, or NO_LOCK. */
  find(low: number, high: number): number {
    const lock = this.map.get(low, high)
    return lock === NONE ? NO_LOCK : lock
  }

  /** A new lock for a key that has none. */
  open(low: number, high: number): number {
    const lock = this.take(low, high)
    assert(this.map.put(low, high, lock) === NONE, 'a key has one registered lock')
    return lock
  }

  /** A new lock for the key of another, which is registered no more. */
  replace(old: number): number {
    const lock = this.take(this.keyLow[old], this.keyHigh[old])
    const before = this.map.put(this.keyLow[old], this.keyHigh[old], lock)
    assert(before === old && this.registered[old] === 1, 'only the registered lock of a key is replaced')
    this.registered[old] = 0
    return lock
  }

  /** Back to the pool, when the last member has left. */
  close(lock: number): void {
    assert(this.state[lock] === HashLockState.Bypassing, 'a lock ends in Bypassing')
    assert(this.memberCount[lock] === 0 && this.waiters.isEmpty(lock), 'a lock that ends has no members')
    assert(this.agent[lock] === NO_VIO, 'a lock that ends has no agent')
    assert(this.duplicateLock[lock] === NO_PBN_LOCK, 'a lock that ends has given its share back')
    if (this.registered[lock] === 1) {
      const removed = this.map.remove(this.keyLow[lock], this.keyHigh[lock])
      assert(removed === lock, 'a registered lock is in the map')
    }
    this.pool.give(lock)
  }

  isRegistered(lock: number): boolean {
    return this.registered[lock] === 1
  }

  enter(lock: number, state: HashLockState): void {
    assert(mayFollow(this.state[lock], state), 'a hash lock follows its arrows')
    assert(this.agent[lock] !== NO_VIO, 'an agent leads its lock from state to state')
    this.state[lock] = state
  }

  join(lock: number, vio: VioIndex): void {
    this.members.append(lock, vio)
    this.memberCount[lock]++
  }

  leave(lock: number, vio: VioIndex): void {
    this.members.remove(vio)
    assert(--this.memberCount[lock] >= 0, 'only members leave')
  }

  /** The member that has been here longest: its data stand for everyone's. */
  firstMember(lock: number): VioIndex {
    return this.members.first(lock) as VioIndex
  }

  hasWaiters(lock: number): boolean {
    return !this.waiters.isEmpty(lock)
  }

  wait(lock: number, vio: VioIndex): void {
    this.waiters.push(lock, vio)
  }

  /** The oldest waiter, who waits no more; or NO_VIO. */
  shiftWaiter(lock: number): VioIndex {
    return this.waiters.shift(lock) as VioIndex
  }

  /** Moves all waiters, in order, from one lock to another, as members and as waiters. */
  moveWaiters(from: number, to: number, hashLocks: Int32Array): void {
    for (let vio = this.waiters.first(from); vio >= 0; vio = this.waiters.after(vio)) {
      this.leave(from, vio as VioIndex)
      this.join(to, vio as VioIndex)
      hashLocks[vio] = to
    }
    this.waiters.transferAll(from, this.waiters, to)
  }

  /**
   * Makes the oldest waiter with a block of its own the agent; the old agent becomes the first waiter. The new
   * agent, or NO_VIO, with nothing changed, if no waiter has a block.
   */
  swapAgent(lock: number, allocatedPbn: Column<VioIndex, Pbn>): VioIndex {
    const { waiters, spareQueue } = this
    let found = NO_VIO
    for (let vio = this.shiftWaiter(lock); vio !== NO_VIO; vio = this.shiftWaiter(lock)) {
      if (found === NO_VIO && allocatedPbn[vio] !== ZERO_BLOCK) found = vio
      else waiters.push(spareQueue, vio)
    }
    if (found !== NO_VIO) {
      waiters.push(lock, this.agent[lock])
      this.agent[lock] = found
    }
    waiters.transferAll(spareQueue, waiters, lock)
    return found
  }

  private take(low: number, high: number): number {
    const lock = this.pool.take()
    assert(lock !== NONE_FREE, 'there is a lock for every data vio')
    this.state[lock] = HashLockState.Initializing
    this.agent[lock] = NO_VIO
    this.updateAdvice[lock] = 0
    this.verified[lock] = 0
    this.verifyCounted[lock] = 0
    this.duplicatePbn[lock] = ZERO_BLOCK
    this.duplicateState[lock] = 0
    this.duplicateLock[lock] = NO_PBN_LOCK
    this.registered[lock] = 1
    this.keyLow[lock] = low
    this.keyHigh[lock] = high
    return lock
  }
}
