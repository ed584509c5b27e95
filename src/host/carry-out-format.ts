/**
 * Carries a plan of format/volume-format.ts out, in its order, on a store that may hold anything. Zeros are written
 * only where there are none yet, so that a sparse file stays sparse.
 */

import { crc32 } from 'node:zlib'
import { isZero } from '../base/bytes.js'
import { VdoError } from '../base/errors.js'
import { Status } from '../base/status.js'
import type { SynchronousDevice } from '../device/block-device.js'
import { RamDevice } from '../device/ram-device.js'
import { BLOCK_SIZE } from '../format/constants.js'
import {
  type FormatPlan,
  type FormatWrite,
  planFormat,
  type VolumeParameters,
} from '../format/volume-format.js'
import type { BackingFile } from './backing-file.js'
import { FileDevice } from './file-device.js'

/** Hears how many of how many blocks are done, now and then. */
export type FormatProgress = (done: number, all: number) => void

const CHUNK_BLOCKS = 256

/** Makes the planned volume in an open file; when this returns it is durable. Throws VDO_IO_ERROR. */
export function formatOpenFile(plan: FormatPlan, file: BackingFile, progress?: FormatProgress): void {
  const chunk = new Uint8Array(CHUNK_BLOCKS * BLOCK_SIZE)
  let reason = ''
  const report = (sentence: string): void => {
    reason = sentence
  }
  carryOut(plan, new FileDevice(file, chunk, { report }), chunk, () => reason, progress)
}

/** Makes a volume in segments of memory (`createRamSegments`). */
export function formatMemory(
  segments: readonly SharedArrayBuffer[],
  parameters: VolumeParameters,
): FormatPlan {
  const chunk = new Uint8Array(CHUNK_BLOCKS * BLOCK_SIZE)
  const plan = planFormat(parameters, crc32)
  carryOut(plan, new RamDevice(segments, chunk), chunk, () => 'Cannot format: the memory is too small')
  return plan
}

/** `device` is over `chunk`; `reasonOf` tells why its last call failed. */
function carryOut(
  { writes }: FormatPlan,
  device: SynchronousDevice,
  chunk: Uint8Array,
  reasonOf: () => string,
  progress?: FormatProgress,
): void {
  const check = (status: Status): void => {
    if (status !== Status.Success) throw new VdoError('VDO_IO_ERROR', reasonOf())
  }
  const all = writes.reduce((sum, { blockCount }) => sum + blockCount, 0)
  let done = 0
  for (const [index, write] of writes.entries()) {
    // The geometry block makes the volume: nothing that it leads to may be missing after a power cut.
    if (index === writes.length - 1) check(device.sync())
    carryOutOne(write, device, chunk, check, (blocks) => {
      done += blocks
      progress?.(done, all)
    })
  }
  check(device.sync())
}

function carryOutOne(
  { pbn, blockCount, bytes }: FormatWrite,
  device: SynchronousDevice,
  chunk: Uint8Array,
  check: (status: Status) => void,
  moved: (blocks: number) => void,
): void {
  for (let done = 0; done < blockCount; ) {
    const count = Math.min(CHUNK_BLOCKS, blockCount - done)
    if (bytes !== undefined) {
      chunk.set(bytes.subarray(done * BLOCK_SIZE, (done + count) * BLOCK_SIZE))
      check(device.write(pbn + done, count, 0))
    } else {
      check(device.read(pbn + done, count, 0))
      if (!isZero(chunk, 0, count * BLOCK_SIZE)) {
        chunk.fill(0)
        check(device.write(pbn + done, count, 0))
      }
    }
    done += count
    moved(count)
  }
}
