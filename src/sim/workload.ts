/**
 * A random client: writes of all kinds of content, partial writes, reads, discards and flushes at addresses that
 * meet often, with several requests in flight. Every read is checked by the oracle.
 */
import type { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import type { ExportTarget } from '../engine/export-target.js'
import { Oracle, SECTOR } from './oracle.js'

const BLOCK = 4096

/** What went wrong for a client; the first one ends the run. */
export class WorkloadFailure extends Error {}

export class Workload {
  /** Requests answered. */
  answered = 0
  noSpace = 0
  inFlight = 0
  private readonly leaves: number
  private readonly seeds: number

  constructor(
    private readonly target: ExportTarget,
    private readonly prng: Prng,
    private readonly oracle: Oracle,
    /** Requests in flight at most. */
    readonly depth: number,
  ) {
    this.leaves = Math.floor(target.sizeBytes / BLOCK / 812)
    // Few distinct contents make duplicates, many fill the volume.
    this.seeds = prng.pick([4, 40, 4000])
  }

  /** Issues one request, if the depth allows. */
  issue(): void {
    if (this.inFlight >= this.depth) return
    const { prng } = this
    const roll = prng.below(100)
    if (roll < 50) this.write()
    else if (roll < 80) this.read()
    else if (roll < 92) this.discard()
    else this.flush()
  }

  /** Reads a block wherever something may have been written, one request each; call until it says false. */
  readBack(block: number): void {
    this.check(block * BLOCK, BLOCK)
  }

  private write(): void {
    const { prng, oracle } = this
    const [offset, length] = this.range(prng.chance(0.25) ? SECTOR : BLOCK)
    const bytes = this.content(length)
    const handle = oracle.beginWrite(offset, bytes)
    this.begin()
    this.target.write(offset, bytes, prng.chance(0.1), (status) => {
      this.end(status)
      oracle.endWrite(handle, status === Status.Success)
    })
  }

  private read(): void {
    const [offset, length] = this.range(this.prng.chance(0.25) ? SECTOR : BLOCK)
    this.check(offset, length)
  }

  private check(offset: number, length: number): void {
    const bytes = new Uint8Array(length)
    const handle = this.oracle.beginRead(offset, length)
    this.begin()
    this.target.read(offset, bytes, (status) => {
      this.end(status)
      if (status !== Status.Success)
        throw new WorkloadFailure(`a read at ${offset} fails with ${Status[status]}`)
      const complaint = this.oracle.endRead(handle, bytes)
      if (complaint !== null) throw new WorkloadFailure(complaint)
    })
  }

  private discard(): void {
    const { prng, oracle } = this
    const [offset, length] = this.range(prng.chance(0.3) ? SECTOR : BLOCK, 40)
    const handle = oracle.beginWrite(offset, new Uint8Array(length))
    this.begin()
    this.target.zero(offset, length, prng.chance(0.1), (status) => {
      this.end(status)
      oracle.endWrite(handle, status === Status.Success)
    })
  }

  private flush(): void {
    this.begin()
    this.target.flush((status) => this.end(status))
  }

  private begin(): void {
    this.inFlight++
  }

  private end(status: Status): void {
    this.inFlight--
    this.answered++
    if (status === Status.NoSpace) this.noSpace++
    else if (status !== Status.Success) throw new WorkloadFailure(`a request ends with ${Status[status]}`)
  }

  /** Near the start of some leaf, where requests meet. */
  private range(unit: number, most = 6): [number, number] {
    const { prng } = this
    const leaf = prng.below(this.leaves)
    const start = leaf * 812 * BLOCK + prng.below((30 * BLOCK) / unit) * unit
    const length = unit * prng.between(1, prng.chance(0.7) ? 1 : most * (BLOCK / unit))
    return [start, Math.min(length, this.target.sizeBytes - start)]
  }

  private content(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += BLOCK) {
      this.fill(bytes.subarray(at, Math.min(at + BLOCK, length)))
    }
    return bytes
  }

  /** Zeros, noise, or mostly zeros after a little noise; the same seed gives the same block. */
  private fill(block: Uint8Array): void {
    const { prng } = this
    const kind = prng.below(10)
    if (kind === 0) return
    const seed = prng.below(this.seeds)
    const noise = kind < 5 ? block.length : Math.min(block.length, 40 + (seed % 7) * 300)
    let state = (seed * 2654435761 + 12345) >>> 0
    for (let i = 0; i < noise; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      block[i] = state >>> 24
    }
  }
}
