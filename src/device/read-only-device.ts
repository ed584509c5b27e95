/** Another device that must not change: a write fails and never reaches it, a flush has nothing to do. */
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DeviceOp } from './block-device.js'

export class ReadOnlyDevice implements BlockDevice {
  private completed: Completed | undefined

  constructor(private readonly inner: BlockDevice) {}

  get blockCount(): number {
    return this.inner.blockCount
  }

  attach(completed: Completed): void {
    this.completed = completed
    this.inner.attach(completed)
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    if (op === DeviceOp.Read) this.inner.submit(op, block, count, at, tag)
    else this.completed!(tag, op === DeviceOp.Flush ? Status.Success : Status.IoError)
  }

  kick(): void {
    this.inner.kick()
  }
}
