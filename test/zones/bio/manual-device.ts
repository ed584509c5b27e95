import { Status } from '../../../src/base/status.js'
import { type BlockDevice, type Completed, DeviceOp } from '../../../src/device/block-device.js'

export interface Request {
  readonly op: DeviceOp
  readonly block: number
  readonly count: number
  readonly at: number
  readonly tag: number
}

/** A device that keeps what it is given until the test says that it is done. */
export class ManualDevice implements BlockDevice {
  readonly blockCount = 1 << 20
  readonly requests: Request[] = []
  kicks = 0
  private completed: Completed | undefined

  attach(completed: Completed): void {
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    this.requests.push({ op, block, count, at, tag })
  }

  kick(): void {
    this.kicks++
  }

  /** What is under way, as `w5` (write of block 5), `r5`, `f`. */
  get underWay(): string {
    const letters = { [DeviceOp.Read]: 'r', [DeviceOp.Write]: 'w', [DeviceOp.Flush]: 'f' }
    return this.requests.map(({ op, block }) => letters[op] + (op === DeviceOp.Flush ? '' : block)).join(' ')
  }

  /** Completes the oldest request. */
  complete(status = Status.Success): void {
    const request = this.requests.shift()
    if (request === undefined) throw new Error('nothing is under way')
    this.completed!(request.tag, status)
  }
}

/** A device that is done when `kick` returns, and tells in which order it did things. */
export class PromptDevice implements BlockDevice {
  readonly blockCount = 1 << 20
  readonly done: string[] = []
  failSyncs = false
  failWrites = false
  private completed: Completed | undefined
  private batch: Request[] = []

  attach(completed: Completed): void {
    this.completed = completed
  }

  submit(op: DeviceOp, block: number, count: number, at: number, tag: number): void {
    this.batch.push({ op, block, count, at, tag })
  }

  kick(): void {
    for (const { op, block, tag } of this.batch.splice(0)) {
      this.done.push(op === DeviceOp.Flush ? 'f' : (op === DeviceOp.Read ? 'r' : 'w') + block)
      const fails = (op === DeviceOp.Flush && this.failSyncs) || (op === DeviceOp.Write && this.failWrites)
      this.completed!(tag, fails ? Status.IoError : Status.Success)
    }
  }

  /** What was done since the last call. */
  take(): string {
    return this.done.splice(0).join(' ')
  }
}
