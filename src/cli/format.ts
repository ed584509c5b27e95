/** `vdo format FILE`, which is also `vdoformat`: makes a volume in a file or on a block device. */

import { Command } from 'commander'
import { fromHex, toHex } from '../base/bytes.js'
import { formatSize, humanSize } from '../base/sizes.js'
import { BLOCK_SIZE, DEFAULT_SLAB_BITS } from '../format/constants.js'
import { indexMemoryCode, indexMemoryOf } from '../format/index-memory.js'
import { type FormatOutcome, type FormatRequest, formatFile } from '../host/format-file.js'
import { badArgument, readSlabBits, SLAB_BITS, sizeInBytes } from './arguments.js'
import { showProgress } from './progress.js'
import { clockNonce, randomUuid } from './volume-identity.js'

interface FormatOptions {
  readonly size?: number
  readonly logicalSize?: number
  readonly slabBits: number
  readonly udsMemorySize: number
  readonly udsSparse?: boolean
  readonly force?: boolean
  readonly uuid?: Uint8Array
  readonly nonce?: bigint
  readonly verbose?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

const INDEX_MEMORIES = '0.25, 0.5, 0.75 or a whole number from 1 to 1024'

export function formatCommand(name = 'format'): Command {
  return new Command(name)
    .description('make a VDO volume in a file or on a block device')
    .argument('<file>', 'file (created when --size is given) or block device')
    .option(
      '--size <size>',
      'size of the file, or how much of a block device to use, up to 256T, default unit M (default: all of it)',
      sizeInBytes('--size'),
    )
    .option(
      '-l, --logical-size <size>',
      'size that clients see, 4K to 4P, default unit M (default: what surely fits)',
      sizeInBytes('--logical-size'),
    )
    .option('-S, --slab-bits <bits>', SLAB_BITS, readSlabBits, DEFAULT_SLAB_BITS)
    .option('-m, --uds-memory-size <GiB>', `memory of the index: ${INDEX_MEMORIES}`, parseIndexMemory, 0.25)
    .option(
      '-s, --uds-sparse',
      'make the index sparse: ten times the reach in the same memory (default: dense)',
    )
    .option('-f, --force', 'overwrite a volume, file system or partition table (default: refuse)')
    .option('--uuid <uuid>', 'UUID of the volume (default: a random one)', parseUuid)
    .option(
      '--nonce <number>',
      'nonce of the volume, 1 to 2^64 - 1 (default: the time in microseconds)',
      parseNonce,
    )
    .option('-v, --verbose', 'say more')
    .option('--dry-run', 'check everything, write nothing')
    .option('--json', 'print one JSON object')
    .action((path: string, options: FormatOptions) => format(path, options))
}

async function format(path: string, options: FormatOptions): Promise<void> {
  const request: FormatRequest = {
    path,
    sizeBytes: options.size,
    logicalBytes: options.logicalSize,
    slabBits: options.slabBits,
    indexMemory: indexMemoryCode(options.udsMemorySize),
    indexSparse: options.udsSparse === true,
    nonce: options.nonce ?? clockNonce(),
    uuid: options.uuid ?? randomUuid(),
    force: options.force === true,
    dryRun: options.dryRun === true,
  }
  const progress = showProgress('Formatting')
  let outcome: FormatOutcome
  try {
    outcome = await formatFile({ ...request, progress: (done, all) => progress.update(done, all) })
  } finally {
    progress.stop()
  }
  const text =
    options.json === true
      ? JSON.stringify(describe(path, outcome, options.dryRun === true))
      : tell(path, outcome, options).join('\n')
  process.stdout.write(`${text}\n`)
}

/** The outcome as fields, for scripts. 64-bit values that a double cannot hold are strings. */
function describe(path: string, { plan, created, overwritten }: FormatOutcome, dryRun: boolean) {
  const { superBlock, geometry, slabCount } = plan
  return {
    path,
    dryRun,
    created,
    overwritten,
    uuid: uuidText(geometry.uuid),
    nonce: geometry.nonce.toString(),
    blockSize: BLOCK_SIZE,
    physicalBlocks: superBlock.physicalBlocks,
    logicalBlocks: superBlock.logicalBlocks,
    logicalDefaulted: plan.logicalDefaulted,
    slabBlocks: superBlock.slabSize,
    slabCount,
    maximumSlabBytes: plan.maximumSlabBytes,
    indexMemory: (indexMemoryOf(geometry.indexMemory)?.quarters ?? 0) / 4,
    indexSparse: geometry.indexSparse !== 0,
    indexBlocks: geometry.dataRegionStart - geometry.indexRegionStart,
  }
}

function tell(path: string, outcome: FormatOutcome, options: FormatOptions): string[] {
  const { plan, overwritten } = outcome
  const { superBlock, geometry, slabCount } = plan
  const slabBytes = superBlock.slabSize * BLOCK_SIZE
  const lines: string[] = []
  if (options.verbose === true) {
    const logical = plan.logicalDefaulted ? 'default' : String(superBlock.logicalBlocks)
    lines.push(
      `Formatting ${path}: ${logical} logical and ${superBlock.physicalBlocks} physical blocks of ${BLOCK_SIZE} bytes.`,
      `UUID ${uuidText(geometry.uuid)}, nonce ${geometry.nonce}, index of ` +
        `${geometry.dataRegionStart - geometry.indexRegionStart} blocks.`,
    )
    if (overwritten.length > 0) lines.push(`Overwriting ${overwritten.join(', ')}.`)
  }
  if (plan.logicalDefaulted) {
    const logicalBytes = superBlock.logicalBlocks * BLOCK_SIZE
    lines.push(
      `The logical size is ${superBlock.logicalBlocks} blocks (${humanSize(logicalBytes)}), the default.`,
    )
  }
  lines.push(
    `The volume holds ${humanSize(slabCount * slabBytes)} in ${slabCount} ` +
      `${slabCount === 1 ? 'slab' : 'slabs'} of ${formatSize(slabBytes)}.`,
    `It can grow to ${formatSize(plan.maximumSlabBytes)} of slabs; larger slabs would let it grow further.`,
  )
  if (options.dryRun === true) lines.push('Nothing was written: this was a dry run.')
  return lines
}

function parseIndexMemory(text: string): number {
  if (/^\d{1,6}(\.\d+)?$/.test(text)) return Number(text)
  throw badArgument('--uds-memory-size', text, INDEX_MEMORIES)
}

function parseNonce(text: string): bigint {
  if (/^(\d+|0x[0-9a-f]+)$/i.test(text)) {
    const nonce = BigInt(text)
    if (nonce > 0n && nonce < 1n << 64n) return nonce
  }
  throw badArgument('--nonce', text, 'a number from 1 to 2^64 - 1')
}

function parseUuid(text: string): Uint8Array {
  const grouped = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
  const bytes = grouped.test(text) ? fromHex(text.replaceAll('-', '')) : undefined
  if (bytes !== undefined) return bytes
  throw badArgument('--uuid', text, 'a UUID such as 5f0c7f3a-5b0e-4a53-9f0e-2d1c3b4a5968')
}

function uuidText(uuid: Uint8Array): string {
  return toHex(uuid).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
