/**
 * Measures one row at one depth: sweeps of the span until enough blocks and seconds have passed, each from the
 * first submission to the completion of a closing flush. The CPU time of all threads counts; the generator's own
 * share is measured apart on the same requests without an engine.
 */

import { VdoError } from '../../base/errors.js'
import { STATUS_FACTS, Status } from '../../base/status.js'
import type { ExportTarget } from '../../engine/export-target.js'
import type { VdoStatistics } from '../../engine/statistics.js'
import type { VdoVolume } from '../../host/open-volume.js'
import {
  BLOCK,
  freshContents,
  freshStamps,
  halve,
  type Issue,
  makeSlots,
  type Row,
  SPAN_BLOCKS,
  scatter,
  stamp,
  writeDuplicates,
} from './rows.js'

export interface Effort {
  /** A row counts from this many blocks and seconds on. */
  readonly blocks: number
  readonly seconds: number
}

export interface Measured {
  readonly row: string
  readonly depth: number
  readonly blocks: number
  readonly seconds: number
  readonly blocksPerSecond: number
  /** µs a block: all threads but the generator, and the generator. */
  readonly cpuPerBlock: number
  readonly generatorPerBlock: number
  /** µs from submission to answer. */
  readonly latency: {
    readonly p50: number
    readonly p99: number
    readonly p999: number
    readonly max: number
  }
  /** Requests to the index, or to the map, a block: names that were new, that were known, that were not and stay so. */
  readonly indexRequests: {
    readonly entered: number
    readonly found: number
    readonly missing: number
  }
  /** The share of blocks that the statistics confirm, and whether that is enough. */
  readonly proven: number
  readonly isProven: boolean
}

/** Runs what a row needs, a short warm-up, then the row. */
export async function measureRow(
  volume: VdoVolume,
  row: Row,
  depth: number,
  effort: Effort,
): Promise<Measured> {
  freshContents()
  for (const step of row.prepare) await prepare(volume, step)
  const slots = makeSlots(depth)
  const issue = row.issue(volume.target, slots)
  freshStamps()
  await sweep(volume, issue, depth, 0, Math.min(SPAN_BLOCKS, effort.blocks, 20_000), null)
  if (row.everySweep) for (const step of row.prepare) await prepare(volume, step)
  freshStamps()
  const latency = new Latency()
  const requests = { entered: 0, found: 0, missing: 0 }
  let confirmed = 0
  let blocks = 0
  let seconds = 0
  let cpu = 0
  while (blocks < effort.blocks || seconds < effort.seconds) {
    if (row.everySweep && blocks > 0) {
      for (const step of row.prepare) await prepare(volume, step)
      freshStamps()
    }
    const before = volume.statistics()
    const count = Math.min(SPAN_BLOCKS, effort.blocks)
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    await sweep(volume, issue, depth, blocks, count, latency)
    seconds += (performance.now() - start) / 1000
    const used = process.cpuUsage(cpuBefore)
    cpu += used.user + used.system
    blocks += count
    const after = volume.statistics()
    confirmed += row.proof(after) - row.proof(before)
    addRequests(requests, before.index, after.index)
  }
  const proven = confirmed / blocks
  const generatorPerBlock = generatorCost(row, depth)
  return {
    row: row.name,
    depth,
    blocks,
    seconds,
    blocksPerSecond: blocks / seconds,
    cpuPerBlock: cpu / blocks - generatorPerBlock,
    generatorPerBlock,
    latency: latency.summary(),
    indexRequests: {
      entered: requests.entered / blocks,
      found: requests.found / blocks,
      missing: requests.missing / blocks,
    },
    proven,
    isProven: proven >= row.share,
  }
}

/** Adds what the index was asked between two looks at the statistics. */
function addRequests(
  sum: { entered: number; found: number; missing: number },
  before: VdoStatistics['index'],
  after: VdoStatistics['index'],
): void {
  const enteredOf = (of: VdoStatistics['index']): number => of.postsNotFound + of.updatesNotFound
  const foundOf = (of: VdoStatistics['index']): number => of.postsFound + of.queriesFound + of.updatesFound
  sum.entered += enteredOf(after) - enteredOf(before)
  sum.found += foundOf(after) - foundOf(before)
  sum.missing += after.queriesNotFound - before.queriesNotFound
}

async function prepare(volume: VdoVolume, step: Row['prepare'][number]): Promise<void> {
  const slots = makeSlots(256)
  let issue: Issue
  if (step === 'fill distinct') issue = writeDuplicates(volume.target, slots)
  else {
    for (const slot of slots) slot.set(slots[0])
    if (step === 'fill packed') halve(slots)
    issue = (i, slot, done) => {
      stamp(slots[slot], i)
      volume.target.write(scatter(i) * BLOCK, slots[slot], false, done)
    }
  }
  freshStamps()
  await sweep(volume, issue, 256, 0, SPAN_BLOCKS, null)
}

/** `count` requests from number `first`, `depth` at a time, then a flush. */
async function sweep(
  { target }: Pick<VdoVolume, 'target'>,
  issue: Issue,
  depth: number,
  first: number,
  count: number,
  latency: Latency | null,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let next = 0
    let done = 0
    const started = new Float64Array(depth)
    const answers = Array.from({ length: depth }, (_, slot) => (status: Status) => {
      if (status !== Status.Success) {
        reject(
          new VdoError(
            STATUS_FACTS[status].code,
            `A request of the benchmark fails: ${STATUS_FACTS[status].sentence}`,
          ),
        )
        return
      }
      latency?.add(performance.now() - started[slot])
      done++
      if (next < count) submit(slot)
      else if (done === count) resolve()
    })
    const submit = (slot: number) => {
      if (latency !== null) started[slot] = performance.now()
      issue(first + next++, slot, answers[slot])
    }
    for (let slot = 0; slot < Math.min(depth, count); slot++) submit(slot)
  })
  await new Promise<void>((resolve) => target.flush(() => resolve()))
}

/** What the generator costs by itself: the same requests against nothing. */
function generatorCost(row: Row, depth: number): number {
  const target: ExportTarget = {
    sizeBytes: SPAN_BLOCKS * BLOCK,
    read: () => {},
    write: () => {},
    trim: () => {},
    zero: () => {},
    flush: () => {},
    forClient: () => target,
  }
  const issue = row.issue(target, makeSlots(depth))
  const latency = new Latency()
  const count = 200_000
  const done = () => {}
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) {
    const now = performance.now()
    issue(i, i % depth, done)
    latency.add(performance.now() - now)
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

/** A histogram of 64 steps an octave, in µs. */
class Latency {
  private readonly counts = new Uint32Array(64 * 32)
  private total = 0
  private most = 0

  add(ms: number): void {
    const us = ms * 1000
    this.total++
    if (us > this.most) this.most = us
    this.counts[Math.max(0, Math.min(this.counts.length - 1, Math.floor(Math.log2(us + 1) * 64)))]++
  }

  summary(): Measured['latency'] {
    return { p50: this.at(0.5), p99: this.at(0.99), p999: this.at(0.999), max: this.most }
  }

  private at(share: number): number {
    let left = this.total * share
    for (let i = 0; i < this.counts.length; i++) {
      left -= this.counts[i]
      if (left <= 0) return 2 ** ((i + 1) / 64) - 1
    }
    return this.most
  }
}
