/**
 * Locks on physical blocks: who may write a block, and who counts on its staying what it is. One object for each
 * locked block of the zone; nobody ever waits for one. What hash zones must see of a lock (its increment limit and
 * the claims on it) is in the shared PbnLockTable, in row `zone * pbnLocks + lock`; the rest is private here.
 *
 * A *write* lock has one holder, the vio that the block was allocated for; it turns into a read lock in place once
 * the data is at rest. A *map write* lock guards the block of a new tree page until its count is 254. A *read* lock
 * has a holder for each hash lock (and perhaps the writer's allocation) that relies on it.
 *
 * A lock may own the provisional reference of its block: a counter of 255 which keeps the block from being handed
 * out and which no journal knows of. Each counter of 255 has exactly one owner. The first real increment takes it
 * over; a lock that ends while it still owns one gives the block back.
 */
import { assert } from '../../base/assert.js'
import { FreeList, NONE_FREE } from '../../base/free-list.js'
import type { Pbn } from '../../base/ids.js'
import { IntMap, NONE } from '../../base/int-map.js'
import type { PbnLockTable } from '../../vio/pbn-locks.js'

export enum PbnLockKind {
  Read = 0,
  Write = 1,
  MapWrite = 2,
}

/** What `find` gives for a block that is not locked. */
export const NO_LOCK = NONE

export class PbnLocks {
  private readonly byPbn: IntMap
  private readonly free: FreeList
  private readonly kinds: Uint8Array
  private readonly holders: Uint16Array
  private readonly provisional: Uint8Array

  /** `firstRow` is where the zone's rows of the shared table begin. */
  constructor(
    private readonly shared: PbnLockTable,
    private readonly firstRow: number,
    lockCount: number,
  ) {
    this.byPbn = new IntMap(lockCount)
    this.free = new FreeList(lockCount)
    this.kinds = new Uint8Array(lockCount)
    this.holders = new Uint16Array(lockCount)
    this.provisional = new Uint8Array(lockCount)
  }

  get size(): number {
    return this.byPbn.size
  }

  find(pbn: Pbn): number {
    return this.byPbn.get(pbn)
  }

  kind(lock: number): PbnLockKind {
    return this.kinds[lock]
  }

  /** The lock's row in the shared table. */
  row(lock: number): number {
    return this.firstRow + lock
  }

  /** A lock for the one who allocated the block. It owns the block's provisional reference. */
  openWrite(pbn: Pbn, kind: PbnLockKind.Write | PbnLockKind.MapWrite): number {
    const lock = this.open(pbn, kind)
    this.provisional[lock] = 1
    this.shared.open(this.row(lock), 0)
    return lock
  }

  /** A lock for the first who relies on a block that is there already. */
  openRead(pbn: Pbn, limit: number, isProvisional: boolean): number {
    const lock = this.open(pbn, PbnLockKind.Read)
    this.provisional[lock] = isProvisional ? 1 : 0
    this.shared.open(this.row(lock), limit)
    return lock
  }

  /** One more relies on a read lock. */
  share(lock: number): void {
    assert(this.kinds[lock] === PbnLockKind.Read, 'only a read lock is shared')
    this.holders[lock]++
  }

  /** The data of a write lock is at rest: others may rely on it now, and add `limit` references. */
  downgrade(lock: number, limit: number): void {
    assert(this.kinds[lock] === PbnLockKind.Write, 'only the write lock of a data block is downgraded')
    assert(this.holders[lock] === 1, 'a write lock has one holder')
    this.kinds[lock] = PbnLockKind.Read
    this.shared.open(this.row(lock), limit)
  }

  /** One reference more through the lock; the limit always leaves room for the members of a packed block. */
  claim(lock: number): boolean {
    return this.shared.claim(this.row(lock))
  }

  /** The block's counter becomes 255 while it is locked: from now on the lock answers for that. */
  assignProvisional(lock: number): void {
    assert(this.provisional[lock] === 0, 'a lock owns at most one provisional reference')
    this.provisional[lock] = 1
  }

  /** A real reference takes the place of the provisional one. */
  clearProvisional(pbn: Pbn): void {
    const lock = this.byPbn.get(pbn)
    assert(lock !== NO_LOCK && this.provisional[lock] === 1, 'a provisional reference has an owner')
    this.provisional[lock] = 0
  }

  /** A holder leaves. True if the lock ended and leaves a provisional reference that the caller must take back. */
  release(pbn: Pbn): boolean {
    const lock = this.byPbn.get(pbn)
    assert(lock !== NO_LOCK && this.holders[lock] > 0, 'only a lock that is held is released')
    if (--this.holders[lock] > 0) return false
    this.byPbn.remove(pbn)
    this.free.give(lock)
    return this.provisional[lock] === 1
  }

  private open(pbn: Pbn, kind: PbnLockKind): number {
    const lock = this.free.take()
    assert(lock !== NONE_FREE, 'there are locks for all that may be locked at once')
    const before = this.byPbn.put(pbn, lock)
    assert(before === NONE, 'a block has one lock at most')
    this.kinds[lock] = kind
    this.holders[lock] = 1
    return lock
  }
}
