/**
 * What a front end (NBD, iSCSI, the library) needs of a volume: submit and complete, at any alignment, lengths in
 * bytes. Pure types, so that a front end can be tested over anything that keeps bytes.
 *
 * The rules of the contract, for both sides:
 * - everything happens on one thread: a call and its completion alike;
 * - `done` is called exactly once, never inside the call that submitted; it may itself submit more;
 * - requests may complete in any order. A flush covers the writes that completed before it was submitted;
 * - the caller checks ranges first; a target answers `OutOfRange` to what reaches beyond `sizeBytes`;
 * - the caller bounds what it has in flight; a target queues what it cannot start yet.
 */

import type { Status } from '../base/status.js'

/** Told how a request ended. */
export type Completion = (status: Status) => void

/** A volume, as its front ends see it. */
export interface ExportTarget {
  /** A multiple of 4096. */
  readonly sizeBytes: number
  /** Reads `into.length` bytes from `offset` on. `into` belongs to the target until `done`. */
  read(offset: number, into: Uint8Array, done: Completion): void
  /** Writes `bytes` at `offset`. They must stay unchanged until `done`. With `fua` they are durable at `done`. */
  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void
  /** Forgets the whole blocks inside the range: it is rounded inwards, and may come to nothing. */
  trim(offset: number, length: number, fua: boolean, done: Completion): void
  /** Makes exactly this range read as zeros, of any length, at a cost that needs no buffer of that length. */
  zero(offset: number, length: number, fua: boolean, done: Completion): void
  /** Makes every write that has completed durable. */
  flush(done: Completion): void
  /** The same volume for a user of its own, who takes turns with the others: a connection asks for one. */
  forClient(): ExportTarget
}
