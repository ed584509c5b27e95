/**
 * What the index costs a volume, row by row: the CPU time of a block with the index less that with a map in memory,
 * beside what the index's own requests cost when it is by itself. It may cost those and 1 µs a block more, for asking
 * it and hearing from it.
 */
import { type Column, tableOf } from '../columns.js'
import { INDEX_ROWS, type IndexRowResult } from './index-rows.js'
import type { Measured } from './measure.js'

/** µs a block that the way to the index and back may cost. */
const ALLOWED_BESIDE = 1

/** µs that the index itself takes for a request. */
export interface RequestCosts {
  readonly entered: number
  readonly found: number
  readonly missing: number
}

/** From rows of the index part: of an index that is full if it has turned over. */
export function requestCosts(results: readonly IndexRowResult[]): RequestCosts {
  const of = (row: string): number | undefined => results.find((result) => result.row === row)?.cpuPerRequest
  return {
    entered: of(INDEX_ROWS.turn) ?? of(INDEX_ROWS.fill) ?? 0,
    found: of(INDEX_ROWS.recent) ?? 0,
    missing: of(INDEX_ROWS.miss) ?? 0,
  }
}

/** In µs a block, but for the requests. */
export interface IndexCost {
  readonly withIndex: number
  readonly withMap: number
  readonly difference: number
  /** Requests to the index a block, and what they cost when the index is by itself. */
  readonly requestsPerBlock: number
  readonly own: number
  readonly allowed: number
  readonly isInside: boolean
}

/** The median of pairs that were measured one after the other. */
export function indexCost(
  pairs: readonly { readonly index: Measured; readonly map: Measured }[],
  costs: RequestCosts,
): IndexCost {
  const each = pairs.map(({ index, map }) => costOfPair(index, map, costs))
  each.sort((a, b) => a.difference - b.difference)
  return each[Math.floor(each.length / 2)]!
}

function costOfPair(index: Measured, map: Measured, costs: RequestCosts): IndexCost {
  const { entered, found, missing } = index.indexRequests
  const own = entered * costs.entered + found * costs.found + missing * costs.missing
  const difference = index.cpuPerBlock - map.cpuPerBlock
  const allowed = own + ALLOWED_BESIDE
  return {
    withIndex: index.cpuPerBlock,
    withMap: map.cpuPerBlock,
    difference,
    requestsPerBlock: entered + found + missing,
    own,
    allowed,
    isInside: difference <= allowed,
  }
}

/** An `IndexCost` and the row that it is of. */
export interface IndexCostRow extends IndexCost {
  readonly store: string
  readonly profile: string
  readonly names: string
  readonly row: string
  readonly depth: number
}

const COLUMNS: readonly Column<IndexCostRow>[] = [
  ['store', (r) => r.store],
  ['profile', (r) => r.profile],
  ['names', (r) => r.names],
  ['row', (r) => r.row],
  ['depth', (r) => r.depth],
  ['CPU µs', (r) => r.withIndex.toFixed(2)],
  ['with map', (r) => r.withMap.toFixed(2)],
  ['difference', (r) => r.difference.toFixed(2)],
  ['requests/block', (r) => r.requestsPerBlock.toFixed(2)],
  ['own µs', (r) => r.own.toFixed(2)],
  ['allowed µs', (r) => r.allowed.toFixed(2)],
  ['', (r) => (r.isInside ? 'inside' : 'outside !')],
]

export function indexCostTable(rows: readonly IndexCostRow[]): string {
  return tableOf(rows, COLUMNS)
}
