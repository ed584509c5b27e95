/** A volume in memory that completes its requests in random order and can be told to misbehave in one way. */

import type { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import type { Completion, ExportTarget } from '../../src/engine/export-target.js'

const BLOCK = 4096

export type Lie =
  | 'none'
  /** A write is acknowledged and forgotten. */
  | 'lost write'
  /** A write goes to the block beside. */
  | 'misplaced write'
  /** A write in part of a block puts zeros around it. */
  | 'careless merge'
  /** A read returns half of a block from before the last write. */
  | 'torn read'
  /** A write is refused for lack of space, and took place. */
  | 'refused write'
  /** A discard leaves the last block as it was. */
  | 'short discard'
  /** The last flush is answered first. */
  | 'overtaking flush'
  | 'failing read'

export class LyingTarget implements ExportTarget {
  readonly sizeBytes: number
  private readonly bytes: Uint8Array
  private readonly before: Uint8Array
  private readonly pending: { readonly run: () => void; readonly isFlush: boolean }[] = []

  constructor(
    private readonly prng: Prng,
    private readonly lie: Lie,
    blocks: number,
  ) {
    this.sizeBytes = blocks * BLOCK
    this.bytes = new Uint8Array(this.sizeBytes)
    this.before = new Uint8Array(this.sizeBytes)
  }

  /** Completes one request; false if there is none. */
  step(): boolean {
    const { pending, prng } = this
    if (pending.length === 0) return false
    let i = prng.below(pending.length)
    if (pending[i]!.isFlush) {
      const flushes = pending.flatMap(({ isFlush }, at) => (isFlush ? [at] : []))
      i = this.lie === 'overtaking flush' ? flushes.at(-1)! : flushes[0]!
    }
    pending.splice(i, 1)[0]!.run()
    return true
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.later(() => {
      into.set(this.bytes.subarray(offset, offset + into.length))
      if (this.lies('torn read')) {
        const half = into.length >>> 1
        into.set(this.before.subarray(offset + half, offset + into.length), half)
      }
      done(this.lies('failing read') ? Status.IoError : Status.Success)
    })
  }

  write(offset: number, bytes: Uint8Array, _fua: boolean, done: Completion): void {
    this.later(() => {
      if (this.lies('lost write')) return done(Status.Success)
      const at = this.lies('misplaced write') ? (offset + BLOCK) % (this.sizeBytes - bytes.length) : offset
      this.before.set(this.bytes.subarray(at, at + bytes.length), at)
      if (bytes.length < BLOCK && this.lies('careless merge')) {
        this.bytes.fill(0, Math.floor(at / BLOCK) * BLOCK, (Math.floor(at / BLOCK) + 1) * BLOCK)
      }
      this.bytes.set(bytes, at)
      done(this.lies('refused write') ? Status.NoSpace : Status.Success)
    })
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    const start = Math.ceil(offset / BLOCK) * BLOCK
    const end = Math.floor((offset + length) / BLOCK) * BLOCK
    this.zero(start, Math.max(0, end - start), fua, done)
  }

  zero(offset: number, length: number, _fua: boolean, done: Completion): void {
    this.later(() => {
      const end = this.lies('short discard') ? offset + Math.max(0, length - BLOCK) : offset + length
      this.bytes.fill(0, offset, end)
      done(Status.Success)
    })
  }

  forClient(): ExportTarget {
    return this
  }

  flush(done: Completion): void {
    this.pending.push({ run: () => done(Status.Success), isFlush: true })
  }

  private later(run: () => void): void {
    this.pending.push({ run, isFlush: false })
  }

  /** Every fifth time. */
  private lies(lie: Lie): boolean {
    return this.lie === lie && this.prng.chance(0.2)
  }
}
