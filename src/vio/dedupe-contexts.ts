/**
 * Dedupe contexts: how a hash zone asks the index. A query never carries a vio: it carries a copy of the name, so
 * that an answer after the time-out finds a context that was given up, and never a row that went on.
 *
 * A row is `hashZone * contextsPerZone + context`. Only `state` is contended: the index side swaps Pending for
 * Complete, the hash zone Pending for TimedOut; who loses the swap knows that the other was first. A context in
 * TimedOut belongs to the index until its (ignored) answer arrives as TimedOutComplete.
 */
import type { Bump } from '../base/bump.js'
import type { Column, Pbn } from '../base/ids.js'
import { MAX_OPERAND } from './opcodes.js'
import type { ZoneCounts } from './volume.js'
import type { VolumeShape } from './volume-shape.js'

export enum ContextState {
  Idle = 0,
  Pending = 1,
  Complete = 2,
  TimedOut = 3,
  TimedOutComplete = 4,
}

export enum IndexRequestKind {
  /** Find, refresh. */
  Query = 0,
  /** Find, refresh; or enter what is offered. */
  Post = 1,
  /** Enter or overwrite. */
  Update = 2,
}

/** Contexts of one hash zone: as many as the shape says, but every row fits the operand of a message. */
export function contextsPerZone(shape: VolumeShape, counts: ZoneCounts): number {
  return Math.min(shape.dedupeContexts, Math.floor((MAX_OPERAND + 1) / counts.hash))
}

export class DedupeContexts {
  readonly state: Int32Array
  readonly kind: Int32Array
  /** Four words of name a row. */
  readonly name: Uint32Array
  /** What is offered (Post, Update). */
  readonly offeredPbn: Column<number, Pbn>
  readonly offeredState: Int32Array
  /** What was found: 1 or 0, and where. */
  readonly found: Int32Array
  readonly advicePbn: Column<number, Pbn>
  readonly adviceState: Int32Array

  constructor(bump: Bump, rows: number) {
    this.state = bump.int32(rows)
    this.kind = bump.int32(rows)
    this.name = bump.uint32(rows * 4)
    this.offeredPbn = bump.float64(rows) as unknown as Column<number, Pbn>
    this.offeredState = bump.int32(rows)
    this.found = bump.int32(rows)
    this.advicePbn = bump.float64(rows) as unknown as Column<number, Pbn>
    this.adviceState = bump.int32(rows)
  }

  /** Moves a row from one state to another if nobody was faster. */
  swap(row: number, from: ContextState, to: ContextState): boolean {
    return Atomics.compareExchange(this.state, row, from, to) === from
  }
}
