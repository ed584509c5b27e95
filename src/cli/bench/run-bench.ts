/** `vdo bench`: rows of volumes and rows of the index by itself, as a table or as JSON. */
import { cpus } from 'node:os'
import { loadProfile } from '../../host/profile.js'
import { ExitStatus } from '../exit-status.js'
import { EngineBench, type EngineBenchOptions, engineTable } from './engine-bench.js'
import { indexTable, measureIndexes } from './index-bench.js'
import { indexCostTable } from './index-cost.js'
import { INDEX_ROWS, type IndexRowResult } from './index-rows.js'
import { ROWS } from './rows.js'

export interface BenchOptions extends EngineBenchOptions {
  readonly row?: readonly string[]
  /** Only the index part if true, without it if false; both if it is left out. */
  readonly index?: boolean
  readonly json?: boolean
}

export async function bench(options: BenchOptions): Promise<void> {
  // All of them, before the first is measured for minutes.
  for (const profile of options.threads) loadProfile(profile)
  const isWanted = (name: string): boolean => options.row?.some((word) => name.includes(word)) ?? true
  const rows = options.index === true ? [] : ROWS.filter(({ name }) => isWanted(name))
  const wantsIndex = options.index ?? Object.values(INDEX_ROWS).some(isWanted)
  const engine = new EngineBench(options, rows, tellIndexRow)
  if (rows.length > 0) await engine.run()
  const { results, costs } = engine
  const index = [...engine.index, ...(wantsIndex ? measureIndexes(options.indexChapters, tellIndexRow) : [])]
  const facts = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ ...facts, results, costs, index }, null, 1)}\n`
      : [
          `${facts.cores} × ${facts.cpu}, Node ${facts.node}`,
          ...(results.length > 0 ? [engineTable(results)] : []),
          ...(costs.length > 0 ? [indexCostTable(costs)] : []),
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
