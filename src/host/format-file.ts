/**
 * Makes a VDO volume in a file or on a block device. Everything that can be refused is refused before the first
 * byte is written or a file is created: the sizes, the arithmetic, and what is on the device already. Then the
 * plan of format/volume-format.ts is carried out in its order. Zeros are written only where there are none yet,
 * so that a sparse file stays sparse.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { isZero } from '../base/bytes.js'
import { VdoError } from '../base/errors.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import {
  type FormatPlan,
  type FormatWrite,
  planFormat,
  type VolumeParameters,
} from '../format/volume-format.js'
import { type BackingFile, closeBackingFile, openBackingFile } from './backing-file.js'
import { FileDevice } from './file-device.js'
import { findSignatures } from './signatures.js'
import { lockStore } from './volume-lock.js'

/** What the volume should be; its physical size is that of the device, or `sizeBytes`. */
export interface FormatRequest extends Omit<VolumeParameters, 'physicalBlocks' | 'logicalBlocks'> {
  readonly path: string
  /** For a file: its size, which it gets if it is shorter or missing. For a block device: how much of it to use. */
  readonly sizeBytes?: number | undefined
  /** Left out: the default. */
  readonly logicalBytes?: number | undefined
  /** Overwrites whatever is there. */
  readonly force?: boolean
  /** Checks everything and writes nothing. */
  readonly dryRun?: boolean
}

export interface FormatOutcome {
  readonly plan: FormatPlan
  /** Whether the file was not there before. */
  readonly created: boolean
  /** What was on the device and has been, or would be, overwritten. */
  readonly overwritten: readonly string[]
}

/** A device that somebody is just letting go of is tried this often, this many milliseconds apart. */
const BUSY_TRIES = 25
const BUSY_PAUSE_MS = 200

const CHUNK_BLOCKS = 256

export async function formatFile(request: FormatRequest): Promise<FormatOutcome> {
  const stat = statSync(request.path, { throwIfNoEntry: false })
  const sizeBytes = stat === undefined ? sizeOfNewFile(request) : sizeOnDevice(request, stat)
  const plan = planFormat(
    {
      ...request,
      physicalBlocks: Math.floor(sizeBytes / BLOCK_SIZE),
      logicalBlocks:
        request.logicalBytes === undefined ? undefined : wholeBlocks('logical size', request.logicalBytes),
    },
    crc32,
  )
  const overwritten = stat === undefined ? [] : signaturesOn(request.path)
  if (overwritten.length > 0 && request.force !== true) {
    throw new VdoError(
      'VDO_IN_THE_WAY',
      `Cannot format ${request.path}: it holds ${overwritten.join(', ')}. Force the format to overwrite it.`,
    )
  }
  const outcome: FormatOutcome = { plan, created: stat === undefined, overwritten }
  if (request.dryRun === true) return outcome

  const isFile = stat === undefined || stat.isFile()
  const unlock = await lockStore(request.path)
  let file: BackingFile
  try {
    file = await openWhenFree(request.path, isFile ? plan.superBlock.physicalBlocks : undefined)
  } catch (error) {
    unlock()
    throw error
  }
  try {
    carryOut(plan, file)
    if (stat === undefined) syncFolderOf(request.path)
  } catch (error) {
    if (stat === undefined) unlinkSync(request.path)
    throw error
  } finally {
    closeBackingFile(file)
    unlock()
  }
  return outcome
}

function sizeOfNewFile({ path, sizeBytes }: FormatRequest): number {
  if (sizeBytes === undefined) {
    throw new VdoError('VDO_NOT_FOUND', `Cannot format ${path}: it does not exist. Give a size to create it.`)
  }
  return wholeBlocks('size', sizeBytes) * BLOCK_SIZE
}

function sizeOnDevice({ path, sizeBytes }: FormatRequest, stat: Stats): number {
  if (!stat.isFile() && !stat.isBlockDevice()) {
    throw new VdoError('VDO_CANNOT_OPEN', `Cannot format ${path}: it is neither a file nor a block device`)
  }
  const present = stat.isFile() ? stat.size : blockDeviceSize(path)
  if (sizeBytes === undefined) return present
  const wanted = wholeBlocks('size', sizeBytes) * BLOCK_SIZE
  if (stat.isFile() && wanted < present) {
    throw new VdoError(
      'VDO_BAD_CONFIGURATION',
      `Cannot format ${path}: the file has ${present} bytes, more than the size of ${wanted}. ` +
        'Leave the size out to use all of it, or remove the file.',
    )
  }
  if (stat.isBlockDevice() && wanted > present) {
    throw new VdoError(
      'VDO_BAD_CONFIGURATION',
      `Cannot format ${path}: the device has ${present} bytes, less than the size of ${wanted}`,
    )
  }
  return wanted
}

function wholeBlocks(what: string, bytes: number): number {
  if (bytes % BLOCK_SIZE === 0) return bytes / BLOCK_SIZE
  throw new VdoError(
    'VDO_BAD_CONFIGURATION',
    `Cannot format: the ${what} is ${bytes} bytes, wanted a multiple of ${BLOCK_SIZE}`,
  )
}

function blockDeviceSize(path: string): number {
  const device = openBackingFile(path, { readOnly: true })
  closeBackingFile(device)
  return device.blockCount * BLOCK_SIZE
}

function signaturesOn(path: string): string[] {
  const size = statSync(path).isFile() ? statSync(path).size : blockDeviceSize(path)
  const descriptor = openSync(path, constants.O_RDONLY)
  try {
    return findSignatures((at, count) => {
      const bytes = new Uint8Array(count)
      if (at >= 0) readSync(descriptor, bytes, 0, count, at)
      return bytes
    }, size)
  } finally {
    closeSync(descriptor)
  }
}

/** Opens for writing, and waits a little for a block device that is still held by something else. */
async function openWhenFree(path: string, createBlocks: number | undefined): Promise<BackingFile> {
  for (let tried = 1; ; tried++) {
    try {
      return openBackingFile(path, createBlocks === undefined ? {} : { createBlocks })
    } catch (error) {
      const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
      if (cause?.code !== 'EBUSY' || tried === BUSY_TRIES) throw error
      await delay(BUSY_PAUSE_MS)
    }
  }
}

function carryOut({ writes }: FormatPlan, file: BackingFile): void {
  const chunk = new Uint8Array(CHUNK_BLOCKS * BLOCK_SIZE)
  let reason = ''
  const device = new FileDevice(file, chunk, {
    report: (sentence) => {
      reason = sentence
    },
  })
  const check = (status: Status): void => {
    if (status !== Status.Success) throw new VdoError('VDO_IO_ERROR', reason)
  }
  for (const [index, write] of writes.entries()) {
    // The geometry block makes the volume: nothing that it leads to may be missing after a power cut.
    if (index === writes.length - 1) check(device.sync())
    carryOutOne(write, device, chunk, check)
  }
  check(device.sync())
}

function carryOutOne(
  { pbn, blockCount, bytes }: FormatWrite,
  device: FileDevice,
  chunk: Uint8Array,
  check: (status: Status) => void,
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
  }
}

function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
