/** `vdo bench`: the speeds of every row, on memory and on a file, for each profile and depth. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import Table from 'cli-table3'
import { Command } from 'commander'
import { createRamSegments } from '../device/ram-device.js'
import { planFormat } from '../format/volume-format.js'
import { auditFile, auditMemory } from '../host/audit-file.js'
import { closeBackingFile, openBackingFile } from '../host/backing-file.js'
import { openVolume } from '../host/open-volume.js'
import { BUILT_IN_PROFILES, loadProfile } from '../host/profile.js'
import type { AuditResult } from '../repair/audit-report.js'
import { badArgument, decimalNumber, listOf, oneOf, wholeNumber } from './arguments.js'
import { type Measured, measureRow } from './bench/measure.js'
import { BLOCK, ROWS, type Row, SPAN_BLOCKS } from './bench/rows.js'
import { ExitStatus } from './exit-status.js'
import { showProgress } from './progress.js'

/** Room for the span twice over, because a scattered rewrite frees late. */
const PHYSICAL_BLOCKS = SPAN_BLOCKS * 2 + 262_144
const INDEX_BLOCKS = 64
const SLAB_BITS = 17

interface Result extends Measured {
  readonly store: string
  readonly profile: string
  /** What the audit of the closed volume found wrong after any of the repeats. */
  readonly problems: number
}

/** Where volumes lie, one after another. */
interface BenchStore {
  readonly device: string | SharedArrayBuffer[]
  format(): void
  /** How much the audit finds wrong with the volume, which is closed. */
  problems(): number
  remove(): void
}

interface BenchOptions {
  readonly store: readonly string[]
  readonly threads: readonly string[]
  readonly depth: readonly number[]
  readonly row?: readonly string[]
  readonly blocks: number
  readonly seconds: number
  readonly repeats: number
  readonly json?: boolean
}

const STORES = ['memory', 'file'] as const
/** More requests than vios wait in the front end: a deeper queue measures the wait. */
const MAXIMUM_DEPTH = 2048

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure blocks a second, CPU a block and latency of every kind of request')
    .option(
      '--store <kinds>',
      'memory, file (in the folder for temporary files), or both',
      listOf('--store', oneOf('--store', STORES)),
      ['memory', 'file'],
    )
    .option(
      '--threads <profiles>',
      `thread profiles: ${BUILT_IN_PROFILES.join(', ')}, or YAML files`,
      listOf('--threads', (text) => text),
      ['tiny', 'default'],
    )
    .option(
      '--depth <depths>',
      `requests in flight, 1 to ${MAXIMUM_DEPTH}`,
      listOf('--depth', wholeNumber('--depth', 1, MAXIMUM_DEPTH)),
      [1, 16, 256],
    )
    .option(
      '--row <names>',
      `rows whose name contains one of these words: ${ROWS.map((r) => r.name).join('; ')} (default: all)`,
      listOf('--row', knownRow),
    )
    .option(
      '--blocks <n>',
      'at least this many blocks a row, 1 to 1000000000; below 500000 a row is only a hint',
      wholeNumber('--blocks', 1, 1e9),
      500_000,
    )
    .option(
      '--seconds <n>',
      'at least this many seconds a row, 0 to 3600; below 5 a row is only a hint',
      decimalNumber('--seconds', 0, 3600),
      5,
    )
    .option(
      '--repeats <n>',
      'how often each row is measured, 1 to 100; the median counts',
      wholeNumber('--repeats', 1, 100),
      1,
    )
    .option('--json', 'print one JSON object')
    .action((options: BenchOptions) => bench(options))
}

function knownRow(word: string): string {
  if (ROWS.some(({ name }) => name.includes(word))) return word
  throw badArgument('--row', word, `a word of ${ROWS.map(({ name }) => name).join('; ')}`)
}

async function bench(options: BenchOptions): Promise<void> {
  // All of them, before the first is measured for minutes.
  for (const profile of options.threads) loadProfile(profile)
  const rows = ROWS.filter(({ name }) => options.row?.some((word) => name.includes(word)) ?? true)
  const all = options.store.length * options.threads.length * rows.length * options.depth.length
  const progress = showProgress('Measuring')
  const results: Result[] = []
  const tell = (result: Result): void => {
    results.push(result)
    const what = `${result.store} ${result.profile} ${result.row}, depth ${result.depth}`
    progress.update(results.length, all, what)
    if (!process.stderr.isTTY) {
      process.stderr.write(`${what}: ${Math.round(result.blocksPerSecond)} blocks/s\n`)
    }
  }
  try {
    progress.update(0, all)
    for (const store of options.store) {
      for (const profile of options.threads) await runProfile(store, profile, rows, options, tell)
    }
  } finally {
    progress.stop()
  }
  const facts = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ ...facts, results }, null, 1)}\n`
      : `${facts.cores} × ${facts.cpu}, Node ${facts.node}\n${table(results)}\n`,
  )
  if (results.some((r) => !r.isProven || r.problems > 0)) process.exitCode = ExitStatus.Failed
}

/** One volume, all rows and depths. */
async function runProfile(
  store: string,
  profile: string,
  rows: readonly Row[],
  options: BenchOptions,
  tell: (result: Result) => void,
): Promise<void> {
  const made = makeStore(store)
  try {
    for (const row of rows) {
      for (const depth of options.depth) {
        const tries: Measured[] = []
        let problems = 0
        for (let i = 0; i < options.repeats; i++) {
          made.format()
          const volume = await openVolume({ device: made.device, threads: profile })
          try {
            tries.push(await measureRow(volume, row, depth, options))
          } finally {
            await volume.close()
          }
          problems += made.problems()
        }
        tries.sort((a, b) => a.blocksPerSecond - b.blocksPerSecond)
        tell({ store, profile, problems, ...tries[Math.floor(tries.length / 2)] })
      }
    }
  } finally {
    made.remove()
  }
}

function makeStore(kind: string): BenchStore {
  const plan = () =>
    planFormat(
      {
        physicalBlocks: PHYSICAL_BLOCKS,
        logicalBlocks: SPAN_BLOCKS,
        slabBits: SLAB_BITS,
        indexMemory: -256,
        indexSparse: false,
        nonce: BigInt(`0x${randomBytes(7).toString('hex')}1`),
        uuid: randomBytes(16),
        indexBlocks: INDEX_BLOCKS,
      },
      crc32,
    )
  if (kind === 'memory') {
    const device = createRamSegments(PHYSICAL_BLOCKS)
    // The machine hands pages out at their first touch; a store that holds data was touched before.
    for (const segment of device) new Uint8Array(segment).fill(1)
    const put = (block: number, bytes: Uint8Array | undefined) => {
      const perSegment = device[0].byteLength / BLOCK
      const view = new Uint8Array(device[Math.floor(block / perSegment)], (block % perSegment) * BLOCK, BLOCK)
      if (bytes === undefined) view.fill(0)
      else view.set(bytes)
    }
    return {
      device,
      format: () => eachBlock(plan().writes, put),
      problems: () => problemsOf(auditMemory(device)),
      remove: () => {},
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'uvdo-bench-'))
  const device = join(folder, 'bench.img')
  return {
    device,
    format: () => {
      const file = openBackingFile(device, { createBlocks: PHYSICAL_BLOCKS })
      const zeros = new Uint8Array(BLOCK)
      eachBlock(plan().writes, (block, bytes) => {
        writeSync(file.descriptor, bytes ?? zeros, 0, BLOCK, block * BLOCK)
      })
      closeBackingFile(file)
    },
    problems: () => problemsOf(auditFile(device)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function problemsOf({ kindCounts }: AuditResult): number {
  return Object.values(kindCounts).reduce((sum, count) => sum + count, 0)
}

function eachBlock(
  writes: readonly { readonly pbn: number; readonly blockCount: number; readonly bytes?: Uint8Array }[],
  put: (block: number, bytes: Uint8Array | undefined) => void,
): void {
  for (const { pbn, blockCount, bytes } of writes) {
    for (let i = 0; i < blockCount; i++) put(pbn + i, bytes?.subarray(i * BLOCK, (i + 1) * BLOCK))
  }
}

function table(results: readonly Result[]): string {
  const t = new Table({
    head: [
      'store',
      'profile',
      'row',
      'depth',
      'blocks/s',
      'CPU µs',
      'gen µs',
      'p50 µs',
      'p99 µs',
      'p99.9 µs',
      'proven',
      'audit',
    ],
    style: { head: [], border: [] },
  })
  for (const r of results) {
    t.push([
      r.store,
      r.profile,
      r.row,
      r.depth,
      Math.round(r.blocksPerSecond),
      r.cpuPerBlock.toFixed(1),
      r.generatorPerBlock.toFixed(2),
      Math.round(r.latency.p50),
      Math.round(r.latency.p99),
      Math.round(r.latency.p999),
      `${(r.proven * 100).toFixed(1)} %${r.isProven ? '' : ' !'}`,
      r.problems === 0 ? 'clean' : `${r.problems} !`,
    ])
  }
  return t.toString()
}
