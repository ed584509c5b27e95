/**
 * The shared part of the locks on physical blocks: how many more references a lock's holders may make, and how
 * many they have claimed. The lock itself (type, holders, provisional reference) is private to its physical zone,
 * which sets the limit before it tells anyone of the lock. Claims are made from hash zones and from the packer's
 * batches without a visit to the physical zone.
 *
 * A row is `zone * pbnLocks + lock`.
 */
import type { Bump } from '../base/bump.js'

export class PbnLockTable {
  private readonly limit: Int32Array
  private readonly claimed: Int32Array

  constructor(bump: Bump, locks: number) {
    this.limit = bump.int32(locks)
    this.claimed = bump.int32(locks)
  }

  /** A new lock, or one that turned into a read lock. Only by its physical zone, before it is handed out. */
  open(row: number, incrementLimit: number): void {
    this.limit[row] = incrementLimit
    Atomics.store(this.claimed, row, 0)
  }

  /** One reference more, if the limit allows it. */
  claim(row: number): boolean {
    return Atomics.add(this.claimed, row, 1) < this.limit[row]
  }
}
