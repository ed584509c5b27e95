/** A target whose answered flushes the order checker hears of. */
import { Status } from '../../base/status.js'
import type { Completion, ExportTarget } from '../../engine/export-target.js'
import type { OrderChecker } from './order-checker.js'

export class WatchedTarget implements ExportTarget {
  constructor(
    private readonly target: ExportTarget,
    private readonly order: OrderChecker,
  ) {}

  forClient(): ExportTarget {
    return new WatchedTarget(this.target.forClient(), this.order)
  }

  get sizeBytes(): number {
    return this.target.sizeBytes
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.target.read(offset, into, done)
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.target.write(offset, bytes, fua, done)
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.trim(offset, length, fua, done)
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.zero(offset, length, fua, done)
  }

  flush(done: Completion): void {
    const began = this.order.disk.now
    this.target.flush((status) => {
      if (status === Status.Success) this.order.flushAnswered(began)
      done(status)
    })
  }
}
