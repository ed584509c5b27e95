/**
 * The arena: one shared memory, sized when the volume is opened, that never grows. Every thread lays the same
 * tables over it in the same order.
 */
import { Bump } from '../base/bump.js'
import { VdoError } from '../base/errors.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { Mesh } from '../reactor/mesh.js'
import { IndexArena } from '../uds/index-arena.js'
import { Boards } from '../vio/boards.js'
import { contextsPerZone, DedupeContexts } from '../vio/dedupe-contexts.js'
import { JournalLockTable } from '../vio/journal-locks.js'
import { ROW_WORDS } from '../vio/marks.js'
import { MetadataPools } from '../vio/metadata-pools.js'
import { PbnLockTable } from '../vio/pbn-locks.js'
import { VioTable } from '../vio/vio-table.js'
import type { Volume, ZoneCounts } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import { allZones } from './thread-plan.js'

/** The first bytes are the kernel module's own. */
const RESERVED_BYTES = 65536
export const WASM_PAGE_BYTES = 65536
/** What a WebAssembly memory can be. */
const LIMIT_BYTES = 4 * 1024 ** 3

export interface ArenaConfig {
  readonly shape: VolumeShape
  readonly volume: Volume
  readonly counts: ZoneCounts
  readonly threads: number
}

export class Arena {
  readonly pools: MetadataPools
  readonly vios: VioTable
  readonly pbnLocks: PbnLockTable
  readonly contexts: DedupeContexts
  readonly journalLocks: JournalLockTable
  readonly boards: Boards
  readonly mesh: Mesh
  /** One word a thread: the doorbell; a second: attention. On lines of their own. */
  readonly doorbells: Int32Array
  readonly pagesAt: number
  /** Null with an index in memory. */
  readonly index: IndexArena | null
  readonly bytes: Uint8Array
  readonly size: number
  private readonly counterRows: Float64Array

  constructor(buffer: ArrayBufferLike | null, config: ArenaConfig) {
    const { shape, volume, counts, threads } = config
    const bump = new Bump(buffer, RESERVED_BYTES)
    this.pools = new MetadataPools(shape, counts)
    this.vios = new VioTable(bump, shape.dataVios, this.pools.otherVios)
    this.pbnLocks = new PbnLockTable(bump, counts.physical * shape.pbnLocks)
    this.contexts = new DedupeContexts(bump, counts.hash * contextsPerZone(shape, counts))
    this.journalLocks = new JournalLockTable(bump, volume.journalBlocks)
    this.boards = new Boards(bump, counts.logical)
    this.mesh = new Mesh(bump, threads, ringCapacity(config))
    this.doorbells = bump.int32(threads * 32)
    this.counterRows = bump.float64(allZones(counts).length * ROW_WORDS)
    this.pagesAt = bump.blocks(shape.cachePages, BLOCK_SIZE)
    const { index, indexChapterRecords } = shape
    this.index = index === null ? null : new IndexArena(bump, index, counts.index, indexChapterRecords)
    this.size = bump.bytes
    this.bytes = buffer === null ? new Uint8Array(0) : new Uint8Array(buffer)
  }

  /** The counters and marks of one row (see zoneRow). */
  counters(row: number): Float64Array {
    return this.counterRows.subarray(row * ROW_WORDS, (row + 1) * ROW_WORDS)
  }

  /** Sums one counter or mark over all rows. */
  total(counter: number): number {
    let sum = 0
    for (let at = counter; at < this.counterRows.length; at += ROW_WORDS) sum += this.counterRows[at]
    return sum
  }
}

/** Bytes that an arena of this configuration takes; refused beyond what a shared memory can be. */
export function arenaBytes(config: ArenaConfig): number {
  const { size } = new Arena(null, config)
  if (size > LIMIT_BYTES) {
    throw new VdoError(
      'VDO_ARENA_TOO_LARGE',
      `Cannot lay out shared memory: this configuration takes ${size} bytes, at most ${LIMIT_BYTES} are possible`,
    )
  }
  return Math.ceil(size / WASM_PAGE_BYTES) * WASM_PAGE_BYTES
}

/** Words that can be on the way at once: each vio by its main, decrement, canceler and acknowledging messages. */
export function ringCapacity(config: ArenaConfig): number {
  const { shape, counts } = config
  const pools = new MetadataPools(shape, counts)
  const most = shape.dataVios * 4 + pools.otherVios + counts.hash * contextsPerZone(shape, counts) + 1024
  return 2 ** Math.ceil(Math.log2(most))
}
