/** The index part of `vdo bench`: which indexes are measured, and the table of what was measured. */
import Table from 'cli-table3'
import { DEFAULT_INDEX_MEMORY } from '../../format/index-memory.js'
import { geometryOfMemory, type IndexGeometry } from '../../uds/geometry.js'
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

export function indexTable(results: readonly IndexRowResult[]): string {
  const table = new Table({
    head: [
      'index',
      'row',
      'requests/s',
      'CPU µs',
      'gen µs',
      'found',
      'false positives',
      'page reads',
      'rebalances',
      'overflows',
      'bytes/record',
    ],
    style: { head: [], border: [] },
  })
  for (const r of results) {
    table.push([
      r.index,
      r.row,
      Math.round(r.requestsPerSecond),
      r.cpuPerRequest.toFixed(2),
      r.generatorPerRequest.toFixed(3),
      `${(r.foundShare * 100).toFixed(2)} %${r.isProven ? '' : ' !'}`,
      r.requestsPerFalsePositive === 0 ? '0' : `1 in ${Math.round(r.requestsPerFalsePositive)}`,
      r.pageReads,
      r.rebalances,
      r.overflows,
      r.bytesPerRecord.toFixed(2),
    ])
  }
  return table.toString()
}
