/**
 * A random client: writes of all kinds of content, at any alignment and of any size, reads, discards and flushes at
 * addresses that meet often, with several requests in flight. Every read is checked by the oracle. Each request has a
 * number and is drawn from it, so that it stays the same when others are left out.
 */
import { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import type { ExportTarget } from '../engine/export-target.js'
import { type Oracle, Outcome, type WriteHandle } from './oracle.js'

const BLOCK = 4096
const SECTOR = 512
/** Logical blocks of a leaf of the block map: a new one needs a page. */
const LEAF_BLOCKS = 812
/** Leaves so far apart are in one tree. */
const TREES = 60
/** Where requests meet: this many blocks from the start of each leaf. */
const BUSY_BLOCKS = 30
/** Contents that are written again and again. */
const FAVOURITES = 4
/** How often a client means to fill the volume, how many of its writes do, and how long they are then. */
const FILLING_CHANCE = 0.08
const FILLING_WRITES = 0.3
const FILLING_BLOCKS = 120

/** What went wrong for a client; the first one ends the run. */
export class WorkloadFailure extends Error {}

export class Workload {
  /** Requests answered. */
  answered = 0
  noSpace = 0
  inFlight = 0
  /** The number of the request that was issued last; whoever names none gets the next. */
  number = -1
  /** From here on requests have their generators. */
  private readonly firstSeed: number
  /** Draws the request at hand. */
  private prng: Prng
  private readonly leaves: number
  /** From one leaf that is used to the next. */
  private readonly stride: number
  private readonly seeds: number
  private readonly largest: number
  /** How often the contents are one of a few that are written again and again. */
  private readonly repetition: number
  /** Whether the client writes long runs of what is like nothing else, until no block is free and on. */
  private readonly fills: boolean
  private flushesBegun = 0
  private flushesEnded = 0

  constructor(
    private readonly target: ExportTarget,
    prng: Prng,
    private readonly oracle: Oracle,
    /** Requests in flight at most. */
    readonly depth: number,
    /** Whether the disk has failed: requests may fail then. */
    private readonly isTolerant: () => boolean = () => false,
    /** Whether the volume is read-only: what was acknowledged may be lost then, and only what is durable must be read. */
    private readonly isReadOnly: () => boolean = () => false,
    private readonly fuaChance = 0.1,
  ) {
    // A few leaves only, so that addresses meet, or all, so that pages leave the cache; or all leaves of one tree, so
    // that its interior pages change often.
    const leaves = Math.floor(target.sizeBytes / BLOCK / LEAF_BLOCKS)
    const inOneTree = leaves > TREES && prng.chance(0.8)
    this.stride = inOneTree ? TREES : 1
    this.leaves = inOneTree ? Math.floor(leaves / TREES) : Math.min(leaves, prng.pick([2, 8, leaves]))
    // Few distinct contents make duplicates, many fill the volume.
    this.seeds = prng.pick([4, 40, 4000])
    this.largest = prng.pick([12, 60, 300])
    this.fills = prng.chance(FILLING_CHANCE)
    this.repetition = prng.pick([0, 0, 0.4])
    this.firstSeed = prng.below(2 ** 52)
    this.prng = prng
  }

  /** Issues one request, if the depth allows. */
  issue(number = this.number + 1): void {
    if (this.inFlight >= this.depth) return
    this.number = number
    const prng = new Prng(this.firstSeed + number)
    this.prng = prng
    const roll = prng.below(100)
    if (roll < 52) this.write()
    else if (roll < 80) this.read()
    else if (roll < 92) this.discard()
    else this.flush()
  }

  /** Reads whole blocks and checks them. After a power failure what is found is what they hold from now on. */
  readBack(block: number, count: number, settles = false): void {
    this.check(block * BLOCK, count * BLOCK, (bytes) => {
      for (let i = 0; settles && i < count; i++)
        this.oracle.settle(block + i, bytes.subarray(i * BLOCK, (i + 1) * BLOCK))
    })
  }

  private write(): void {
    const { prng, oracle } = this
    const fills = this.fills && prng.chance(FILLING_WRITES)
    const [offset, length] = fills ? this.longRange() : this.range()
    const bytes = fills ? noise(prng, length) : this.content(length)
    const handle = oracle.beginWrite(offset, bytes)
    this.begin()
    const fua = prng.chance(this.fuaChance)
    this.target.write(offset, bytes, fua, (status) => this.endWrite(handle, status, fua))
  }

  private read(): void {
    const [offset, length] = this.range()
    this.check(offset, length)
  }

  private check(offset: number, length: number, then: (bytes: Uint8Array) => void = () => {}): void {
    // What a read leaves alone must not pass for zeros.
    const bytes = new Uint8Array(length).fill(0xee)
    const handle = this.oracle.beginRead(offset, length)
    this.begin()
    this.target.read(offset, bytes, (status) => {
      this.end(status)
      const isTolerant = this.isTolerant()
      if (status !== Status.Success) {
        if (isTolerant) return this.oracle.dropRead(handle)
        throw new WorkloadFailure(`a read at ${offset} fails with ${Status[status]}`)
      }
      this.complain(this.oracle.endRead(handle, bytes, this.isReadOnly()))
      then(bytes)
    })
  }

  private discard(): void {
    const { prng, oracle, target } = this
    const [offset, length] = this.range()
    const fua = prng.chance(this.fuaChance)
    this.begin()
    if (prng.chance(0.7)) {
      const handle = oracle.beginZero(offset, length)
      target.zero(offset, length, fua, (status) => this.endWrite(handle, status, fua))
      return
    }
    // A trim takes whole blocks only.
    const start = Math.ceil(offset / BLOCK) * BLOCK
    const end = Math.max(start, Math.floor((offset + length) / BLOCK) * BLOCK)
    const handle = oracle.beginZero(start, end - start)
    target.trim(offset, length, fua, (status) => this.endWrite(handle, status, fua))
  }

  private flush(): void {
    const order = this.flushesBegun++
    const handle = this.oracle.beginFlush()
    this.begin()
    this.target.flush((status) => {
      this.end(status)
      if (status === Status.Success) this.oracle.endFlush(handle)
      if (order !== this.flushesEnded++) throw new WorkloadFailure(`flush ${order} overtakes another`)
    })
  }

  private begin(): void {
    this.inFlight++
  }

  private end(status: Status): void {
    this.inFlight--
    this.answered++
    if (status === Status.NoSpace) this.noSpace++
    else if (status !== Status.Success && !this.isTolerant())
      throw new WorkloadFailure(`a request ends with ${Status[status]}`)
  }

  private endWrite(handle: WriteHandle, status: Status, fua: boolean): void {
    this.end(status)
    const isOneBlock = Math.floor(handle.offset / BLOCK) === Math.floor((handle.end - 1) / BLOCK)
    const failed = isOneBlock && status === Status.NoSpace ? Outcome.Refused : Outcome.Unknown
    const outcome = status === Status.Success ? Outcome.Succeeded : failed
    this.complain(this.oracle.endWrite(handle, outcome, fua))
  }

  private complain(complaint: string | null): void {
    if (complaint !== null) throw new WorkloadFailure(complaint)
  }

  /** Near the start of some leaf, where requests meet. */
  private range(): [number, number] {
    const { prng, target } = this
    const roll = prng.below(20)
    const unit = roll === 0 ? 1 : roll < 5 ? SECTOR : BLOCK
    const leaf = prng.below(this.leaves) * this.stride
    const start = leaf * LEAF_BLOCKS * BLOCK + prng.below((BUSY_BLOCKS * BLOCK) / unit) * unit
    const most = prng.chance(0.7) ? 1 : prng.chance(0.9) ? 6 * (BLOCK / unit) : this.largest * (BLOCK / unit)
    return [start, Math.min(unit * prng.between(1, most), target.sizeBytes - start)]
  }

  private longRange(): [number, number] {
    const { prng, target } = this
    const start = prng.below(this.leaves) * this.stride * LEAF_BLOCKS * BLOCK
    return [start, Math.min(prng.between(1, FILLING_BLOCKS) * BLOCK, target.sizeBytes - start)]
  }

  /** Equal seeds give equal blocks, so requests that are not aligned meet no duplicates. */
  private content(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += BLOCK) {
      this.fill(bytes.subarray(at, Math.min(at + BLOCK, length)))
    }
    return bytes
  }

  /** Zeros, all but one, noise, or mostly zeros after a little noise; the same seed gives the same block. */
  private fill(block: Uint8Array): void {
    const { prng } = this
    const kind = prng.below(10)
    if (kind === 0) {
      if (prng.chance(0.3)) block[prng.pick([0, block.length - 1])] = 1
      return
    }
    const seed = prng.below(prng.chance(this.repetition) ? FAVOURITES : this.seeds)
    const noise = kind < 5 ? block.length : Math.min(block.length, 40 + (seed % 7) * 300)
    let state = (seed * 2654435761 + 12345) >>> 0
    for (let i = 0; i < noise; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      block[i] = state >>> 24
    }
  }
}

function noise(prng: Prng, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  prng.fill(bytes)
  return bytes
}
