/** A volume in memory that completes in batches, on a later turn. Failures and delays are the test's to set. */

import { Status } from '../../../src/base/status.js'
import type { Completion, ExportTarget } from '../../../src/engine/export-target.js'

const BLOCK = 4096

export interface Counters {
  reads: number
  writes: number
  fua: number
  trims: number
  zeros: number
  flushes: number
}

export class MemoryTarget implements ExportTarget {
  readonly bytes: Uint8Array
  readonly count: Counters = { reads: 0, writes: 0, fua: 0, trims: 0, zeros: 0, flushes: 0 }
  /** Called for each request before it runs: a status other than success is its answer. */
  fault: (command: string, offset: number, length: number) => Status = () => Status.Success
  /** While true, nothing completes. */
  held = false
  /** Completes the youngest first. */
  reversed = false
  private waiting: (() => void)[] = []
  private scheduled = false
  inFlightBytes = 0
  highestInFlightBytes = 0

  constructor(readonly sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes)
  }

  get pending(): number {
    return this.waiting.length
  }

  release(): void {
    this.held = false
    this.schedule()
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.count.reads += 1
    this.submit('read', offset, into.length, done, () =>
      into.set(this.bytes.subarray(offset, offset + into.length)),
    )
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.count.writes += 1
    if (fua) this.count.fua += 1
    this.submit('write', offset, bytes.length, done, () => this.bytes.set(bytes, offset))
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.count.trims += 1
    if (fua) this.count.fua += 1
    const first = Math.ceil(offset / BLOCK) * BLOCK
    const end = Math.floor((offset + length) / BLOCK) * BLOCK
    this.submit('trim', offset, 0, done, () => {
      if (end > first) this.bytes.fill(0, first, end)
    })
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.count.zeros += 1
    if (fua) this.count.fua += 1
    this.submit('zero', offset, 0, done, () => this.bytes.fill(0, offset, offset + length))
  }

  forClient(): ExportTarget {
    return this
  }

  flush(done: Completion): void {
    this.count.flushes += 1
    this.submit('flush', 0, 0, done, () => {})
  }

  private submit(command: string, offset: number, length: number, done: Completion, run: () => void): void {
    if (offset < 0 || offset + length > this.sizeBytes) throw new RangeError('the server checks ranges first')
    this.inFlightBytes += length
    this.highestInFlightBytes = Math.max(this.highestInFlightBytes, this.inFlightBytes)
    this.waiting.push(() => {
      this.inFlightBytes -= length
      const status = this.fault(command, offset, length)
      if (status === Status.Success) run()
      done(status)
    })
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled || this.held) return
    this.scheduled = true
    setImmediate(() => this.complete())
  }

  private complete(): void {
    this.scheduled = false
    if (this.held) return
    const now = this.waiting
    this.waiting = []
    if (this.reversed) now.reverse()
    for (const each of now) each()
    if (this.waiting.length > 0) this.schedule()
  }
}
