/**
 * A store in memory: segments of shared memory of at most 1 GiB, which the machine commits page by page as they
 * are written. Hand the segments to each thread that needs the store; its device objects see the same blocks. A
 * sync has nothing to do.
 */
import { assert } from '../base/assert.js'
import { Status } from '../base/status.js'
import { DEVICE_BLOCK_BYTES, isOnDevice, type SynchronousDevice } from './block-device.js'

/** Blocks of a full segment (1 GiB). */
const SEGMENT_BLOCKS = 2 ** 18

/** The memory of a store of `blockCount` blocks, all zero. */
export function createRamSegments(blockCount: number, segmentBlocks = SEGMENT_BLOCKS): SharedArrayBuffer[] {
  const segments: SharedArrayBuffer[] = []
  for (let first = 0; first < blockCount; first += segmentBlocks) {
    segments.push(new SharedArrayBuffer(Math.min(segmentBlocks, blockCount - first) * DEVICE_BLOCK_BYTES))
  }
  return segments
}

export class RamDevice implements SynchronousDevice {
  readonly blockCount: number
  private readonly segments: readonly Uint8Array[]
  private readonly segmentBlocks: number

  /** All segments but the last are of one size. */
  constructor(
    segments: readonly SharedArrayBuffer[],
    private readonly arena: Uint8Array,
  ) {
    assert(segments.length > 0, 'a store has memory')
    this.segments = segments.map((segment) => new Uint8Array(segment))
    this.segmentBlocks = segments[0]!.byteLength / DEVICE_BLOCK_BYTES
    this.blockCount = segments.reduce((blocks, { byteLength }) => blocks + byteLength / DEVICE_BLOCK_BYTES, 0)
  }

  read(block: number, count: number, at: number): Status {
    if (!isOnDevice(this.blockCount, block, count)) return Status.IoError
    for (let i = 0; i < count; i++) {
      const bytes = this.segmentOf(block + i)
      const from = this.offsetOf(block + i)
      this.arena.set(bytes.subarray(from, from + DEVICE_BLOCK_BYTES), at + i * DEVICE_BLOCK_BYTES)
    }
    return Status.Success
  }

  write(block: number, count: number, at: number): Status {
    if (!isOnDevice(this.blockCount, block, count)) return Status.IoError
    for (let i = 0; i < count; i++) {
      const from = at + i * DEVICE_BLOCK_BYTES
      const bytes = this.segmentOf(block + i)
      bytes.set(this.arena.subarray(from, from + DEVICE_BLOCK_BYTES), this.offsetOf(block + i))
    }
    return Status.Success
  }

  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status {
    let blocks = 0
    for (let i = first; i < end; i++) blocks += counts[i]!
    if (!isOnDevice(this.blockCount, block, blocks)) return Status.IoError
    let next = block
    for (let i = first; i < end; i++) {
      this.write(next, counts[i]!, ats[i]!)
      next += counts[i]!
    }
    return Status.Success
  }

  sync(): Status {
    return Status.Success
  }

  private segmentOf(block: number): Uint8Array {
    return this.segments[Math.floor(block / this.segmentBlocks)]!
  }

  private offsetOf(block: number): number {
    return (block % this.segmentBlocks) * DEVICE_BLOCK_BYTES
  }
}
