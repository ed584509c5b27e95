/**
 * Physical zones with a disk behind them: block I/O that the zones send is carried out on a map of blocks, in order;
 * everything else that they send is left for the test to look at.
 */

import { pbn, type VioIndex } from '../../../src/base/ids.js'
import type { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { BLOCK_SIZE } from '../../../src/format/constants.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  opOfHop,
  PhysicalOp,
  Room,
  zoneOfHop,
} from '../../../src/vio/opcodes.js'
import type { Volume, ZoneCounts } from '../../../src/vio/volume.js'
import type { VolumeShape } from '../../../src/vio/volume-shape.js'
import { PhysicalZone } from '../../../src/zones/physical/physical-zone.js'
import { Bench, ONE_OF_EACH, type Sent, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

export type Disk = Map<number, Uint8Array>

/** Enough reference blocks for two a slab, and a journal short enough to fill. */
export const VOLUME: Volume = {
  ...SMALL_VOLUME,
  slabBlocks: 8192,
  slabDataBlocks: 8192 - 3 - 32,
  slabReferenceBlocks: 3,
  slabJournalBlocks: 32,
  slabJournalFlushing: 16,
  slabJournalBlocking: 26,
  slabJournalScrubbing: 30,
  slabCount: 4,
  journalOrigin: 100 + 4 * 8192,
  summaryOrigin: 100 + 4 * 8192 + 64,
  physicalBlocks: 100 + 4 * 8192 + 64 + 64,
}

/** Many slabs that are soon full. */
export const TINY: Volume = {
  ...VOLUME,
  slabBlocks: 128,
  slabDataBlocks: 90,
  slabReferenceBlocks: 1,
  slabCount: 12,
}

/** Few entries a block, so that journals move. */
export const SHAPE: VolumeShape = {
  ...SMALL_SHAPE,
  slabJournalEntriesPerBlock: 8,
  slabJournalMixedEntriesPerBlock: 6,
}

export interface Options {
  readonly shape?: VolumeShape
  readonly volume?: Volume
  readonly counts?: ZoneCounts
  readonly disk?: Disk
}

export class Rig {
  readonly zones: PhysicalZone[]
  /** Reads and writes of these blocks, or flushes (0), fail. */
  readonly bad = new Set<number>()
  /** While set, I/O is kept back. */
  isHeld = false
  /** While set, flushes are kept back, so that nothing is reaped. */
  isFlushHeld = false
  /** While set, writes of the summary are kept back. */
  isSummaryHeld = false
  readonly writes: number[] = []
  private sequence = 1
  private entry = 0

  private constructor(
    readonly bench: Bench,
    readonly disk: Disk,
  ) {
    const { counts } = bench
    this.zones = Array.from(
      { length: counts.physical },
      (_, z) => new PhysicalZone(bench.context(Room.Physical, z)),
    )
  }

  static async make(options: Options = {}): Promise<Rig> {
    const { shape = SHAPE, volume = VOLUME, counts = ONE_OF_EACH, disk = new Map() } = options
    return new Rig(await Bench.make(shape, volume, counts), disk)
  }

  /** A rig whose zones are loaded. */
  static async loaded(options: Options = {}): Promise<Rig> {
    const rig = await Rig.make(options)
    rig.administer(AdminCommand.Load)
    return rig
  }

  /** Another run over the same disk, after a save. */
  async reopened(options: Options = {}): Promise<Rig> {
    const volume = {
      ...this.bench.volume,
      isNew: false,
      savedPhysicalZones: this.zones.length,
      journalStart: 1000,
    }
    const next = await Rig.loaded({
      shape: this.bench.shape,
      counts: this.bench.counts,
      volume,
      disk: this.disk,
      ...options,
    })
    next.follow(this)
    return next
  }

  /** Goes on where the recovery journal of another run ended. */
  follow(other: Rig): void {
    this.sequence = other.sequence + 1
  }

  get vios() {
    return this.bench.arena.vios
  }

  /** The next place in the recovery journal; `skip` starts a new block first. */
  nextEntry(vio: VioIndex, skip = false): void {
    if (skip || this.entry === 217) {
      this.sequence++
      this.entry = 0
    }
    this.vios.journalSequence[vio] = this.sequence
    this.vios.journalEntry[vio] = this.entry++
  }

  get recoverySequence(): number {
    return this.sequence
  }

  send(op: PhysicalOp, operand: number, zone = 0): void {
    this.zones[zone].receive(op, operand)
    this.run()
  }

  /** Runs a phase in all zones; gives the statuses. */
  administer(command: AdminCommand): void {
    for (let zone = 0; zone < this.zones.length; zone++) {
      this.send(PhysicalOp.Administer, command, zone)
      this.bench.expect(AdminOp.PhaseDone)
    }
  }

  /** Carries out I/O until there is none, and messages from zone to zone. */
  run(): void {
    if (this.isHeld) return
    for (;;) {
      const at = this.bench.sent.findIndex((s) => this.isIo(s) || this.isAllocation(s))
      if (at < 0) return
      const sent = this.bench.sent.splice(at, 1)[0]
      if (this.isIo(sent)) this.carryOut(sent)
      else this.zones[sent.zone].receive(sent.op, sent.operand)
    }
  }

  /** Carries out the oldest I/O although it is held. */
  step(): void {
    const at = this.bench.sent.findIndex((s) => this.isIo(s))
    if (at >= 0) this.carryOut(this.bench.sent.splice(at, 1)[0])
  }

  /** Carries out any I/O (of one kind). False if there is none. */
  stepAny(prng: Prng, kind?: BioOp): boolean {
    const { sent } = this.bench
    const all = sent.flatMap((s, at) => (this.isIo(s) && (kind ?? s.op) === s.op ? [at] : []))
    if (all.length === 0) return false
    this.carryOut(sent.splice(prng.pick(all), 1)[0])
    return true
  }

  release(): void {
    this.isHeld = false
    this.run()
  }

  /** A data vio, fresh from the front end. */
  vio(index: number): VioIndex {
    const { vios } = this
    const vio = index as VioIndex
    vios.flags[vio] = 2
    vios.status[vio] = Status.Success
    vios.lbn[vio] = index as never
    vios.acknowledged[vio] = 0
    vios.remainingBlocks[vio] = 0
    vios.allocatedPbn[vio] = pbn(0)
    vios.allocationTries[vio] = 0
    vios.allocationWaits[vio] = 0
    vios.duplicateLock[vio] = -1
    vios.hashLock[vio] = -1
    vios.mappedPbn[vio] = pbn(0)
    return vio
  }

  /** Writes a block as an uncompressed write does: allocate, increment, give back. Gives its pbn; 0 if full. */
  write(index = 0, zone = 0): number {
    const vio = this.vio(index)
    this.send(PhysicalOp.Allocate, vio, zone)
    this.bench.sent.length = 0
    const block = this.vios.allocatedPbn[vio]
    if (block === 0) return 0
    this.vios.newPbn[vio] = block
    this.vios.newState[vio] = 1
    this.nextEntry(vio)
    const owner = this.owner(block)
    this.send(PhysicalOp.Increment, vio, owner)
    this.send(PhysicalOp.ReleaseAllocation, vio, owner)
    this.bench.sent.length = 0
    return block
  }

  /** Drops one reference. Gives the status. */
  drop(block: number, index = 1): Status {
    const vio = this.vio(index)
    this.vios.mappedPbn[vio] = pbn(block)
    this.vios.decrementStatus[vio] = Status.Success
    this.nextEntry(vio)
    this.send(PhysicalOp.Decrement, vio, this.owner(block))
    return this.vios.decrementStatus[vio]
  }

  /** Allocates and counts a tree page. */
  writeTree(index = 0): number {
    const vio = this.vio(index)
    this.send(PhysicalOp.AllocateTree, vio)
    const block = this.vios.allocatedPbn[vio]
    this.vios.newPbn[vio] = block
    this.nextEntry(vio)
    this.send(PhysicalOp.IncrementTree, vio, this.owner(block))
    this.vios.allocatedPbn[vio] = pbn(0)
    this.bench.sent.length = 0
    return block
  }

  owner(block: number): number {
    const { depotOrigin, slabBlocks } = this.bench.volume
    return Math.floor((block - depotOrigin) / slabBlocks) % this.zones.length
  }

  /** The limit of a read lock on a block; 0 if it cannot be locked. A free block is locked too. */
  limitOf(block: number, index = 2): number {
    const vio = this.vio(index)
    this.vios.duplicatePbn[vio] = pbn(block)
    const zone = this.owner(block)
    this.send(PhysicalOp.LockDuplicate, vio, zone)
    const row = this.vios.duplicateLock[vio]
    if (row < 0) return 0
    let limit = 0
    while (this.bench.arena.pbnLocks.claim(row)) limit++
    this.send(PhysicalOp.UnlockDuplicate, vio, zone)
    return limit
  }

  counter(counter: number): number {
    return this.bench.arena.total(counter)
  }

  private isIo(s: Sent): boolean {
    if (s.op === BioOp.Flush) return !this.isFlushHeld
    if (s.op === BioOp.Write) return !(this.isSummaryHeld && this.isOfSummary(s.operand as VioIndex))
    return s.op === BioOp.Read
  }

  private isOfSummary(vio: VioIndex): boolean {
    return this.vios.ioPbn[vio] >= this.bench.volume.summaryOrigin
  }

  private isAllocation(s: Sent): boolean {
    return s.op === PhysicalOp.Allocate || s.op === PhysicalOp.AllocateTree
  }

  private carryOut({ op, operand }: Sent): void {
    const { vios, disk, bad } = this
    const vio = operand as VioIndex
    const { bytes } = this.bench.arena
    for (let i = 0; i < (op === BioOp.Flush ? 0 : vios.ioBlocks[vio]); i++) {
      const block = vios.ioPbn[vio] + i
      const at = vios.ioAt[vio] + i * BLOCK_SIZE
      if (bad.has(block)) vios.status[vio] = Status.IoError
      else if (op === BioOp.Read) bytes.set(disk.get(block) ?? new Uint8Array(BLOCK_SIZE), at)
      else {
        disk.set(block, bytes.slice(at, at + BLOCK_SIZE))
        this.writes.push(block)
      }
    }
    if (op === BioOp.Flush && bad.has(0)) vios.status[vio] = Status.IoError
    const back = vios.returnTo[vio]
    this.zones[zoneOfHop(back)].receive(opOfHop(back) as PhysicalOp, vio)
  }
}
