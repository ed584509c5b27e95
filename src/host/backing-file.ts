/**
 * The file or block device behind a volume: opening, creating, growing and measuring it. The descriptor belongs to
 * the process; its number is handed to the threads, whose devices (file-device.ts) read and write by position.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
} from 'node:fs'
import { VdoError } from '../base/errors.js'
import { DEVICE_BLOCK_BYTES } from '../device/block-device.js'
import { fileError, isPassing, statFile, systemReason } from './system-reason.js'

export interface BackingFile {
  readonly path: string
  readonly descriptor: number
  readonly blockCount: number
}

interface OpenOptions {
  /** Opens for reading; writes to it then fail. */
  readonly readOnly?: boolean
  /** Makes a regular file this many blocks long, sparse, if it is shorter or missing. */
  readonly createBlocks?: number
}

const ACTION = 'Cannot open backing store'

/** Opens `path`. A block device that something else on the machine holds (a mount, a mapping) is refused. */
export function openBackingFile(
  path: string,
  { readOnly = false, createBlocks }: OpenOptions = {},
): BackingFile {
  // Opening what is no store (a pipe) could wait for ever.
  const present = statFile(ACTION, path)
  if (present !== undefined) requireStore(present, path)
  let descriptor: number
  try {
    descriptor = openSync(path, openFlags(present, readOnly, createBlocks !== undefined), 0o600)
  } catch (error) {
    throw fileError(ACTION, path, error)
  }
  try {
    const stat = fstatSync(descriptor)
    if (createBlocks !== undefined && stat.isFile() && stat.size < createBlocks * DEVICE_BLOCK_BYTES) {
      lengthen(descriptor, createBlocks * DEVICE_BLOCK_BYTES, path)
    }
    return { path, descriptor, blockCount: Math.floor(sizeOf(descriptor, path) / DEVICE_BLOCK_BYTES) }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

export function closeBackingFile({ descriptor }: BackingFile): void {
  closeSync(descriptor)
}

/** Reads bytes of an open file; what lies beyond its end is zeros. */
export function fileReader(path: string, descriptor: number): (at: number, size: number) => Uint8Array {
  return (at, size) => {
    const bytes = new Uint8Array(size)
    for (let done = 0; done < size && at >= 0; ) {
      try {
        const moved = readSync(descriptor, bytes, done, size - done, at + done)
        if (moved === 0) break
        done += moved
      } catch (cause) {
        if (isPassing(cause)) continue
        throw new VdoError('VDO_IO_ERROR', `Cannot read ${path} at byte ${at}: ${systemReason(cause)}`, {
          cause,
        })
      }
    }
    return bytes
  }
}

/** Only a block device is opened exclusively; a file knows no such thing. */
function openFlags(present: Stats | undefined, readOnly: boolean, create: boolean): number {
  const access = readOnly ? constants.O_RDONLY : constants.O_RDWR
  if (present?.isBlockDevice()) return readOnly ? access : access | constants.O_EXCL
  return create ? access | constants.O_CREAT : access
}

/** Bytes of the open file or block device. */
function sizeOf(descriptor: number, path: string): number {
  const stat = fstatSync(descriptor)
  if (stat.isFile()) return stat.size
  requireStore(stat, path)
  // Linux packs a device number as the low minor bits in 0 to 7, the major in 8 to 19, the rest of the minor in 20 to 31.
  const major = (stat.rdev >>> 8) & 0xfff
  const minor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00)
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512
}

function requireStore(stat: Stats, path: string): void {
  if (stat.isFile() || stat.isBlockDevice()) return
  throw new VdoError('VDO_CANNOT_OPEN', `${ACTION} ${path}: it is neither a file nor a block device`)
}

function lengthen(descriptor: number, sizeBytes: number, path: string): void {
  try {
    ftruncateSync(descriptor, sizeBytes)
  } catch (cause) {
    throw new VdoError(
      'VDO_IO_ERROR',
      `Cannot make ${path} ${sizeBytes} bytes long: ${systemReason(cause)}`,
      { cause },
    )
  }
}
