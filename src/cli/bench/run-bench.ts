/** The speeds of every row, on memory and on a file, for each profile and depth; and of the index by itself. */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import Table from 'cli-table3'
import { createRamSegments } from '../../device/ram-device.js'
import { DEFAULT_INDEX_MEMORY } from '../../format/index-memory.js'
import { auditFile, auditMemory } from '../../host/audit-file.js'
import { formatMemory } from '../../host/carry-out-format.js'
import { formatFile } from '../../host/format-file.js'
import { openVolume } from '../../host/open-volume.js'
import { loadProfile } from '../../host/profile.js'
import type { AuditResult } from '../../repair/audit-report.js'
import { ExitStatus } from '../exit-status.js'
import { showProgress } from '../progress.js'
import { clockNonce, randomUuid } from '../volume-identity.js'
import { indexTable, measureIndexes } from './index-bench.js'
import { INDEX_ROWS, type IndexRowResult } from './index-rows.js'
import { type Measured, measureRow } from './measure.js'
import { BLOCK, ROWS, type Row, SPAN_BLOCKS } from './rows.js'

const GIB_BLOCKS = 262_144
/** What the index of 0.25 GB takes, in whole pieces of the store in memory. */
const INDEX_BLOCKS = 3 * GIB_BLOCKS
/** Room for the span twice over, because a scattered rewrite frees late. */
const PHYSICAL_BLOCKS = INDEX_BLOCKS + SPAN_BLOCKS * 2 + GIB_BLOCKS
const VOLUME = { slabBits: 17, indexMemory: DEFAULT_INDEX_MEMORY, indexSparse: false }

interface Result extends Measured {
  readonly store: string
  readonly profile: string
  readonly names: NameKeeper
  /** What the audit of the closed volume found wrong after any of the repeats. */
  readonly problems: number
}

/** Where volumes lie, one after another. */
interface BenchStore {
  readonly device: string | SharedArrayBuffer[]
  format(): Promise<void>
  /** How much the audit finds wrong with the volume, which is closed. */
  problems(): number
  remove(): void
}

/** What remembers names: the index, or a map in memory to see beside it what the index costs. */
export type NameKeeper = 'index' | 'map'

export interface BenchOptions {
  readonly store: readonly string[]
  readonly names: readonly NameKeeper[]
  readonly threads: readonly string[]
  readonly depth: readonly number[]
  readonly row?: readonly string[]
  readonly blocks: number
  readonly seconds: number
  readonly repeats: number
  /** Only the index part if true, without it if false; both if it is left out. */
  readonly index?: boolean
  readonly indexChapters: number
  readonly json?: boolean
}

export async function bench(options: BenchOptions): Promise<void> {
  // All of them, before the first is measured for minutes.
  for (const profile of options.threads) loadProfile(profile)
  const isWanted = (name: string): boolean => options.row?.some((word) => name.includes(word)) ?? true
  const rows = options.index === true ? [] : ROWS.filter(({ name }) => isWanted(name))
  const wantsIndex = options.index ?? Object.values(INDEX_ROWS).some(isWanted)
  const all =
    options.store.length * options.threads.length * rows.length * options.depth.length * options.names.length
  const progress = showProgress('Measuring')
  const results: Result[] = []
  const tell = (result: Result): void => {
    results.push(result)
    const what = `${result.store} ${result.profile} ${result.names} ${result.row}, depth ${result.depth}`
    progress.update(results.length, all, what)
    if (!process.stderr.isTTY) {
      process.stderr.write(`${what}: ${Math.round(result.blocksPerSecond)} blocks/s\n`)
    }
  }
  try {
    if (all > 0) progress.update(0, all)
    if (rows.length > 0) {
      for (const store of options.store) {
        for (const profile of options.threads) await runProfile(store, profile, rows, options, tell)
      }
    }
  } finally {
    progress.stop()
  }
  const index = wantsIndex ? measureIndexes(options.indexChapters, tellIndexRow) : []
  const facts = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ ...facts, results, index }, null, 1)}\n`
      : [
          `${facts.cores} × ${facts.cpu}, Node ${facts.node}`,
          ...(results.length > 0 ? [table(results)] : []),
          ...(index.length > 0 ? [indexTable(index)] : []),
          '',
        ].join('\n'),
  )
  const isSound = results.every((r) => r.isProven && r.problems === 0) && index.every((r) => r.isProven)
  if (!isSound) process.exitCode = ExitStatus.Failed
}

function tellIndexRow({ index, row, requestsPerSecond, cpuPerRequest }: IndexRowResult): void {
  process.stderr.write(
    `${index}, ${row}: ${Math.round(requestsPerSecond)} requests/s, ${cpuPerRequest.toFixed(2)} µs of CPU each\n`,
  )
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
        for (const names of options.names) {
          const tries: Measured[] = []
          let problems = 0
          for (let i = 0; i < options.repeats; i++) {
            await made.format()
            const shape = names === 'map' ? { index: null } : {}
            const volume = await openVolume({ device: made.device, threads: profile, shape })
            try {
              await volume.indexSettled()
              tries.push(await measureRow(volume, row, depth, options))
            } finally {
              await volume.close()
            }
            problems += made.problems()
          }
          tries.sort((a, b) => a.blocksPerSecond - b.blocksPerSecond)
          tell({ store, profile, names, problems, ...tries[Math.floor(tries.length / 2)] })
        }
      }
    }
  } finally {
    made.remove()
  }
}

function makeStore(kind: string): BenchStore {
  const identity = () => ({ nonce: clockNonce(), uuid: randomUuid() })
  if (kind === 'memory') {
    const device = createRamSegments(PHYSICAL_BLOCKS)
    // The machine hands pages out at their first touch; a store that holds data was touched before. The index in
    // front of the data is written at leisure.
    for (const segment of device.slice(INDEX_BLOCKS / GIB_BLOCKS)) new Uint8Array(segment).fill(1)
    return {
      device,
      format: async () => {
        formatMemory(device, {
          ...VOLUME,
          ...identity(),
          physicalBlocks: PHYSICAL_BLOCKS,
          logicalBlocks: SPAN_BLOCKS,
        })
      },
      problems: () => problemsOf(auditMemory(device)),
      remove: () => {},
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'uvdo-bench-'))
  const device = join(folder, 'bench.img')
  return {
    device,
    format: async () => {
      await formatFile({
        ...VOLUME,
        ...identity(),
        path: device,
        sizeBytes: PHYSICAL_BLOCKS * BLOCK,
        logicalBytes: SPAN_BLOCKS * BLOCK,
        force: true,
      })
    },
    problems: () => problemsOf(auditFile(device)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function problemsOf({ kindCounts }: AuditResult): number {
  return Object.values(kindCounts).reduce((sum, count) => sum + count, 0)
}

function table(results: readonly Result[]): string {
  const t = new Table({
    head: [
      'store',
      'profile',
      'names',
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
      r.names,
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
