/**
 * What may be read, by a model that shares nothing with the engine: for each block the writes whose bytes a read
 * may return.
 *
 * A write that has ended supersedes, where it wrote, every write that ended before it began. A read may return
 * what was not superseded when it began, and anything whose write began before the read ended. Between two edges
 * of such writes all bytes that are read must be those of one write: a block is never torn. A write that failed
 * leaves it open whether it took place, unless it was said not to have: then nobody may have seen it.
 *
 * After a crash any write may be found that no durable one supersedes. A write is durable when it asked for that
 * and has ended, or when a flush that began after its end has ended.
 */

const BLOCK = 4096

/** A write or a discard under way, or what one left. */
export interface WriteHandle {
  readonly offset: number
  readonly end: number
  /** Null for zeros. */
  readonly bytes: Uint8Array | null
  readonly began: number
  ended: number
  /** Whether it surely took place, so that it supersedes others. */
  took: boolean
  /** Whether it must survive a crash. */
  durable: boolean
  /** A read was explained by this write alone, while it was under way. */
  seen: boolean
}

/** A flush under way. */
export interface FlushHandle {
  readonly began: number
}

/** A read under way. */
export interface ReadHandle {
  readonly offset: number
  readonly length: number
  readonly began: number
}

/** How a write ended. */
export enum Outcome {
  Succeeded = 0,
  /** It may have taken place, wholly or in part. */
  Unknown = 1,
  /** It did not take place, and no read may have returned it. */
  Refused = 2,
}

const NEVER = Number.POSITIVE_INFINITY
/** Writes of a block at which old ones are looked for. */
const MANY = 8

export class Oracle {
  /** How often something was promised to be durable. */
  promises = 0
  private time = 1
  /** By block, oldest first. A block without writes reads as zeros. */
  private readonly blocks = new Map<number, WriteHandle[]>()
  private readonly reads = new Set<ReadHandle>()
  /** Writes that took place and wait for a flush. */
  private readonly undurable = new Set<WriteHandle>()

  beginWrite(offset: number, bytes: Uint8Array): WriteHandle {
    return this.begin(offset, bytes.length, bytes)
  }

  /** Zeros, or a discard. */
  beginZero(offset: number, length: number): WriteHandle {
    return this.begin(offset, length, null)
  }

  /** Gives a sentence if the outcome contradicts what was read, or null. `fua`: it was to be durable at its end. */
  endWrite(write: WriteHandle, outcome: Outcome, fua = false): string | null {
    write.ended = this.time++
    write.took = outcome === Outcome.Succeeded
    write.durable = write.took && fua
    if (write.durable) this.promises++
    else if (write.took) this.undurable.add(write)
    if (outcome === Outcome.Unknown) return null
    for (let block = Math.floor(write.offset / BLOCK); block * BLOCK < write.end; block++) {
      if (outcome === Outcome.Refused) this.keep(block, (other) => other !== write)
      else if (this.at(block).length > MANY) this.forgetSuperseded(block)
    }
    return outcome === Outcome.Refused && write.seen
      ? `a write at ${write.offset} was refused, but its bytes were read`
      : null
  }

  beginFlush(): FlushHandle {
    return { began: this.time++ }
  }

  /** The flush succeeded. */
  endFlush({ began }: FlushHandle): void {
    this.time++
    this.promises++
    for (const write of this.undurable) {
      if (write.ended > began) continue
      write.durable = true
      this.undurable.delete(write)
    }
  }

  beginRead(offset: number, length: number): ReadHandle {
    const read = { offset, length, began: this.time++ }
    this.reads.add(read)
    return read
  }

  /**
   * Gives a sentence about the first bytes that may not be what was read, or null. After a failure (`isDoubtful`)
   * writes may be lost that are not durable.
   */
  endRead(read: ReadHandle, bytes: Uint8Array, isDoubtful = false): string | null {
    this.time++
    this.reads.delete(read)
    const end = read.offset + read.length
    for (let block = Math.floor(read.offset / BLOCK); block * BLOCK < end; block++) {
      const complaint = this.judge(bytes, read.offset, read.length, block, (write, covering) =>
        covering.some((later) => (later.durable || !isDoubtful) && supersedes(later, write, read.began)),
      )
      if (complaint !== null) return complaint
    }
    return null
  }

  /**
   * The power fails: what is under way never ends, and whatever is not durable may be found or not. The next read of
   * each block must be followed by `settle`.
   */
  powerFailed(): void {
    const now = this.time++
    this.reads.clear()
    this.undurable.clear()
    for (const writes of this.blocks.values()) {
      for (const write of writes) {
        if (write.durable) continue
        write.took = false
        if (write.ended === NEVER) write.ended = now
      }
    }
  }

  /** What was found in a block after the power failed is what it holds from now on, and durable. */
  settle(block: number, bytes: Uint8Array): void {
    const now = this.time++
    const found = { ...blankBlock(block), bytes: bytes.slice(), began: now, ended: now }
    this.blocks.set(block, [found])
  }

  /** A read that failed says nothing. */
  dropRead(read: ReadHandle): void {
    this.reads.delete(read)
  }

  /** Gives a sentence about the first bytes that may not be what is found in a block after a crash now, or null. */
  judgeCrash(block: number, bytes: Uint8Array): string | null {
    const base = block * BLOCK
    return this.judge(bytes, base, BLOCK, block, (write, covering) =>
      covering.some((later) => later.durable && write.ended < later.began),
    )
  }

  /** Every block that was ever written, ascending. */
  writtenBlocks(): number[] {
    return [...this.blocks.keys()].sort((a, b) => a - b)
  }

  private at(block: number): WriteHandle[] {
    let writes = this.blocks.get(block)
    if (writes === undefined) {
      writes = [blankBlock(block)]
      this.blocks.set(block, writes)
    }
    return writes
  }

  private keep(block: number, isKept: (write: WriteHandle) => boolean): void {
    this.blocks.set(block, this.at(block).filter(isKept))
  }

  /** Drops what no read can return any more, neither one under way nor a later one. */
  private forgetSuperseded(block: number): void {
    let oldest = this.time
    for (const { began } of this.reads) oldest = Math.min(oldest, began)
    const first = block * BLOCK
    const writes = this.at(block)
    this.keep(block, (write) => {
      const from = Math.max(write.offset, first)
      const to = Math.min(write.end, first + BLOCK)
      return !writes.some(
        (later) => later.durable && covers(later, from, to) && supersedes(later, write, oldest),
      )
    })
  }

  private begin(offset: number, length: number, bytes: Uint8Array | null): WriteHandle {
    const write = {
      offset,
      end: offset + length,
      bytes,
      began: this.time++,
      ended: NEVER,
      took: false,
      durable: false,
      seen: false,
    }
    for (let block = Math.floor(offset / BLOCK); block * BLOCK < write.end; block++)
      this.at(block).push(write)
    return write
  }

  /** Judges bytes from `base` on, as far as they lie in `block`: none may be of a write that is `gone`. */
  private judge(bytes: Uint8Array, base: number, length: number, block: number, gone: Gone): string | null {
    const from = Math.max(base, block * BLOCK)
    const to = Math.min(base + length, (block + 1) * BLOCK)
    const writes = this.blocks.get(block) ?? [blankBlock(block)]
    const edges = new Set([from, to])
    for (const { offset, end } of writes) {
      if (offset > from && offset < to) edges.add(offset)
      if (end > from && end < to) edges.add(end)
    }
    const ascending = [...edges].sort((a, b) => a - b)
    for (let i = 0; i + 1 < ascending.length; i++) {
      const complaint = judgePiece(bytes, base, writes, ascending[i], ascending[i + 1], gone)
      if (complaint !== null) return complaint
    }
    return null
  }
}

/** What a read-only volume reads may be older than what was promised: its journal is not replayed. */
export class Undecided extends Oracle {
  override endRead(): null {
    return null
  }
}

/** Whether a write, one of those that cover a piece, can no longer be found there. */
type Gone = (write: WriteHandle, covering: readonly WriteHandle[]) => boolean

/** Between two edges every write covers all or nothing. */
function judgePiece(
  bytes: Uint8Array,
  base: number,
  writes: readonly WriteHandle[],
  from: number,
  to: number,
  gone: Gone,
): string | null {
  const covering = writes.filter((write) => covers(write, from, to))
  let underWay: WriteHandle | null = null
  let candidates = 0
  for (const write of covering) {
    if (gone(write, covering)) continue
    candidates++
    if (!holds(write, bytes, base, from, to)) continue
    if (write.ended !== NEVER) return null
    underWay ??= write
  }
  if (underWay !== null) {
    underWay.seen = true
    return null
  }
  return `bytes ${from} to ${to - 1} read as none of the ${candidates} writes that they may come from`
}

function covers({ offset, end }: WriteHandle, from: number, to: number): boolean {
  return offset <= from && end >= to
}

/** Whether `write` can no longer be read, by a read that began at `began`, where `later` wrote too. */
function supersedes(later: WriteHandle, write: WriteHandle, began: number): boolean {
  return later.took && later.ended < began && write.ended < later.began
}

function holds(write: WriteHandle, bytes: Uint8Array, base: number, from: number, to: number): boolean {
  const { offset } = write
  const source = write.bytes ?? ZEROS
  const start = write.bytes === null ? 0 : from - offset
  const shift = from - base - start
  const end = start + to - from
  let at = start
  // Word by word where both are aligned.
  if (((bytes.byteOffset + at + shift) | (source.byteOffset + at)) % 4 === 0) {
    const words = (end - at) >>> 2
    const a = new Int32Array(source.buffer, source.byteOffset + at, words)
    const b = new Int32Array(bytes.buffer, bytes.byteOffset + at + shift, words)
    for (let i = 0; i < words; i++) if (a[i] !== b[i]) return false
    at += words * 4
  }
  for (; at < end; at++) if (bytes[at + shift] !== source[at]) return false
  return true
}

/** As much as a piece can be long. */
const ZEROS = new Uint8Array(BLOCK)

function blankBlock(block: number): WriteHandle {
  return {
    offset: block * BLOCK,
    end: (block + 1) * BLOCK,
    bytes: null,
    began: -1,
    ended: 0,
    took: true,
    durable: true,
    seen: false,
  }
}
