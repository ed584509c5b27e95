/**
 * The simulator's disk: blocks in memory behind the submit-and-complete contract. Requests complete one at a time,
 * in an order that the seed chooses. A write takes its data when it is submitted or when it completes, whichever
 * finds out more: a buffer that changes too early, or one that is filled too late.
 *
 * Completed writes are stable once a flush that was submitted after them has completed. A crash, which leaves the
 * running engine alone, keeps of each block what is stable, or a later write, or a mixture of their sectors.
 *
 * No two requests may meet in a block while one of them writes: on a real disk either could win.
 */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DEVICE_BLOCK_BYTES, DeviceOp } from '../device/block-device.js'

/** What a block may hold after a crash: what is stable, or any of the writes since, or a mixture by sectors. */
interface UnstableBlock {
  stable: Uint8Array
  /** Completed writes, oldest first, with their place among all. */
  readonly since: { readonly order: number; readonly bytes: Uint8Array }[]
}

/** The blocks themselves, shared by all device objects over them. */
export class SimStore {
  /** Requests that were submitted, ever: an engine at rest adds none. */
  requests = 0
  /** Blocks that were written, ever. */
  written = 0
  /** How likely it is that the next request fails, of those that may. */
  failureChance = 0
  /** How many more requests may fail. */
  failuresLeft = 0
  /** Which requests may fail. */
  mayFail: (op: DeviceOp, block: number, count: number) => boolean = () => true
  /** Which blocks a write may have reached though it failed. */
  mayHold: (block: number) => boolean = () => true
  /** Requests that failed. */
  failures = 0
  /** Says which requests the disk lets lie for now. */
  isAsleep: ((op: DeviceOp, block: number) => boolean) | null = null
  /** Whether, with the first that fails, all of its kind do. */
  failsForGood = false
  /** Whether it is an error when two requests meet in a block. */
  protected readonly isStrict: boolean = true
  /** Of what kind every request fails that may. */
  broken: DeviceOp | null = null
  private readonly blocks = new Map<number, Uint8Array>()
  private readonly unstable = new Map<number, UnstableBlock>()
  private order = 0
  /** By block: how many reads are under way, or -1 for a write. */
  private readonly underWay = new Map<number, number>()
  /** Writes under way: what each block of them would become now. */
  private readonly writes = new Map<Pending, (index: number) => Uint8Array>()

  constructor(readonly blockCount: number) {}

  /** A block's bytes; zeros if it was never written. */
  blockAt(block: number): Uint8Array {
    return this.blocks.get(block) ?? ZEROS
  }

  /** Whether blocks were all written before: a disk that is full has no room for others. */
  hasRoomFor(block: number, count: number): boolean {
    for (let i = block; i < block + count; i++) if (!this.blocks.has(i)) return false
    return true
  }

  /** Whether every such request fails from now on. */
  refuses(op: DeviceOp, block: number): boolean {
    return op === this.broken && this.mayFail(op, block, 1)
  }

  /** The blocks that were ever written. */
  usedBlocks(): number[] {
    return [...this.blocks.keys()]
  }

  /** Reads blocks as an audit does. */
  read(block: number, count: number, into: Uint8Array): boolean {
    if (block < 0 || block + count > this.blockCount) return false
    for (let i = 0; i < count; i++) into.set(this.blockAt(block + i), i * DEVICE_BLOCK_BYTES)
    return true
  }

  /** A write has completed. It is not stable yet. */
  write(block: number, bytes: Uint8Array): void {
    assert(block >= 0 && block < this.blockCount, 'a write stays on the disk')
    this.written++
    let unstable = this.unstable.get(block)
    if (unstable === undefined) {
      unstable = { stable: this.blockAt(block), since: [] }
      this.unstable.set(block, unstable)
    }
    const kept = bytes.slice()
    unstable.since.push({ order: this.order++, bytes: kept })
    this.blocks.set(block, kept)
  }

  /** A flush begins: gives what it covers, for its end. */
  beginFlush(): number {
    return this.order
  }

  endFlush(covered: number): void {
    for (const [block, unstable] of this.unstable) {
      while (unstable.since.length > 0 && unstable.since[0].order < covered) {
        unstable.stable = unstable.since.shift()!.bytes
      }
      if (unstable.stable === this.blocks.get(block)) this.unstable.delete(block)
    }
  }

  /** Whether a request of this kind fails, now that it is to be done. */
  strikes(prng: Prng, op: DeviceOp, block: number, count: number): boolean {
    if (!this.mayFail(op, block, count)) return false
    const isChosen = this.failuresLeft > 0 && this.failureChance > 0 && prng.chance(this.failureChance)
    if (!isChosen && op !== this.broken) return false
    if (isChosen) this.failuresLeft--
    this.failures++
    if (this.failsForGood) this.broken = op
    return true
  }

  /** A write has failed, and nobody knows what of it is there. */
  failWrite(prng: Prng, block: number, bytes: Uint8Array): void {
    if (!this.mayHold(block)) return
    switch (prng.below(3)) {
      case 0:
        return
      case 1:
        return this.write(block, tear(prng, this.blockAt(block), bytes))
      default:
        this.write(block, bytes)
    }
  }

  /**
   * A flush has failed. Some of the blocks that it covers are never written out any more, as by a page cache that takes
   * them for clean; until the power fails they are read as if they had been.
   */
  failFlush(prng: Prng, covered: number): void {
    for (const unstable of this.unstable.values()) {
      if (prng.chance(0.5)) continue
      while (unstable.since.length > 0 && unstable.since[0].order < covered) unstable.since.shift()
    }
  }

  begin(request: Pending, now: (index: number) => Uint8Array): void {
    const isWrite = request.op === DeviceOp.Write
    for (let block = request.block; block < request.block + request.count; block++) {
      const others = this.underWay.get(block) ?? 0
      const isAlone = isWrite ? others === 0 : others >= 0
      assert(isAlone || !this.isStrict, 'nothing else is under way in a block that is written')
      this.underWay.set(block, isWrite ? -1 : others + 1)
    }
    if (isWrite) this.writes.set(request, now)
  }

  end(request: Pending): void {
    for (let block = request.block; block < request.block + request.count; block++) {
      const others = this.underWay.get(block)
      if (others === undefined || others <= 1) this.underWay.delete(block)
      else this.underWay.set(block, others - 1)
    }
    this.writes.delete(request)
  }

  /** A disk of the same kind with nothing on it. */
  protected blank(): SimStore {
    return new SimStore(this.blockCount)
  }

  /** The disk as it may be found after the power failed now. */
  crash(prng: Prng): SimStore {
    const after = this.blank()
    after.failures = this.failures
    for (const [block, bytes] of this.blocks) after.blocks.set(block, bytes)
    const underWay = new Map<number, Uint8Array>()
    for (const [request, now] of this.writes) {
      for (let i = 0; i < request.count; i++) underWay.set(request.block + i, now(i))
    }
    for (const block of new Set([...this.unstable.keys(), ...underWay.keys()])) {
      const unstable = this.unstable.get(block)
      const versions = [
        unstable?.stable ?? this.blockAt(block),
        ...(unstable?.since.map(({ bytes }) => bytes) ?? []),
      ]
      const last = underWay.get(block)
      if (last !== undefined) versions.push(last)
      const reached = prng.below(versions.length)
      const isTorn = reached + 1 < versions.length && prng.chance(0.5)
      const other = isTorn ? prng.between(reached + 1, versions.length - 1) : reached
      after.blocks.set(block, isTorn ? tear(prng, versions[reached], versions[other]) : versions[reached])
    }
    return after
  }
}

/** Some sectors of the one, the others of the other. */
function tear(prng: Prng, before: Uint8Array, after: Uint8Array): Uint8Array {
  const torn = before.slice()
  for (let at = 0; at < DEVICE_BLOCK_BYTES; at += SECTOR_BYTES) {
    if (prng.chance(0.5)) torn.set(after.subarray(at, at + SECTOR_BYTES), at)
  }
  return torn
}

/** What a disk never tears. */
const SECTOR_BYTES = 512

/** What a read that failed leaves in memory. */
const NOISE = 0xdd

const ZEROS = new Uint8Array(DEVICE_BLOCK_BYTES)

interface Pending {
  readonly op: DeviceOp
  readonly block: number
  readonly count: number
  readonly at: number
  readonly tag: number
  /** What a flush covers. */
  readonly covered: number
}

/** A request that is not completed, and what its blocks would be if it were now. */
interface Underway {
  readonly request: Pending
  readonly bytes: (index: number) => Uint8Array
}

/** One bio zone's door to the store. */
export class SimDevice implements BlockDevice {
  readonly blockCount: number
  private completed: Completed = () => {}
  private readonly pending: Underway[] = []

  constructor(
    private readonly store: SimStore,
    private readonly arena: Uint8Array,
    private readonly prng: Prng,
  ) {
    this.blockCount = store.blockCount
  }

  attach(completed: Completed): void {
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    const { store, arena, prng } = this
    store.requests++
    const covered = op === DeviceOp.Flush ? store.beginFlush() : 0
    if (op === DeviceOp.Flush) {
      this.pending.push({ request: { op, block: 0, count: 0, at, tag, covered }, bytes: noBytes })
      return
    }
    assert(block >= 0 && block + count <= this.blockCount, 'a request stays on the disk')
    const request = { op, block, count, at, tag, covered }
    const early = op === DeviceOp.Write && prng.chance(0.5)
    const taken = early ? arena.slice(at, at + count * DEVICE_BLOCK_BYTES) : null
    const bytes = (index: number): Uint8Array => {
      const start = index * DEVICE_BLOCK_BYTES
      return taken === null
        ? arena.subarray(at + start, at + start + DEVICE_BLOCK_BYTES)
        : taken.subarray(start, start + DEVICE_BLOCK_BYTES)
    }
    store.begin(request, (index) => bytes(index).slice())
    this.pending.push({ request, bytes })
  }

  kick(): void {}

  /** Requests that could be completed now. */
  get outstanding(): number {
    return this.awake.length
  }

  /** Requests that lie for now. */
  get asleep(): number {
    return this.pending.length - this.awake.length
  }

  private get awake(): readonly Underway[] {
    const { isAsleep } = this.store
    if (isAsleep === null) return this.pending
    return this.pending.filter(({ request: { op, block } }) => !isAsleep(op, block))
  }

  /** Completes one request of the seed's choosing. */
  step(): void {
    const { store, arena, prng, pending } = this
    const underway = prng.pick(this.awake)
    const { request, bytes } = underway
    pending.splice(pending.indexOf(underway), 1)
    if (store.strikes(prng, request.op, request.block, request.count)) {
      this.fail(underway)
      this.completed(request.tag, Status.IoError)
      return
    }
    if (request.op === DeviceOp.Flush) {
      store.endFlush(request.covered)
    } else {
      store.end(request)
      for (let i = 0; i < request.count; i++) {
        if (request.op === DeviceOp.Write) store.write(request.block + i, bytes(i))
        else arena.set(store.blockAt(request.block + i), request.at + i * DEVICE_BLOCK_BYTES)
      }
    }
    this.completed(request.tag, Status.Success)
  }

  /** What a request that failed leaves: a write what there may be of it, a read anything but what was wanted. */
  private fail({ request, bytes }: Underway): void {
    const { store, arena, prng } = this
    const { op, block, count, at, covered } = request
    if (op === DeviceOp.Flush) return store.failFlush(prng, covered)
    store.end(request)
    if (op === DeviceOp.Read) arena.fill(NOISE, at, at + count * DEVICE_BLOCK_BYTES)
    else for (let i = 0; i < count; i++) store.failWrite(prng, block + i, bytes(i))
  }
}

const noBytes = (): Uint8Array => ZEROS
