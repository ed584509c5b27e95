/**
 * Does the work of `Steps` inside a zone, which never waits: each thing that they want done goes to bio with the one
 * vio that this owns, and they go on when it comes back. What they want read or written goes straight to and from
 * their bytes if these lie in the arena, and in pieces through a buffer there if not.
 *
 * A broken invariant in the work is one of the engine, and stops it; any other error ends the work.
 *
 * Nothing outside the index's region is ever touched: what a damaged table of the region leads to is an error.
 */
import { assert } from '../base/assert.js'
import { VdoError } from '../base/errors.js'
import { type Pbn, type VioIndex, ZERO_BLOCK } from '../base/ids.js'
import { STATUS_FACTS, Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { BioOp, type Hop, hop } from '../vio/opcodes.js'
import { IoKind } from '../vio/vio-table.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { IndexError } from './index-error.js'
import { type Steps, type StorageCommand, StorageOp } from './storage-steps.js'

/** Blocks of the buffer. */
export const BOUNCE_BLOCKS = 16

/** What work yields that waits for something else than the disk: it goes on when it is woken, and looks again. */
export const WAIT: StorageCommand = {
  op: StorageOp.Flush,
  block: 0,
  count: 0,
  bytes: new Uint8Array(0),
  at: 0,
}

/** Where the index lies on the device, in blocks. */
export interface RegionPlace {
  readonly block: number
  readonly blocks: number
}

/** Told at the end: of the error, if the work failed. */
export type WorkDone = (error: VdoError | null) => void

export class RegionWork {
  private steps: Steps<void> | null = null
  private done: WorkDone = () => {}
  private command: StorageCommand | null = null
  /** Blocks of the command that are done, and that are with bio. */
  private moved = 0
  private moving = 0
  private withBio = false
  private held = false
  private waiting = false

  /** `bufferAt` is the arena offset of `BOUNCE_BLOCKS` blocks; `back` brings the vio home. */
  constructor(
    private readonly context: ZoneContext,
    private readonly region: RegionPlace,
    readonly vio: VioIndex,
    private readonly bufferAt: number,
    private readonly back: Hop,
  ) {}

  get isBusy(): boolean {
    return this.steps !== null
  }

  /** Whether it waits for the disk, and so cannot be dropped. */
  get isWithBio(): boolean {
    return this.withBio
  }

  /** Begins work. `done` may be called before this returns. */
  start(steps: Steps<void>, done: WorkDone): void {
    assert(this.steps === null, 'one piece of work at a time')
    this.steps = steps
    this.done = done
    this.goOn(null)
  }

  /** Lets the work rest before its next step, until `release`. */
  hold(): void {
    this.held = true
  }

  release(): void {
    this.held = false
    if (this.steps !== null && !this.withBio && !this.waiting) this.goOn(null)
  }

  /** Goes on if the work waits. */
  wake(): void {
    if (!this.waiting) return
    this.waiting = false
    this.goOn(null)
  }

  /** The vio came home. */
  returned(): void {
    const { command } = this
    assert(this.withBio && command !== null, 'only what was sent comes home')
    this.withBio = false
    const status = this.context.vios.status[this.vio]
    if (status !== Status.Success) return this.goOn(failure(command, status))
    if (command.op === StorageOp.Read && !this.isInArena(command)) this.copyOut(command)
    this.moved += this.moving
    if (command.op !== StorageOp.Flush && this.moved < command.count) this.send(command)
    else this.goOn(null)
  }

  /** Asks the steps for what they want next, until it is something that bio must do. */
  private goOn(error: Error | null): void {
    let problem = error
    this.command = null
    while (this.steps !== null) {
      if (this.held && problem === null) return
      let next: IteratorResult<StorageCommand, void>
      try {
        next = problem === null ? this.steps.next() : this.steps.throw(problem)
      } catch (thrown) {
        if (!(thrown instanceof VdoError)) throw thrown
        return this.end(thrown)
      }
      if (next.done === true) return this.end(null)
      if (next.value === WAIT) {
        this.waiting = true
        return
      }
      problem = this.whyNot(next.value)
      if (problem === null) {
        this.command = next.value
        this.moved = 0
        return this.send(next.value)
      }
    }
  }

  private end(error: VdoError | null): void {
    const { done } = this
    this.steps = null
    this.command = null
    done(error)
  }

  private whyNot({ op, block, count }: StorageCommand): Error | null {
    if (op === StorageOp.Flush) return null
    const { region } = this
    assert(count > 0, 'a transfer has blocks')
    if (block >= region.block && block + count <= region.block + region.blocks) return null
    return new IndexError(
      'VDO_INDEX_CORRUPT',
      `Cannot go to blocks ${block} to ${block + count - 1}: the index has ${region.block} to ${region.block + region.blocks - 1}`,
    )
  }

  private send(command: StorageCommand): void {
    const { vios, post, placement, volume } = this.context
    const { vio } = this
    vios.status[vio] = Status.Success
    this.withBio = true
    if (command.op === StorageOp.Flush) {
      this.moving = 0
      vios.aim(vio, IoKind.Index, ZERO_BLOCK, this.bufferAt, 0, this.back)
      return post.send(hop(BioOp.Flush, placement.writer), vio)
    }
    const direct = this.isInArena(command)
    const left = command.count - this.moved
    this.moving = direct ? left : Math.min(left, BOUNCE_BLOCKS)
    const at = direct ? command.bytes.byteOffset + this.offset(command) : this.bufferAt
    const first = (command.block + this.moved + volume.bioOffset) as Pbn
    vios.aimRun(vio, IoKind.Index, first, this.moving, at, 0, this.back)
    if (command.op === StorageOp.Read) return post.send(hop(BioOp.Read, placement.reader(vio)), vio)
    if (!direct) this.copyIn(command)
    post.send(hop(BioOp.Write, placement.writer), vio)
  }

  /** Where in its bytes the command goes on. */
  private offset(command: StorageCommand): number {
    return command.at + this.moved * BLOCK_SIZE
  }

  private copyIn(command: StorageCommand): void {
    const from = this.offset(command)
    this.context.arena.set(command.bytes.subarray(from, from + this.moving * BLOCK_SIZE), this.bufferAt)
  }

  private copyOut(command: StorageCommand): void {
    const end = this.bufferAt + this.moving * BLOCK_SIZE
    command.bytes.set(this.context.arena.subarray(this.bufferAt, end), this.offset(command))
  }

  private isInArena({ bytes }: StorageCommand): boolean {
    return bytes.buffer === this.context.arena.buffer
  }
}

const VERBS: Readonly<Record<StorageOp, string>> = {
  [StorageOp.Read]: 'read',
  [StorageOp.Write]: 'write',
  [StorageOp.Flush]: 'flush',
}

function failure({ op, block, count }: StorageCommand, status: Status): Error {
  const what = op === StorageOp.Flush ? 'the store' : `blocks ${block} to ${block + count - 1}`
  return new IndexError(
    'VDO_INDEX_IO',
    `Cannot ${VERBS[op]} ${what} of the index: ${STATUS_FACTS[status].sentence}`,
  )
}
