/**
 * A small world around hash zones: real cpu, packer and index zones, a disk in memory, and one plain stand-in for
 * the logical and physical zones that keeps the promises of both. Messages are delivered in any order. Whenever a
 * write is mapped, the world looks at the disk: the place must hold the write's data, and take one reference more.
 */
import { assert } from '../../../src/base/assert.js'
import {
  type Lbn,
  NO_VIO,
  type Pbn,
  pbn,
  type VioIndex,
  vioIndex,
  ZERO_BLOCK,
} from '../../../src/base/ids.js'
import type { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { findFragment, readFragmentSize } from '../../../src/format/compressed-block.js'
import type { Zone } from '../../../src/reactor/zone.js'
import { MemoryIndexZone } from '../../../src/uds/memory-index-zone.js'
import { IndexStage } from '../../../src/vio/boards.js'
import { afterAllocationLock, toCleanup } from '../../../src/vio/cleanup-path.js'
import { cancelCompression, resetCompression } from '../../../src/vio/compression.js'
import { Counter } from '../../../src/vio/counters.js'
import type { Mark } from '../../../src/vio/marks.js'
import {
  AdminOp,
  BioOp,
  FrontOp,
  HashOp,
  type Hop,
  hop,
  LogicalOp,
  opOfHop,
  PackerOp,
  PhysicalOp,
  Room,
  roomOfHop,
} from '../../../src/vio/opcodes.js'
import { MappingState, VioFlag, type VioTable } from '../../../src/vio/vio-table.js'
import {
  afterDuplicateLock,
  afterDuplicateUnlock,
  afterNaming,
  afterWrite,
  toPlainWrite,
} from '../../../src/vio/write-path.js'
import type { ZoneContext } from '../../../src/vio/zone-context.js'
import { CpuZone } from '../../../src/zones/cpu/cpu-zone.js'
import { HashZone } from '../../../src/zones/hash/hash-zone.js'
import { PackerZone } from '../../../src/zones/packer/packer-zone.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

interface PbnLock {
  readonly row: number
  isRead: boolean
  holders: number
  isProvisional: boolean
}

const SHAPE = {
  ...SMALL_SHAPE,
  packerBins: 2,
  packerSlots: 4,
  dedupeContexts: 2,
  queryTimeoutMs: 50,
  indexNames: 30,
  maximumReferences: 5,
}
const COUNTS = { ...ONE_OF_EACH, hash: 2 }
const LBNS = 24
const BLOCKS = 70
const FIRST_BLOCK = 200
/** Vios that only ever cancel. */
const CANCELERS = 8

export class SharingWorld {
  readonly counters = (counter: Counter | Mark) => this.bench.arena.total(counter)
  readonly vios: VioTable
  private readonly context: ZoneContext
  private readonly zones = new Map<number, Zone>()
  private readonly disk = new Map<Pbn, Uint8Array>()
  private readonly references = new Map<Pbn, number>()
  private readonly locks = new Map<Pbn, PbnLock>()
  private readonly map = new Map<Lbn, { pbn: Pbn; state: number }>()
  private readonly idle: VioIndex[] = []
  private readonly idleCancelers: VioIndex[] = []
  private readonly freeRows: number[] = []
  private readonly busyLbns = new Set<Lbn>()
  failures = 0
  writes = 0

  constructor(
    private readonly bench: Bench,
    private readonly prng: Prng,
  ) {
    this.context = bench.context(Room.Front)
    this.vios = this.context.vios
    for (let zone = 0; zone < COUNTS.hash; zone++)
      this.host(Room.Hash, zone, new HashZone(bench.context(Room.Hash, zone)))
    this.host(Room.Cpu, 0, new CpuZone(bench.context(Room.Cpu)))
    this.host(Room.Packer, 0, new PackerZone(bench.context(Room.Packer)))
    this.host(Room.Index, 0, new MemoryIndexZone(bench.context(Room.Index)))
    for (let row = 0; row < SHAPE.dataVios; row++) {
      ;(row < CANCELERS ? this.idleCancelers : this.idle).push(vioIndex(row))
    }
    for (let row = 0; row < SHAPE.pbnLocks; row++) this.freeRows.push(row)
    bench.arena.boards.deduplicating = true
    bench.arena.boards.indexStage = IndexStage.Open
    bench.arena.boards.compressing = true
  }

  static async make(prng: Prng): Promise<SharingWorld> {
    return new SharingWorld(await Bench.make(SHAPE, SMALL_VOLUME, COUNTS), prng)
  }

  /** One thing happens. */
  step(): void {
    const dice = this.prng.below(100)
    if (dice < 12) this.launch()
    else if (dice < 13) this.cancel()
    else if (dice < 14) this.passTime()
    else if (dice === 14 && this.prng.chance(0.1)) this.closeGeneration()
    else this.deliver()
  }

  /** Everything comes home; then nothing may be left anywhere. */
  settle(): void {
    this.send(hop(PackerOp.LetGo, 0), 0)
    let steps = 0
    while (this.deliver()) assert(++steps < 100_000, 'the world comes to rest')
    for (const timer of this.bench.timers.splice(0)) {
      this.bench.nowMs = Math.max(this.bench.nowMs, timer.at)
      this.zones
        .get(timer.op === HashOp.QueryDeadline ? roomZone(Room.Hash, timer.zone) : -1)!
        .receive(timer.op, 0)
      while (this.deliver());
    }
    assert(this.idle.length === SHAPE.dataVios - CANCELERS, 'every vio is home')
    assert(this.idleCancelers.length === CANCELERS, 'every eviction was made')
    assert(this.locks.size === 0, 'every pbn lock was given back')
    for (let zone = 0; zone < COUNTS.hash; zone++) {
      const { locks } = this.zones.get(roomZone(Room.Hash, zone)) as unknown as { locks: { size: number } }
      assert(locks.size === 0, 'every hash lock is back in its pool')
    }
    const counted = new Map<Pbn, number>()
    for (const { pbn } of this.map.values()) counted.set(pbn, (counted.get(pbn) ?? 0) + 1)
    for (const [pbn, count] of this.references) {
      assert(count === (counted.get(pbn) ?? 0), 'a block has as many references as lead to it')
    }
    this.send(hop(PackerOp.Administer, 0), 0)
    this.deliver()
    this.bench.expect(AdminOp.PhaseDone)
  }

  private host(room: Room, zone: number, occupant: Zone): void {
    this.zones.set(roomZone(room, zone), occupant)
  }

  private send(h: Hop, operand: number): void {
    this.bench.send(h, operand)
  }

  private deliver(): boolean {
    const { sent } = this.bench
    if (sent.length === 0) return false
    const [{ op, zone, operand }] = sent.splice(this.prng.below(sent.length), 1)
    const room = roomOfHop(hop(op, zone))
    const occupant = this.zones.get(roomZone(room, zone))
    const evicted = op === PackerOp.Evict && operand < CANCELERS ? vioIndex(operand) : NO_VIO
    if (occupant !== undefined) occupant.receive(op, operand)
    else if (room === Room.Bio) this.moveBlock(op, vioIndex(operand))
    else this.standIn(op, vioIndex(operand))
    if (evicted !== NO_VIO) this.idleCancelers.push(evicted)
    return true
  }

  /** A write of one of few contents to one of few places; some contents pack well, some names collide. */
  private launch(): void {
    const { vios, prng, context } = this
    const lbn = prng.below(LBNS) as Lbn
    const vio = this.idle[0]
    if (vio === undefined || this.busyLbns.has(lbn)) return
    this.idle.shift()
    this.busyLbns.add(lbn)
    this.writes++
    const content = prng.chance(0.6) ? prng.below(10) : 10 + prng.below(1000)
    vios.flags[vio] = VioFlag.Write | (prng.chance(0.1) ? VioFlag.Fua : 0)
    vios.status[vio] = Status.Success
    vios.lbn[vio] = lbn
    vios.hashLock[vio] = -1
    vios.flushGeneration[vio] = context.boards.closingGeneration + 1
    resetCompression(vios.compression, vio)
    const data = context.arena.subarray(vios.dataAt(vio), vios.dataAt(vio) + 4096)
    data.fill(0)
    noise(data.subarray(0, content < 5 ? 4096 : 100 + 300 * (content % 10)), content)
    // Contents 8 and 9 have one name; 7 has its first half.
    const name = content === 9 ? 8 : content
    vios.name.set([name * 31, Math.max(name, 8), name === 7 ? 1 : 2, 3], vio * 4)
    if (name === 7) vios.name[vio * 4] = 8 * 31
    this.allocate(vio)
    this.send(afterNaming(vios, context.placement, vio), vio)
  }

  private allocate(vio: VioIndex): void {
    const { vios, prng } = this
    vios.allocatedPbn[vio] = ZERO_BLOCK
    if (prng.chance(0.15)) return
    const block = pbn(FIRST_BLOCK + prng.below(BLOCKS))
    if (this.locks.has(block) || (this.references.get(block) ?? 0) > 0) return
    const lock = this.openLock(block, false, 0)
    lock.isProvisional = true
    vios.allocatedPbn[vio] = block
    vios.allocationLock[vio] = lock.row
  }

  private openLock(block: Pbn, isRead: boolean, limit: number): PbnLock {
    const row = this.freeRows.shift()
    assert(row !== undefined, 'there are enough locks')
    const lock = { row, isRead, holders: 1, isProvisional: false }
    this.locks.set(block, lock)
    this.context.pbnLocks.open(row, limit)
    return lock
  }

  private releaseLock(block: Pbn): void {
    const lock = this.locks.get(block)
    assert(lock !== undefined, 'only what is locked is released')
    if (--lock.holders > 0) return
    this.locks.delete(block)
    this.freeRows.push(lock.row)
  }

  /** Someone waits for the vio elsewhere. */
  private cancel(): void {
    const { vios, prng } = this
    const canceler = this.idleCancelers[0]
    const holder = vioIndex(CANCELERS + prng.below(SHAPE.dataVios - CANCELERS))
    if (canceler === undefined || this.idle.includes(holder)) return
    if (!cancelCompression(vios.compression, holder)) return
    this.idleCancelers.shift()
    vios.lockHolder[canceler] = holder
    this.send(hop(PackerOp.Evict, 0), canceler)
  }

  private passTime(): void {
    this.bench.nowMs += this.prng.below(60)
    const due = this.bench.timers.filter((timer) => timer.at <= this.bench.nowMs)
    for (const timer of due) {
      this.bench.timers.splice(this.bench.timers.indexOf(timer), 1)
      this.send(hop(timer.op, timer.zone), timer.operand)
    }
  }

  private closeGeneration(): void {
    this.context.boards.closingGeneration++
    this.send(hop(PackerOp.CloseGeneration, 0), 0)
  }

  private moveBlock(op: number, vio: VioIndex): void {
    const { vios, context } = this
    const block = context.arena.subarray(vios.ioAt[vio], vios.ioAt[vio] + 4096)
    if (this.prng.chance(0.02)) vios.fail(vio, Status.IoError)
    else if (op === BioOp.Write) this.disk.set(vios.ioPbn[vio], block.slice())
    else block.set(this.disk.get(vios.ioPbn[vio]) ?? new Uint8Array(4096))
    this.send(vios.returnTo[vio], vio)
  }

  private standIn(op: number, vio: VioIndex): void {
    const { vios } = this
    const { placement } = this.context
    switch (op) {
      case PhysicalOp.LockDuplicate:
        vios.duplicateLock[vio] = this.lockDuplicate(vios.duplicatePbn[vio])
        return this.send(afterDuplicateLock(vios, vio), vio)
      case PhysicalOp.UnlockDuplicate:
        assert(
          this.locks.get(vios.duplicatePbn[vio])?.row === vios.duplicateLock[vio],
          'the share is of that lock',
        )
        this.releaseLock(vios.duplicatePbn[vio])
        return this.send(afterDuplicateUnlock(vios, vio), vio)
      case PhysicalOp.SharePacked:
        return this.sharePacked(vio)
      case PhysicalOp.ReleaseAllocation:
        this.releaseLock(vios.allocatedPbn[vio])
        vios.allocatedPbn[vio] = ZERO_BLOCK
        return this.send(afterAllocationLock(vios, placement, vio), vio)
      case LogicalOp.ReadMapping:
        if (vios.status[vio] === Status.Success && this.prng.chance(0.02)) vios.fail(vio, Status.IoError)
        if (vios.status[vio] === Status.Success) this.remap(vio)
        return this.send(toCleanup(vios, placement, vio), vio)
      case LogicalOp.Release:
        return this.comeHome(vio)
      default:
        throw new Error(`nobody takes message ${op} of room ${opOfHop(hop(op as FrontOp, 0)) >> 5}`)
    }
  }

  private lockDuplicate(block: Pbn): number {
    const lock = this.locks.get(block)
    if (lock !== undefined) {
      if (!lock.isRead) return -1
      lock.holders++
      return lock.row
    }
    const count = this.references.get(block) ?? 0
    if (count === SHAPE.maximumReferences) return -1
    const fresh = this.openLock(block, true, SHAPE.maximumReferences - Math.max(count, 1))
    fresh.isProvisional = count === 0
    return fresh.row
  }

  private sharePacked(agent: VioIndex): void {
    const { vios } = this
    const { placement } = this.context
    const failed = vios.status[agent] !== Status.Success
    const block = vios.allocatedPbn[agent]
    const lock = this.locks.get(block)!
    const members: VioIndex[] = []
    for (let vio = agent; vio !== NO_VIO; vio = vios.packedNext[vio]) members.push(vio)
    for (const vio of members) {
      if (failed) {
        vios.status[vio] = Status.Success
        this.send(toPlainWrite(vios, placement, vio), vio)
        continue
      }
      if (!lock.isRead) {
        lock.isRead = true
        this.context.pbnLocks.open(lock.row, SHAPE.maximumReferences)
      } else {
        lock.holders++
      }
      assert(this.context.pbnLocks.claim(lock.row), 'a packed block takes all its fragments')
      vios.newPbn[vio] = vios.duplicatePbn[vio] = block
      vios.newState[vio] = MappingState.CompressedBase + vios.packedSlot[vio]
      vios.duplicateLock[vio] = lock.row
    }
    if (failed) return
    vios.allocatedPbn[agent] = ZERO_BLOCK
    for (const vio of members) this.send(afterWrite(vios, placement, vio), vio)
  }

  /** Journal, counts and map in one: one reference more for the new place, then one less for the old. */
  private remap(vio: VioIndex): void {
    const { vios, references } = this
    const place = { pbn: vios.newPbn[vio], state: vios.newState[vio] }
    this.compare(vio, place.pbn, place.state)
    const lock = this.locks.get(place.pbn)
    assert(lock !== undefined, 'a place is locked while it gets a reference')
    if (!lock.isRead) {
      assert(vios.allocatedPbn[vio] === place.pbn, 'only its writer maps a block that is not shared yet')
      lock.isRead = true
      this.context.pbnLocks.open(lock.row, SHAPE.maximumReferences - 1)
    }
    lock.isProvisional = false
    const count = (references.get(place.pbn) ?? 0) + 1
    assert(count <= SHAPE.maximumReferences, 'a block has no more references than it takes')
    references.set(place.pbn, count)
    const old = this.map.get(vios.lbn[vio])
    if (old !== undefined) {
      const left = references.get(old.pbn)! - 1
      references.set(old.pbn, left)
      const oldLock = this.locks.get(old.pbn)
      if (left === 0 && oldLock !== undefined) oldLock.isProvisional = true
    }
    this.map.set(vios.lbn[vio], place)
  }

  private compare(vio: VioIndex, block: Pbn, state: number): void {
    const { vios } = this
    const { arena, native } = this.context
    const stored = this.disk.get(block)
    assert(stored !== undefined, 'a place that is mapped was written')
    // The stand-in's own block in the arena: the scratch block of a vio that only cancels.
    const at = vios.compressedAt(vioIndex(0))
    arena.set(stored, at)
    let data = at
    if (state !== MappingState.Uncompressed) {
      const slot = state - MappingState.CompressedBase
      data = vios.scratchAt(vioIndex(0))
      const start = findFragment(arena, at, slot)
      assert(start >= 0, 'a fragment that is mapped is there')
      assert(native.decompress(at + start, readFragmentSize(arena, at, slot), data), 'and can be decoded')
    }
    assert(native.equal(data, vios.dataAt(vio), 4096), 'the place holds the data of the write')
  }

  private comeHome(vio: VioIndex): void {
    const { vios } = this
    assert(
      vios.hashLock[vio] === -1 && vios.allocatedPbn[vio] === ZERO_BLOCK,
      'whoever is home holds nothing',
    )
    if (vios.status[vio] !== Status.Success) this.failures++
    this.busyLbns.delete(vios.lbn[vio])
    // Whoever compares with data of one that left is found out.
    this.context.arena.fill(0xee, vios.dataAt(vio), vios.dataAt(vio) + 4096)
    this.idle.push(vio)
  }
}

const roomZone = (room: Room, zone: number): number => room * 128 + zone

/** Noise that stands for a content. */
function noise(bytes: Uint8Array, content: number): void {
  let state = 0x9e3779b9 ^ Math.imul(content + 1, 0x85ebca6b)
  for (let i = 0; i < bytes.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
}
