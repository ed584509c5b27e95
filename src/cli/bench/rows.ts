/**
 * The rows of the benchmark: what each request is, what must be in place before, and how the statistics prove that
 * the row did what it claims. Content is noise from one template with a counter stamped into it, so that making a
 * block costs the generator next to nothing.
 */

import type { Status } from '../../base/status.js'
import type { ExportTarget } from '../../engine/export-target.js'
import type { VdoStatistics } from '../../engine/statistics.js'

export const BLOCK = 4096
/** Addressed span of every row: 2 GiB. */
export const SPAN_BLOCKS = 524_288
/** Distinct contents of the duplicate row; each is shared by eight blocks. */
const DISTINCT = 65_536
/** Noise in a 2:1 block, the rest zeros: LZ4 makes 1,938 bytes of it. */
const HALF_NOISE = 1_900

/** Makes and submits request `i` from the buffers of slot `slot`. */
export type Issue = (i: number, slot: number, done: (status: Status) => void) => void

export interface Row {
  readonly name: string
  /** Before the clock starts for a sweep of the span. */
  readonly prepare: readonly ('fill' | 'fill packed' | 'fill distinct')[]
  /** Prepared anew for every sweep, because the sweep uses it up. */
  readonly everySweep: boolean
  readonly issue: (target: ExportTarget, slots: Uint8Array[]) => Issue
  /** What must have grown, block for block; at least this share of the blocks. */
  readonly proof: (s: VdoStatistics) => number
  readonly share: number
}

/** A bijection of the span, so that neighbours in time are strangers on disk. */
export function scatter(i: number): number {
  return (i * 48_271 + 11) & (SPAN_BLOCKS - 1)
}

export function makeSlots(depth: number): Uint8Array[] {
  let state = 0x2545f491
  return Array.from({ length: depth }, () => {
    const bytes = new Uint8Array(BLOCK)
    const words = new Uint32Array(bytes.buffer)
    for (let w = 0; w < words.length; w++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[w] = state >>> 0
    }
    return bytes
  })
}

/** Turns the slots into 2:1 blocks. */
export function halve(slots: Uint8Array[]): Uint8Array[] {
  for (const slot of slots) slot.fill(0, HALF_NOISE)
  return slots
}

let stampHigh = 1

/** Numbers that no earlier run of this process has stamped. */
export function freshStamps(): void {
  stampHigh++
}

let contents = 0

/** Contents of the duplicate row that no earlier volume of this process had. */
export function freshContents(): void {
  contents++
}

export function stamp(bytes: Uint8Array, n: number): void {
  bytes[0] = n
  bytes[1] = n >>> 8
  bytes[2] = n >>> 16
  bytes[3] = n >>> 24
  bytes[4] = stampHigh
  bytes[5] = stampHigh >>> 8
}

/** All slots alike, so that only the stamp tells blocks apart. */
function alike(slots: Uint8Array[]): Uint8Array[] {
  for (const slot of slots) slot.set(slots[0])
  return slots
}

const write =
  (shape: (slots: Uint8Array[]) => Uint8Array[]): Row['issue'] =>
  (target, slots) => {
    const made = shape(slots)
    return (i, slot, done) => {
      stamp(made[slot], i)
      target.write(scatter(i % SPAN_BLOCKS) * BLOCK, made[slot], false, done)
    }
  }

const read: Row['issue'] = (target, slots) => (i, slot, done) => {
  target.read(scatter((i * 7919) % SPAN_BLOCKS) * BLOCK, slots[slot], done)
}

/** The distinct contents are the same in every sweep of a row, and in none of another. */
export function writeDuplicates(target: ExportTarget, slots: Uint8Array[]): Issue {
  const made = alike(slots)
  return (i, slot, done) => {
    const bytes = made[slot]
    const n = i % DISTINCT
    bytes[0] = n
    bytes[1] = n >>> 8
    bytes[2] = 0
    bytes[3] = 0
    bytes[4] = 0
    bytes[5] = 0
    bytes[6] = contents
    bytes[7] = contents >>> 8
    target.write(scatter(i % SPAN_BLOCKS) * BLOCK, bytes, false, done)
  }
}

export const ROWS: readonly Row[] = [
  {
    name: 'unique write',
    prepare: [],
    everySweep: false,
    issue: write(alike),
    proof: (s) => s.biosOut.write,
    share: 0.999,
  },
  {
    name: 'duplicate write',
    prepare: ['fill distinct'],
    everySweep: false,
    issue: writeDuplicates,
    proof: (s) => s.hashLock.dedupeAdviceValid + s.hashLock.concurrentDataMatches,
    share: 0.99,
  },
  {
    name: '2:1 write, packed',
    prepare: [],
    everySweep: false,
    issue: write((slots) => halve(alike(slots))),
    proof: (s) => s.packer.compressedFragmentsWritten,
    share: 0.97,
  },
  {
    name: 'random read',
    prepare: ['fill'],
    everySweep: false,
    issue: read,
    proof: (s) => s.biosOut.read,
    share: 0.999,
  },
  {
    name: 'compressed read',
    prepare: ['fill packed'],
    everySweep: false,
    issue: read,
    proof: (s) => s.biosOut.read,
    share: 0.999,
  },
  {
    name: 'trim',
    prepare: ['fill distinct'],
    everySweep: true,
    issue: (target) => (i, _slot, done) => target.trim(scatter(i % SPAN_BLOCKS) * BLOCK, BLOCK, false, done),
    proof: (s) => s.journal.entries.committed,
    share: 0.999,
  },
  {
    name: 'zero write',
    prepare: [],
    everySweep: false,
    issue: (target, slots) => {
      for (const slot of slots) slot.fill(0)
      return (i, slot, done) => target.write(scatter(i % SPAN_BLOCKS) * BLOCK, slots[slot], false, done)
    },
    proof: (s) => s.journal.entries.committed,
    share: 0.999,
  },
]
