/**
 * Makes a VDO volume in a file or on a block device. Everything that can be refused is refused before the first
 * byte is written or a file is created: the sizes, the arithmetic, and what is on the device already. Then the
 * plan is carried out (carry-out-format.ts).
 */
import { accessSync, closeSync, constants, fsyncSync, openSync, type Stats, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { VdoError } from '../base/errors.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { type FormatPlan, planFormat, type VolumeParameters } from '../format/volume-format.js'
import { type BackingFile, closeBackingFile, fileReader, openBackingFile } from './backing-file.js'
import { type FormatProgress, formatOpenFile } from './carry-out-format.js'
import { findSignatures } from './signatures.js'
import { fileError, statFile } from './system-reason.js'
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
  readonly progress?: FormatProgress
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

/** Throws a VdoError for whatever it refuses: nothing has been written or created then. */
export async function formatFile(request: FormatRequest): Promise<FormatOutcome> {
  const stat = statFile('Cannot format', request.path)
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
  return stat === undefined ? formatNew(request, plan) : formatPresent(request, plan, stat)
}

async function formatNew(request: FormatRequest, plan: FormatPlan): Promise<FormatOutcome> {
  const { path, dryRun } = request
  const outcome: FormatOutcome = { plan, created: true, overwritten: [] }
  if (dryRun === true) return outcome
  createEmpty(path)
  return whileLocked(path, async () => {
    try {
      await write(request, plan, plan.superBlock.physicalBlocks)
      syncFolderOf(path)
    } catch (error) {
      unlinkSync(path)
      throw error
    }
    return outcome
  })
}

function formatPresent(request: FormatRequest, plan: FormatPlan, stat: Stats): Promise<FormatOutcome> {
  const { path, dryRun, force } = request
  requireWritable(path)
  return whileLocked(path, async () => {
    const overwritten = signaturesOn(path, presentSize(path, stat))
    if (overwritten.length > 0 && force !== true) {
      throw new VdoError(
        'VDO_IN_THE_WAY',
        `Cannot format ${path}: it holds ${overwritten.join(', ')}. Use --force to overwrite it`,
      )
    }
    if (dryRun !== true)
      await write(request, plan, stat.isFile() ? plan.superBlock.physicalBlocks : undefined)
    return { plan, created: false, overwritten }
  })
}

/** Nobody else can open, or make, a volume there meanwhile. */
async function whileLocked<T>(path: string, act: () => Promise<T>): Promise<T> {
  const unlock = await lockStore(path, 'Cannot format')
  try {
    return await act()
  } finally {
    unlock()
  }
}

async function write(
  { path, progress }: FormatRequest,
  plan: FormatPlan,
  createBlocks: number | undefined,
): Promise<void> {
  const file = await openWhenFree(path, createBlocks)
  try {
    formatOpenFile(plan, file, progress)
  } finally {
    closeBackingFile(file)
  }
}

/** Claims the name: of two formatters that find no file, one makes it. */
function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    throw fileError('Cannot format', path, error)
  }
}

function requireWritable(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw fileError('Cannot format', path, error)
  }
}

function sizeOfNewFile({ path, sizeBytes }: FormatRequest): number {
  if (sizeBytes === undefined) {
    throw new VdoError('VDO_NOT_FOUND', `Cannot format ${path}: it does not exist. Give --size to create it`)
  }
  return wholeBlocks('size', sizeBytes) * BLOCK_SIZE
}

function sizeOnDevice({ path, sizeBytes }: FormatRequest, stat: Stats): number {
  if (!stat.isFile() && !stat.isBlockDevice()) {
    throw new VdoError('VDO_CANNOT_OPEN', `Cannot format ${path}: it is neither a file nor a block device`)
  }
  const present = presentSize(path, stat)
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

function presentSize(path: string, stat: Stats): number {
  if (stat.isFile()) return stat.size
  const device = openBackingFile(path, { readOnly: true })
  closeBackingFile(device)
  return device.blockCount * BLOCK_SIZE
}

function signaturesOn(path: string, size: number): string[] {
  const descriptor = openSync(path, constants.O_RDONLY)
  try {
    return findSignatures(fileReader(path, descriptor), size)
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

function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
