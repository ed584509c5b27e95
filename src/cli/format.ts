/** `vdo format FILE`, which is also `vdoformat`: makes a volume in a file or on a block device. */

import { Command, Option } from 'commander'
import { fromHex, toHex } from '../base/bytes.js'
import { VdoError } from '../base/errors.js'
import { formatSize, humanSize, parseSize } from '../base/sizes.js'
import { BLOCK_SIZE, DEFAULT_SLAB_BITS, MAXIMUM_SLAB_BITS, MINIMUM_SLAB_BITS } from '../format/constants.js'
import { indexMemoryCode, indexMemoryOf } from '../format/index-memory.js'
import { type FormatOutcome, formatFile } from '../host/format-file.js'
import { clockNonce, randomUuid } from './volume-identity.js'

interface FormatOptions {
  readonly size?: string
  readonly logicalSize?: string
  readonly slabBits: string
  readonly udsMemorySize: string
  readonly udsSparse?: boolean
  readonly force?: boolean
  readonly uuid?: string
  readonly nonce?: string
  readonly verbose?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

export function formatCommand(name = 'format'): Command {
  return new Command(name)
    .description('make a VDO volume in a file or on a block device')
    .argument('<file>', 'file (created when --size is given) or block device')
    .option('--size <size>', 'size of the file, or how much of a block device to use (default unit M)')
    .option('-l, --logical-size <size>', 'size that clients see (default unit M); left out: what surely fits')
    .option('-S, --slab-bits <bits>', 'a slab has 2^bits blocks, 13 to 23', String(DEFAULT_SLAB_BITS))
    .option('-m, --uds-memory-size <GiB>', 'memory of the index: 0.25, 0.5, 0.75 or a whole number', '0.25')
    .option('-s, --uds-sparse', 'make the index sparse: ten times the reach in the same memory')
    .option('-f, --force', 'overwrite what is on the device')
    .option('--uuid <uuid>', 'UUID of the volume; left out: a random one')
    .addOption(new Option('--nonce <number>', 'nonce of the volume; left out: the time in microseconds'))
    .option('-v, --verbose', 'say more')
    .option('--dry-run', 'check everything, write nothing')
    .option('--json', 'print one JSON object')
    .action(async (path: string, options: FormatOptions) => {
      const outcome = await formatFile({
        path,
        sizeBytes: options.size === undefined ? undefined : parseSize(options.size, '--size'),
        logicalBytes:
          options.logicalSize === undefined ? undefined : parseSize(options.logicalSize, '--logical-size'),
        slabBits: parseSlabBits(options.slabBits),
        indexMemory: indexMemoryCode(parseNumber('--uds-memory-size', options.udsMemorySize)),
        indexSparse: options.udsSparse === true,
        nonce: options.nonce === undefined ? clockNonce() : parseNonce(options.nonce),
        uuid: options.uuid === undefined ? randomUuid() : parseUuid(options.uuid),
        force: options.force === true,
        dryRun: options.dryRun === true,
      })
      const text =
        options.json === true
          ? JSON.stringify(describe(path, outcome, options.dryRun === true))
          : tell(path, outcome, options).join('\n')
      process.stdout.write(`${text}\n`)
    })
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

function parseSlabBits(text: string): number {
  const bits = parseNumber('--slab-bits', text)
  if (Number.isInteger(bits) && bits >= MINIMUM_SLAB_BITS && bits <= MAXIMUM_SLAB_BITS) return bits
  throw badArgument('--slab-bits', text, `${MINIMUM_SLAB_BITS} to ${MAXIMUM_SLAB_BITS}`)
}

function parseNumber(option: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw badArgument(option, text, 'a number')
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

function badArgument(option: string, found: string, wanted: string): VdoError {
  return new VdoError('VDO_BAD_ARGUMENT', `${option} is "${found}", wanted ${wanted}`)
}

function uuidText(uuid: Uint8Array): string {
  return toHex(uuid).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
