/**
 * Dedupe contexts: how a hash zone asks the index. A query never carries a vio: it carries a copy of the name, so
 * that an answer after the time-out finds a context that was given up, and never a row that went on.
 *
 * A row is `hashZone * contextsPerZone + context`, and what the index takes for a request (index-requests.ts of the
 * index describes the columns). Only `state` is contended: the index side swaps Pending for
 * Complete, the hash zone Pending for TimedOut; who loses the swap knows that the other was first. A context in
 * TimedOut belongs to the index until its (ignored) answer arrives as TimedOutComplete.
 */
import type { Bump } from '../base/bump.js'
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

/** What a hash zone asks: some of what an index can be asked, by the index's own numbers. */
export enum IndexRequestKind {
  /** Find, refresh; or enter what is offered. */
  Post = 0,
  /** Enter or overwrite. */
  Update = 1,
  /** Find, refresh. */
  Query = 3,
}

/** Bytes of a name, of what is offered and of what is known. */
export const CONTEXT_BYTES = 16

/** Contexts of one hash zone: as many as the shape says, but every row fits the operand of a message. */
export function contextsPerZone(shape: VolumeShape, counts: ZoneCounts): number {
  return Math.min(shape.dedupeContexts, Math.floor((MAX_OPERAND + 1) / counts.hash))
}

export class DedupeContexts {
  readonly state: Int32Array
  readonly kinds: Uint8Array
  /** 16 bytes a row, and the same as four words. */
  readonly names: Uint8Array
  readonly nameWords: Uint32Array
  /** The advice that is offered (Post, Update): 16 bytes a row. */
  readonly offered: Uint8Array
  /** Where the name was found in the index (0: it was not), and the advice that was there: 16 bytes a row. */
  readonly locations: Uint8Array
  readonly known: Uint8Array

  constructor(
    bump: Bump,
    readonly rows: number,
  ) {
    this.state = bump.int32(rows)
    this.kinds = bump.uint8(rows)
    this.nameWords = bump.uint32(rows * 4)
    const { buffer, byteOffset, byteLength } = this.nameWords
    this.names = new Uint8Array(buffer, byteOffset, byteLength)
    this.offered = bump.uint8(rows * CONTEXT_BYTES)
    this.locations = bump.uint8(rows)
    this.known = bump.uint8(rows * CONTEXT_BYTES)
  }

  /** Moves a row from one state to another if nobody was faster. */
  swap(row: number, from: ContextState, to: ContextState): boolean {
    return Atomics.compareExchange(this.state, row, from, to) === from
  }
}
