/**
 * What holds the volume. Two contracts: `SynchronousDevice`, which has done its work when a call returns (a file,
 * memory), and `BlockDevice`, submit and complete, which is all that the bio room knows. `BatchedDevice` turns the
 * first into the second; a remote or a simulated store is the second by itself.
 *
 * Blocks are device blocks of 4096 bytes from 0. Data is named by its byte offset in the arena and belongs to the
 * device from submission to completion. A device object belongs to one thread; several over one store (each with
 * its own thread) see each other's completed writes.
 */
import type { Status } from '../base/status.js'

export const DEVICE_BLOCK_BYTES = 4096

export enum DeviceOp {
  /** Bytes of the store go to the arena. */
  Read = 0,
  /** Bytes of the arena go to the store, durable after a later flush. */
  Write = 1,
  /** Every write whose completion was told before this was submitted becomes durable. Names no block. */
  Flush = 2,
}

/**
 * Told once for each request, on the device's thread: from within `submit` or `kick`, or later. It may submit more.
 */
export type Completed = (tag: number, status: Status) => void

/**
 * A batch is what is submitted between two kicks. The device may do a batch, and batches that are under way at
 * once, in any order: whoever needs one request after another submits it after the other's completion. Writes of
 * one block never overlap in time.
 */
export interface BlockDevice {
  readonly blockCount: number
  /** Names the receiver of completions, before the first request and once. */
  attach(completed: Completed): void
  /** Takes a request. `tag` comes back with its completion; a flush ignores `block`, `count` and `at`. */
  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void
  /** Ends the batch: all that was submitted is on its way, or done, when this returns. */
  kick(): void
}

/** A store whose calls return when they are done. A failure is a status; what failed is told by the device. */
export interface SynchronousDevice {
  readonly blockCount: number
  /** Reads `count` blocks from `block` on into the arena at `at`. */
  read(block: number, count: number, at: number): Status
  /** Writes `count` blocks of the arena at `at` from `block` on. */
  write(block: number, count: number, at: number): Status
  /**
   * Writes neighbours with one call: piece i of `first` to `end` - 1 is `counts[i]` blocks of the arena at `ats[i]`,
   * and follows the piece before it on the store; the first goes to `block`.
   */
  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status
  /** Makes every write that has returned durable. */
  sync(): Status
}

/** Whether a request lies on the device. A request that does not is a defect of the caller, or a damaged mapping. */
export function isOnDevice(blockCount: number, block: number, count: number): boolean {
  return block >= 0 && count > 0 && block + count <= blockCount
}
