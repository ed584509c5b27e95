/**
 * A bench for one room: an arena of small sizes, a context for the zone under test, and a post that keeps what the
 * zone sends instead of delivering it, so that a test is a short dialogue of messages.
 */

import { Arena, arenaBytes } from '../../src/engine/arena.js'
import { zoneRow } from '../../src/engine/thread-plan.js'
import { createNative, loadKernelModule } from '../../src/host/native.js'
import type { Post } from '../../src/reactor/zone.js'
import { hop, opOfHop, type Room, zoneOfHop } from '../../src/vio/opcodes.js'
import { Placement } from '../../src/vio/placement.js'
import { LoadKind, type Volume, type ZoneCounts } from '../../src/vio/volume.js'
import { VDO_SHAPE, type VolumeShape } from '../../src/vio/volume-shape.js'
import type { ZoneContext } from '../../src/vio/zone-context.js'

export interface Sent {
  readonly op: number
  readonly zone: number
  readonly operand: number
}

export interface Timer extends Sent {
  readonly at: number
}

export const SMALL_SHAPE: VolumeShape = {
  ...VDO_SHAPE,
  dataVios: 64,
  discardVios: 48,
  flushVios: 4,
  maxDiscardBlocks: 16,
  cachePages: 32,
  blockMapVios: 8,
  allocatorVios: 16,
  repairVios: 4,
  pbnLocks: 128,
  dedupeContexts: 64,
  blockMapAge: 8,
  index: null,
  indexNames: 256,
}

export const ONE_OF_EACH: ZoneCounts = { logical: 1, physical: 1, hash: 1, cpu: 1, bio: 1, index: 1 }

/** Eight slabs of 2^10 blocks, a journal of 64 blocks; nothing but arithmetic, there is no disk behind it. */
export const SMALL_VOLUME: Volume = {
  nonceLow: 0x1234_5678,
  nonceHigh: 0x9abc_def0,
  bioOffset: 0,
  logicalBlocks: 100_000,
  physicalBlocks: 100 + 8 * 1024 + 64 + 64,
  superBlockPbn: 39,
  rootOrigin: 40,
  rootCount: 60,
  journalOrigin: 100 + 8 * 1024,
  journalBlocks: 64,
  journalStart: 1,
  recoveryCount: 0,
  completeRecoveries: 0,
  readOnlyRecoveries: 0,
  depotOrigin: 100,
  slabCount: 8,
  slabBlocks: 1024,
  slabDataBlocks: 799,
  slabReferenceBlocks: 1,
  slabJournalBlocks: 224,
  slabJournalFlushing: 168,
  slabJournalBlocking: 208,
  slabJournalScrubbing: 222,
  summaryOrigin: 100 + 8 * 1024 + 64,
  savedPhysicalZones: 0,
  isNew: true,
  load: LoadKind.Normal,
  logicalBlocksUsed: 0,
  blockMapDataBlocks: 0,
}

export class Bench implements Post {
  nowMs = 0
  readonly sent: Sent[] = []
  readonly timers: Timer[] = []
  readonly arena: Arena
  readonly memory: WebAssembly.Memory

  private constructor(
    readonly shape: VolumeShape,
    readonly volume: Volume,
    readonly counts: ZoneCounts,
    private readonly module: WebAssembly.Module,
  ) {
    const config = { shape, volume, counts, threads: 1 }
    const pages = arenaBytes(config) / 65536
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    this.arena = new Arena(this.memory.buffer, config)
  }

  static async make(shape = SMALL_SHAPE, volume = SMALL_VOLUME, counts = ONE_OF_EACH): Promise<Bench> {
    return new Bench(shape, volume, counts, await loadKernelModule())
  }

  context(room: Room, zone = 0): ZoneContext {
    const { arena, volume, counts, shape } = this
    return {
      zone,
      post: this,
      vios: arena.vios,
      pools: arena.pools,
      shape,
      volume,
      counts,
      placement: new Placement(volume, counts),
      native: createNative(this.memory, this.module),
      arena: arena.bytes,
      counters: arena.counters(zoneRow(counts, { room, zone })),
      boards: arena.boards,
      pbnLocks: arena.pbnLocks,
      contexts: arena.contexts,
      journalLocks: arena.journalLocks,
      pagesAt: arena.pagesAt,
    }
  }

  send(h: number, operand: number): void {
    this.sent.push({ op: opOfHop(h), zone: zoneOfHop(h), operand })
  }

  sendAt(at: number, h: number, operand: number): void {
    this.timers.push({ at, op: opOfHop(h), zone: zoneOfHop(h), operand })
  }

  /** Takes the oldest message with this opcode, or throws naming what was sent instead. */
  expect(op: number): Sent {
    const at = this.sent.findIndex((s) => s.op === op)
    if (at < 0)
      throw new Error(`no message ${op}; sent: ${this.sent.map((s) => `${s.op}(${s.operand})`).join(' ')}`)
    return this.sent.splice(at, 1)[0]
  }

  /** Takes everything that was sent. */
  takeAll(): Sent[] {
    return this.sent.splice(0)
  }
}

export { hop }
