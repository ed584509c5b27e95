/**
 * What still needs a block of the recovery journal: the lock counter of dm-vdo. Each block of the ring has
 * - a count private to the journal (entries not yet taken over, and one for the block itself),
 * - a count of entries taken over ("decrements"), raised by whichever logical zone finished a map update,
 * - for the logical zones (dirty pages) and for the physical zones (slab journal blocks) the number of zones that
 *   hold it; each zone keeps its own count of holders, private, in a ZoneJournalLocks.
 *
 * A zone that lets the last lock of its kind go tells the journal with one `LocksReleased` message; further
 * releases ride on the same message until the journal has seen it.
 */
import { assert } from '../base/assert.js'
import type { Bump } from '../base/bump.js'
import type { SequenceNumber } from '../base/ids.js'

/** Which kind of zones hold a block. */
export enum LockKind {
  Logical = 0,
  Physical = 1,
}

export class JournalLockTable {
  private readonly decrements: Int32Array
  private readonly zones: Int32Array
  private readonly notifying: Int32Array
  private readonly mask: number

  /** `blocks` is the size of the journal's ring, a power of two. */
  constructor(
    bump: Bump,
    readonly blocks: number,
  ) {
    this.decrements = bump.int32(blocks)
    this.zones = bump.int32(blocks * 2)
    this.notifying = bump.int32(1)
    this.mask = blocks - 1
  }

  /** The ring position of a sequence number. */
  position(sequence: SequenceNumber): number {
    // Sequences pass 2^32, so the low bits are taken before the bitwise operation.
    return (sequence % 0x40000000) & this.mask
  }

  /** The journal opens a block afresh. Nobody holds it. */
  open(sequence: SequenceNumber): void {
    const at = this.position(sequence)
    assert(!this.isHeld(sequence, LockKind.Logical), 'a journal block is opened while no map page holds it')
    assert(
      !this.isHeld(sequence, LockKind.Physical),
      'a journal block is opened while no slab journal holds it',
    )
    Atomics.store(this.decrements, at, 0)
  }

  /** An entry's map update is done; the map page has its own lock by now. From any logical zone. */
  entryTaken(sequence: SequenceNumber): void {
    Atomics.add(this.decrements, this.position(sequence), 1)
  }

  entriesTaken(sequence: SequenceNumber): number {
    return Atomics.load(this.decrements, this.position(sequence))
  }

  isHeld(sequence: SequenceNumber, kind: LockKind): boolean {
    return Atomics.load(this.zones, this.position(sequence) * 2 + kind) !== 0
  }

  zoneTakes(sequence: SequenceNumber, kind: LockKind): void {
    Atomics.add(this.zones, this.position(sequence) * 2 + kind, 1)
  }

  /** True if this was the last zone of its kind. */
  zoneLets(sequence: SequenceNumber, kind: LockKind): boolean {
    const before = Atomics.sub(this.zones, this.position(sequence) * 2 + kind, 1)
    assert(before > 0, 'a zone lets go only what it holds')
    return before === 1
  }

  /** Whether no zone of either kind holds any block. */
  get areFree(): boolean {
    return this.zones.every((zones) => zones === 0)
  }

  /** True for the one who must send `LocksReleased`. */
  claimNotice(): boolean {
    return Atomics.compareExchange(this.notifying, 0, 0, 1) === 0
  }

  /** The journal has the notice and will look; called before it looks, so that no release is missed. */
  noticeSeen(): void {
    Atomics.store(this.notifying, 0, 0)
  }

  /** A notice is under way. */
  get noticePending(): boolean {
    return Atomics.load(this.notifying, 0) !== 0
  }
}

/** One zone's holds on journal blocks. Private to the zone. */
export class ZoneJournalLocks {
  private readonly holds: Uint16Array

  /** `notify` sends JournalOp.LocksReleased. */
  constructor(
    private readonly table: JournalLockTable,
    private readonly kind: LockKind,
    private readonly notify: () => void,
  ) {
    this.holds = new Uint16Array(table.blocks)
  }

  acquire(sequence: SequenceNumber): void {
    const at = this.table.position(sequence)
    assert(this.holds[at] < 0xffff, 'holds on a journal block fit their counter')
    if (this.holds[at]++ === 0) this.table.zoneTakes(sequence, this.kind)
  }

  release(sequence: SequenceNumber): void {
    const at = this.table.position(sequence)
    assert(this.holds[at] > 0, 'a zone releases only what it holds')
    if (--this.holds[at] > 0) return
    if (this.table.zoneLets(sequence, this.kind) && this.table.claimNotice()) this.notify()
  }

  /** The map update of one entry is done (logical zones only). */
  entryTaken(sequence: SequenceNumber): void {
    this.table.entryTaken(sequence)
  }
}
