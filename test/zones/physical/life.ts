/**
 * A random life of physical zones: blocks are written, shared, dropped, made tree pages, while I/O completes in any
 * order; and a book beside it of how often each block must be referenced.
 */

import { pbn, type VioIndex } from '../../../src/base/ids.js'
import type { Prng } from '../../../src/base/prng.js'
import { Status } from '../../../src/base/status.js'
import { BioOp, CpuOp, LogicalOp, PhysicalOp } from '../../../src/vio/opcodes.js'
import type { Slab } from '../../../src/zones/physical/slab.js'
import type { Rig } from './rig.js'

enum Act {
  Write = 0,
  Share = 1,
  Drop = 2,
  Tree = 3,
}

export const slabsOf = (rig: Rig): Slab[] =>
  rig.zones.flatMap((zone) => (zone as unknown as { slabs: Slab[] }).slabs)

export class Life {
  /** References by block; tree pages apart. */
  readonly book = new Map<number, number>()
  readonly trees = new Set<number>()
  private readonly idle: VioIndex[] = []
  private readonly acts = new Map<number, Act>()

  constructor(
    readonly rig: Rig,
    private readonly prng: Prng,
  ) {
    for (let row = 0; row < rig.bench.shape.dataVios; row++) this.idle.push(row as VioIndex)
  }

  /** Takes over a book from the life before. */
  inherit(before: Life): void {
    for (const [block, count] of before.book) this.book.set(block, count)
    for (const block of before.trees) this.trees.add(block)
  }

  run(steps: number): void {
    const { rig, prng } = this
    rig.isHeld = true
    for (let step = 0; step < steps; step++) {
      if (this.idle.length > 0 && prng.chance(0.5)) this.begin()
      else rig.stepAny(prng)
      this.handle()
    }
    this.settle()
  }

  settle(): void {
    const { rig, prng } = this
    rig.isHeld = true
    do this.handle()
    while (rig.stepAny(prng))
    rig.isHeld = false
  }

  /** Drops all references to the blocks of a slab while nothing is read; stops when a change has to wait. */
  dropAll(slab: Slab): boolean {
    const { rig, book, prng } = this
    for (const [block, count] of Array.from(book)) {
      if (block < slab.origin || block >= slab.origin + rig.bench.volume.slabBlocks) continue
      for (let i = 0; i < count; i++) {
        const vio = rig.vio(this.idle.pop()!)
        this.drop(vio, block)
        while (rig.stepAny(prng, BioOp.Write));
        if (rig.zones[0].entries.isWaiting(vio * 2 + 1)) return true
        this.handle()
      }
    }
    return false
  }

  /** What the counters say that differs from the book; empty when all is well. */
  differences(): string[] {
    const found: string[] = []
    let used = 0
    for (const slab of slabsOf(this.rig)) {
      for (let sbn = 0; sbn < this.rig.bench.volume.slabDataBlocks; sbn++) {
        const block = slab.origin + sbn
        const wanted = this.trees.has(block) ? 254 : (this.book.get(block) ?? 0)
        const count = slab.counts.count(sbn)
        if (count !== 0) used++
        if (count !== wanted && found.length < 5) found.push(`${block}: ${count}, not ${wanted}`)
      }
    }
    const free = slabsOf(this.rig).reduce((sum, slab) => sum + slab.counts.free, 0)
    const all = slabsOf(this.rig).length * this.rig.bench.volume.slabDataBlocks
    if (all - free !== used) found.push(`${free} free of ${all}, ${used} used`)
    return found
  }

  get isIdle(): boolean {
    return this.acts.size === 0
  }

  get references(): number {
    let sum = 0
    for (const count of this.book.values()) sum += count
    return sum
  }

  private begin(): void {
    const { rig, prng, book } = this
    const vio = rig.vio(this.idle[this.idle.length - 1])
    const dice = prng.below(20)
    const block = book.size > 0 && dice > 6 ? prng.pick([...book.keys()].slice(0, 500)) : 0
    if (dice === 0 && this.trees.size < 50) {
      this.acts.set(vio, Act.Tree)
      this.idle.pop()
      rig.send(PhysicalOp.AllocateTree, vio, prng.below(rig.zones.length))
    } else if (block === 0) {
      this.acts.set(vio, Act.Write)
      this.idle.pop()
      rig.send(PhysicalOp.Allocate, vio, prng.below(rig.zones.length))
    } else if (dice < 14) {
      this.idle.pop()
      this.drop(vio, block)
    } else {
      this.share(vio, block)
    }
  }

  private drop(vio: VioIndex, block: number): void {
    const { rig } = this
    rig.vios.mappedPbn[vio] = pbn(block)
    this.acts.set(vio, Act.Drop)
    this.count(block, -1)
    rig.nextEntry(vio, this.prng.chance(0.1))
    rig.send(PhysicalOp.Decrement, vio, rig.owner(block))
  }

  private share(vio: VioIndex, block: number): void {
    const { rig } = this
    rig.vios.duplicatePbn[vio] = pbn(block)
    rig.send(PhysicalOp.LockDuplicate, vio, rig.owner(block))
    const row = rig.vios.duplicateLock[vio]
    if (row < 0) return
    if (!rig.bench.arena.pbnLocks.claim(row)) {
      rig.send(PhysicalOp.UnlockDuplicate, vio, rig.owner(block))
      return
    }
    this.idle.pop()
    this.acts.set(vio, Act.Share)
    rig.vios.newPbn[vio] = pbn(block)
    rig.nextEntry(vio)
    this.count(block, 1)
    rig.send(PhysicalOp.Increment, vio, rig.owner(block))
  }

  private count(block: number, delta: number): void {
    const count = (this.book.get(block) ?? 0) + delta
    if (count === 0) this.book.delete(block)
    else this.book.set(block, count)
  }

  /** Answers what the zones sent, until they have sent nothing but I/O. */
  private handle(): void {
    const { rig } = this
    const { sent } = rig.bench
    for (let at = 0; at < sent.length; ) {
      const { op, operand, zone } = sent[at]
      if (op === BioOp.Read || op === BioOp.Write || op === BioOp.Flush) {
        at++
        continue
      }
      sent.splice(at, 1)
      const vio = operand as VioIndex
      if (op === PhysicalOp.Allocate || op === PhysicalOp.AllocateTree) rig.send(op, vio, zone)
      else if (op === CpuOp.Name || op === LogicalOp.TreeAllocated) this.allocated(vio)
      else if (op === LogicalOp.Incremented || op === LogicalOp.TreeCounted) this.counted(vio)
      else if (op === LogicalOp.Decremented) this.finish(vio, rig.vios.decrementStatus[vio])
      at = 0
    }
  }

  private allocated(vio: VioIndex): void {
    const { rig } = this
    const block = rig.vios.allocatedPbn[vio]
    if (block === 0) {
      this.finish(vio, Status.Success)
      return
    }
    rig.vios.newPbn[vio] = block
    rig.nextEntry(vio)
    if (this.acts.get(vio) === Act.Tree) {
      this.trees.add(block)
      rig.send(PhysicalOp.IncrementTree, vio, rig.owner(block))
    } else {
      this.count(block, 1)
      rig.send(PhysicalOp.Increment, vio, rig.owner(block))
    }
  }

  private counted(vio: VioIndex): void {
    const { rig } = this
    const { vios } = rig
    const act = this.acts.get(vio)
    const owner = rig.owner(vios.newPbn[vio])
    if (act === Act.Write) rig.send(PhysicalOp.ReleaseAllocation, vio, owner)
    if (act === Act.Share) rig.send(PhysicalOp.UnlockDuplicate, vio, owner)
    this.finish(vio, vios.status[vio])
  }

  private finish(vio: VioIndex, status: Status): void {
    if (status !== Status.Success) throw new Error(`vio ${vio} ended with ${status}`)
    this.acts.delete(vio)
    this.idle.push(vio)
  }
}
