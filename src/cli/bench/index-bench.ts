/** The index part of `vdo bench`: which indexes are measured, and the table of what was measured. */
import { DEFAULT_INDEX_MEMORY } from '../../format/index-memory.js'
import { geometryOfMemory, type IndexGeometry } from '../../uds/geometry.js'
import { type Column, tableOf } from '../columns.js'
import { type IndexRowResult, measureIndex } from './index-rows.js'
import { NameStream } from './name-stream.js'
import { VolumeIndexBench } from './volume-index-bench.js'
import { WholeIndexBench } from './whole-index-bench.js'

const SEED = 0x5eed

/** Measures each index, one after another so that only one needs memory. */
export function measureIndexes(
  chapters: number,
  report: (result: IndexRowResult) => void,
  geometry: IndexGeometry = geometryOfMemory(DEFAULT_INDEX_MEMORY, false),
): IndexRowResult[] {
  const results: IndexRowResult[] = []
  for (const make of [() => new VolumeIndexBench(geometry), () => new WholeIndexBench(geometry)]) {
    measureIndex(make(), new NameStream(SEED), chapters, (result) => {
      results.push(result)
      report(result)
    })
  }
  return results
}

/** Measures an index that stays far from full, for rows of volumes whose index is as new. */
export function measureYoung(
  chapters: number,
  report: (result: IndexRowResult) => void,
  geometry: IndexGeometry,
): void {
  const index = new WholeIndexBench(geometry, 'young index')
  measureIndex(index, new NameStream(SEED), chapters, report, chapters)
}

const COLUMNS: readonly Column<IndexRowResult>[] = [
  ['index', (r) => r.index],
  ['row', (r) => r.row],
  ['requests/s', (r) => Math.round(r.requestsPerSecond)],
  ['CPU µs', (r) => r.cpuPerRequest.toFixed(2)],
  ['gen µs', (r) => r.generatorPerRequest.toFixed(3)],
  ['found', (r) => `${(r.foundShare * 100).toFixed(2)} %${r.isProven ? '' : ' !'}`],
  [
    'false positives',
    (r) => (r.requestsPerFalsePositive === 0 ? '0' : `1 in ${Math.round(r.requestsPerFalsePositive)}`),
  ],
  ['page reads', (r) => r.pageReads],
  ['rebalances', (r) => r.rebalances],
  ['overflows', (r) => r.overflows],
  ['bytes/record', (r) => r.bytesPerRecord.toFixed(2)],
]

export function indexTable(results: readonly IndexRowResult[]): string {
  return tableOf(results, COLUMNS)
}
