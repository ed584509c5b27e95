/** A part of another device, from a block on, as a device of its own. */
import { assert } from '../base/assert.js'
import { Status } from '../base/status.js'
import { type BlockDevice, type Completed, DeviceOp, isOnDevice } from './block-device.js'

export class OffsetDevice implements BlockDevice {
  private completed: Completed | undefined

  /** `blockCount` blocks from `offset` on. */
  constructor(
    private readonly inner: BlockDevice,
    private readonly offset: number,
    readonly blockCount = inner.blockCount - offset,
  ) {
    assert(offset >= 0 && isOnDevice(inner.blockCount, offset, blockCount), 'the part lies on the device')
  }

  attach(completed: Completed): void {
    this.completed = completed
    this.inner.attach(completed)
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    if (op === DeviceOp.Flush || isOnDevice(this.blockCount, block, count)) {
      this.inner.submit(op, block + this.offset, count, at, tag)
    } else {
      this.completed!(tag, Status.IoError)
    }
  }

  kick(): void {
    this.inner.kick()
  }
}
