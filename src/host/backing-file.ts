/**
 * The file or block device behind a volume: opening, creating, growing and measuring it. The descriptor belongs to
 * the process; its number is handed to the threads, whose devices (file-device.ts) read and write by position.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs'
import { VdoError } from '../base/errors.js'
import { DEVICE_BLOCK_BYTES } from '../device/block-device.js'

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

/** Opens `path`. A block device that something else on the machine holds (a mount, a mapping) is refused. */
export function openBackingFile(
  path: string,
  { readOnly = false, createBlocks }: OpenOptions = {},
): BackingFile {
  let descriptor: number
  try {
    descriptor = openSync(path, openFlags(path, readOnly, createBlocks !== undefined), 0o600)
  } catch (error) {
    throw new VdoError('VDO_CANNOT_OPEN', `Cannot open backing store ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  try {
    const stat = fstatSync(descriptor)
    if (createBlocks !== undefined && stat.isFile() && stat.size < createBlocks * DEVICE_BLOCK_BYTES) {
      ftruncateSync(descriptor, createBlocks * DEVICE_BLOCK_BYTES)
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

/** Only a block device is opened exclusively; a file knows no such thing. */
function openFlags(path: string, readOnly: boolean, create: boolean): number {
  const access = readOnly ? constants.O_RDONLY : constants.O_RDWR
  if (statSync(path, { throwIfNoEntry: false })?.isBlockDevice()) {
    return readOnly ? access : access | constants.O_EXCL
  }
  return create ? access | constants.O_CREAT : access
}

/** Bytes of the open file or block device. */
function sizeOf(descriptor: number, path: string): number {
  const stat = fstatSync(descriptor)
  if (stat.isFile()) return stat.size
  if (!stat.isBlockDevice()) {
    throw new VdoError(
      'VDO_CANNOT_OPEN',
      `Cannot open backing store ${path}: it is neither a file nor a block device`,
    )
  }
  // Linux packs a device number as the low minor bits in 0 to 7, the major in 8 to 19, the rest of the minor in 20 to 31.
  const major = (stat.rdev >>> 8) & 0xfff
  const minor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00)
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512
}
