/**
 * A disk that cannot be trusted: it says that it wrote and did not, or wrote elsewhere, over something else; its bits
 * flip while nobody looks, or it has blocks that cannot be read until they are written again.
 */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import { DeviceOp } from '../device/block-device.js'
import { SimStore } from './sim-store.js'

export enum Fault {
  /** A write is answered and forgotten. */
  Lost = 0,
  /** A write goes to the place of another block of its kind, if there is one. */
  Misplaced,
  /** A write goes to the place of any block. */
  Stray,
  /** Bits are others than those that were written. */
  Flipped,
  /** A block cannot be read. */
  Unreadable,
}

/** What the lies of a disk are, while it lies. */
export interface Lies {
  readonly fault: Fault.Lost | Fault.Misplaced | Fault.Stray
  /** Which writes may be lied about. */
  readonly concerns: (block: number, bytes: Uint8Array) => boolean
  readonly chance: number
  readonly prng: Prng
}

export class LyingStore extends SimStore {
  lies: Lies | null = null
  /** Lies that were told. */
  told = 0
  /** Counts that are wrong may give a block to two writers. */
  protected override readonly isStrict = false
  private readonly unreadable = new Set<number>()

  /** The block cannot be read until it is written. */
  spoil(block: number): void {
    this.unreadable.add(block)
  }

  /** All that it has can be read again. */
  heal(): void {
    this.unreadable.clear()
  }

  override read(block: number, count: number, into: Uint8Array): boolean {
    return this.isReadable(block, count) && super.read(block, count, into)
  }

  override strikes(prng: Prng, op: DeviceOp, block: number, count: number): boolean {
    const fails = op === DeviceOp.Read && !this.isReadable(block, count)
    return super.strikes(prng, op, block, count) || fails
  }

  override write(block: number, bytes: Uint8Array): void {
    const { lies } = this
    if (lies === null || !lies.concerns(block, bytes) || !lies.prng.chance(lies.chance))
      return this.keep(block, bytes)
    this.told++
    if (lies.fault === Fault.Lost) return
    const others = this.usedBlocks().filter((other) => other !== block)
    const alike = others.filter((other) => lies.concerns(other, this.blockAt(other)))
    const elsewhere = lies.fault === Fault.Misplaced && alike.length > 0 ? alike : others
    if (elsewhere.length > 0) this.keep(lies.prng.pick(elsewhere), bytes)
  }

  /** After a power failure it lies no more, and has the same blocks that cannot be read. */
  override crash(prng: Prng): LyingStore {
    const after = super.crash(prng)
    assert(after instanceof LyingStore, 'a disk stays what it is')
    for (const block of this.unreadable) after.spoil(block)
    return after
  }

  protected override blank(): LyingStore {
    return new LyingStore(this.blockCount)
  }

  private keep(block: number, bytes: Uint8Array): void {
    this.unreadable.delete(block)
    super.write(block, bytes)
  }

  private isReadable(block: number, count: number): boolean {
    for (let i = block; i < block + count; i++) if (this.unreadable.has(i)) return false
    return true
  }
}

/** As much as the longest header of a structure. */
const HEADER_BYTES = 53

/** Flips up to `most` bits of what a block holds in its first `size` bytes: of bytes in use, of its header, or anywhere. */
export function flipBits(disk: SimStore, block: number, size: number, prng: Prng, most: number): void {
  const bytes = disk.blockAt(block).slice()
  const used = [...bytes.keys()].filter((at) => at < size && bytes[at] !== 0)
  for (let left = prng.between(1, most); left > 0; left--) {
    const anywhere = prng.below(prng.pick([Math.min(size, HEADER_BYTES), size]))
    const at = used.length > 0 && prng.chance(0.5) ? prng.pick(used) : anywhere
    bytes[at]! ^= 1 << prng.below(8)
  }
  disk.write(block, bytes)
  disk.endFlush(disk.beginFlush())
}
