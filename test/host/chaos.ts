/**
 * What the tests share that put the engine on real threads under load: profiles drawn from a seed, random clients
 * whose reads an oracle checks, and an audit of the store that a closed volume left.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Prng } from '../../src/base/prng.js'
import type { Status } from '../../src/base/status.js'
import type { Completion, ExportTarget } from '../../src/engine/export-target.js'
import { auditFile, auditMemory } from '../../src/host/audit-file.js'
import { type OpenOptions, openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import type { AuditResult } from '../../src/repair/audit-report.js'
import { Oracle } from '../../src/sim/oracle.js'
import { Workload } from '../../src/sim/workload.js'
import type { ZoneCounts } from '../../src/vio/volume.js'
import { useVolume } from './use-volume.js'

export const BLOCK = 4096
export const MIB = 2 ** 20
export const GIB = 2 ** 30

export type TestDevice = string | readonly SharedArrayBuffer[]

/** Draws how many zones of each kind a profile has. */
export function drawCounts(prng: Prng): ZoneCounts {
  return {
    logical: prng.between(1, 6),
    physical: prng.between(1, 4),
    hash: prng.between(1, 6),
    cpu: prng.between(1, 3),
    bio: prng.between(1, 3),
    index: prng.between(1, 2),
  }
}

/** Writes a profile in which zones are dealt at random to a random count of threads; gives its path. */
export function drawProfile(prng: Prng, folder: string, zones = drawCounts(prng), mostThreads = 9): string {
  const names = ['admin', 'journal', 'packer', 'flush']
  for (const [room, count] of Object.entries(zones)) {
    for (let zone = 0; zone < count; zone++) names.push(`${room}.${zone}`)
  }
  const count = prng.between(1, Math.min(mostThreads, names.length))
  const threads: string[][] = Array.from({ length: count }, () => [])
  // One for each thread first, so that none is empty.
  for (let left = names.length; left > 0; left--) {
    const [name] = names.splice(prng.below(left), 1)
    const thread = threads.find((zonesOf) => zonesOf.length === 0) ?? prng.pick(threads)
    thread.push(name)
  }
  const lines = threads.map((zonesOf, i) => `  drawn${i}: [${zonesOf.join(', ')}]`)
  const path = join(folder, `profile-${prng.u32()}.yaml`)
  const counts = Object.entries(zones).map(([room, zonesOf]) => `${room}: ${zonesOf}`)
  writeFileSync(path, `zones: { ${counts.join(', ')} }\nthreads:\n${lines.join('\n')}\n`)
  return path
}

/** Catches what a completion throws, which would otherwise count as a failure of the engine's front end. */
class Listening implements ExportTarget {
  failure: unknown = null

  constructor(
    private readonly target: ExportTarget,
    private readonly onAnswer: () => void,
  ) {}

  get sizeBytes(): number {
    return this.target.sizeBytes
  }
  read(offset: number, into: Uint8Array, done: Completion): void {
    this.target.read(offset, into, this.heard(done))
  }
  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.target.write(offset, bytes, fua, this.heard(done))
  }
  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.trim(offset, length, fua, this.heard(done))
  }
  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.zero(offset, length, fua, this.heard(done))
  }
  flush(done: Completion): void {
    this.target.flush(this.heard(done))
  }
  forClient(): ExportTarget {
    return this
  }

  private heard(done: Completion): Completion {
    return (status: Status) => {
      try {
        done(status)
      } catch (error) {
        this.failure ??= error
      }
      this.onAnswer()
    }
  }
}

export interface Work {
  /** In all; clients that wait for a strike make as many as it takes. */
  readonly requests: number
  /** Requests in flight, of each client. */
  readonly depth: number
  /** What happens once so many were answered in all: nothing new is asked then, and what is in flight may fail. */
  readonly strike?: { readonly after: number; readonly act: () => void }
}

/** Clients that each keep `depth` random requests in flight until `requests` were made in all. */
export async function work(
  volume: VdoVolume,
  prng: Prng,
  oracle: Oracle,
  { clients = 1, ...work }: Work & { readonly clients?: number },
): Promise<void> {
  const targets = Array.from({ length: clients }, () => volume.target.forClient())
  await workOn(targets, prng, oracle, work)
}

/** As `work`, a client for each target. */
export async function workOn(
  targets: readonly ExportTarget[],
  prng: Prng,
  oracle: Oracle,
  { requests, depth, strike }: Work,
): Promise<void> {
  const share = Math.ceil(requests / targets.length)
  const watch = new Watch(strike)
  const ended = targets.map((target) => workAlone(target, prng.fork(), oracle, share, depth, watch))
  // All of them, so that none works on when the first failure is told.
  const outcomes = await Promise.allSettled(ended)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** Counts what all clients hear, and strikes. */
class Watch {
  hasStruck = false
  private heard = 0

  constructor(private readonly strike: Work['strike']) {}

  answered(): void {
    if (++this.heard !== this.strike?.after) return
    this.hasStruck = true
    this.strike.act()
  }
}

async function workAlone(
  client: ExportTarget,
  prng: Prng,
  oracle: Oracle,
  requests: number,
  depth: number,
  watch: Watch,
): Promise<void> {
  let wake = (): void => {}
  const target = new Listening(client, () => {
    watch.answered()
    wake()
  })
  const workload = new Workload(target, prng, oracle, depth, () => watch.hasStruck)
  for (let issued = 0; (issued < requests && !watch.hasStruck) || workload.inFlight > 0; ) {
    if (target.failure !== null) throw target.failure
    while (issued < requests && !watch.hasStruck && workload.inFlight < depth) {
      workload.issue()
      issued++
    }
    if (workload.inFlight === 0) continue
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  if (target.failure !== null) throw target.failure
}

/** A life of a volume: it is opened and read back, random clients work on it, it is closed and audited. */
export async function live(
  options: OpenOptions,
  prng: Prng,
  oracle: Oracle,
  requests: number,
): Promise<void> {
  const volume = await openVolume(options)
  await useVolume(volume, async () => {
    await readAllBack(volume, oracle)
    const depth = prng.pick([1, 17, 256, 3000])
    await work(volume, prng.fork(), oracle, { requests, depth, clients: prng.pick([1, 3, 10]) })
  })
  auditClosed(options.device, volume.statistics())
}

/** What can be read back: a volume, or what a server makes of one. */
export interface Readable {
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Reads every block that was ever written and lets the oracle judge. */
export async function readAllBack(volume: Readable, oracle: Oracle): Promise<void> {
  await readRuns(oracle.writtenBlocks(), async (first, count) => {
    const read = oracle.beginRead(first * BLOCK, count * BLOCK)
    const complaint = oracle.endRead(read, await volume.read(first * BLOCK, count * BLOCK))
    if (complaint !== null) throw new Error(complaint)
  })
}

/**
 * Reads every block that was ever written and lets the oracle judge whether a crash may have left that. What a block
 * holds is settled then, if `settles`: clients go on from there.
 */
export async function judgeCrashed(volume: Readable, oracle: Oracle, settles = false): Promise<void> {
  await readRuns(oracle.writtenBlocks(), async (first, count) => {
    const bytes = await volume.read(first * BLOCK, count * BLOCK)
    for (let i = 0; i < count; i++) {
      const found = bytes.subarray(i * BLOCK, (i + 1) * BLOCK)
      const complaint = oracle.judgeCrash(first + i, found)
      if (complaint !== null) throw new Error(`after a crash ${complaint}`)
      if (settles) oracle.settle(first + i, found)
    }
  })
}

/** Blocks in a row, and rows at once. */
const LONGEST_RUN = 64
const RUNS = 64

/** Hands over ascending blocks as runs of neighbours, some at a time. */
async function readRuns(
  blocks: readonly number[],
  read: (first: number, count: number) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < blocks.length; ) {
    const reads: Promise<void>[] = []
    while (at < blocks.length && reads.length < RUNS) {
      const first = blocks[at]
      let count = 1
      while (count < LONGEST_RUN && blocks[at + count] === first + count) count++
      at += count
      reads.push(read(first, count))
    }
    await Promise.all(reads)
  }
}

/** What a closed volume's statistics must agree with. */
export interface Usage {
  readonly logicalBlocksUsed: number
  readonly dataBlocksUsed: number
}

/** Throws with the first problems unless the store is consistent and uses what the statistics said. */
export function auditClosed(device: TestDevice, usage?: Usage): AuditResult {
  const result = typeof device === 'string' ? auditFile(device) : auditMemory(device)
  const { problems, problemCounts, totals } = result
  if (!result.consistent) {
    const first = problems.slice(0, 10).map(({ sentence }) => sentence)
    throw new Error(`The audit finds ${JSON.stringify(problemCounts)}:\n${first.join('\n')}`)
  }
  if (usage === undefined) return result
  if (usage.logicalBlocksUsed !== totals.logicalBlocksUsed || usage.dataBlocksUsed !== totals.dataBlocks) {
    throw new Error(
      `The statistics say ${usage.logicalBlocksUsed} logical and ${usage.dataBlocksUsed} data blocks, ` +
        `the audit finds ${totals.logicalBlocksUsed} and ${totals.dataBlocks}`,
    )
  }
  return result
}
