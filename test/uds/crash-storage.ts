/** Blocks on a disk that loses its power: what was not flushed may be there afterwards or not, each block by itself. */
import type { Prng } from '../../src/base/prng.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { type Steps, StorageOp } from '../../src/uds/storage-steps.js'
import { copyOf, MapStorage } from './uds-samples.js'

export class CrashStorage {
  /** What is read. */
  private readonly visible: MapStorage
  private readonly durable: MapStorage
  private pending: { block: number; bytes: Uint8Array; command: number }[] = []
  /** Commands that were done. */
  done = 0

  constructor(start: MapStorage = new MapStorage()) {
    this.visible = copyOf(start)
    this.durable = copyOf(start)
  }

  /** Does work up to so many commands. Returns whether it came to its end. */
  runFor<T>(steps: Steps<T>, commands: number): { ended: true; value: T } | { ended: false } {
    for (let i = 0; ; i++) {
      const { done, value: command } = steps.next()
      if (done === true) return { ended: true, value: command }
      if (i === commands) return { ended: false }
      const number = this.done++
      const { op, block, count, bytes, at } = command
      if (op === StorageOp.Read) this.visible.read(block, count, bytes, at)
      else if (op === StorageOp.Write) {
        this.visible.write(block, count, bytes, at)
        for (let b = 0; b < count; b++) {
          const from = at + b * BLOCK_SIZE
          this.pending.push({
            block: block + b,
            bytes: bytes.slice(from, from + BLOCK_SIZE),
            command: number,
          })
        }
      } else {
        for (const { block: at, bytes: written } of this.pending) this.durable.blocks.set(at, written)
        this.pending = []
      }
    }
  }

  run<T>(steps: Steps<T>): T {
    const outcome = this.runFor(steps, Number.POSITIVE_INFINITY)
    if (!outcome.ended) throw new Error('work without bounds ends')
    return outcome.value
  }

  /** What is there after the power was cut. Each block written since the last flush is kept or lost by chance. */
  cut(chance: Prng): MapStorage {
    return this.cutWhere(() => chance.below(2) === 0)
  }

  /** The same, where what one command wrote is kept or lost together. */
  cutBetweenWrites(chance: Prng): MapStorage {
    const kept = Array.from({ length: this.done }, () => chance.below(2) === 0)
    return this.cutWhere((command) => kept[command]!)
  }

  private cutWhere(isKept: (command: number) => boolean): MapStorage {
    const left = copyOf(this.durable)
    for (const { block, bytes, command } of this.pending) if (isKept(command)) left.blocks.set(block, bytes)
    return left
  }
}
