/**
 * What a disk must hold, told from the log of its writes and flushes: a write is *stable* when a flush has ended
 * that began after the write had ended. Until then the disk may have it or not. A write that failed, or that was
 * waiting for a flush that failed, never becomes stable: nobody knows what of it is there.
 *
 * Time is counted in events of the log.
 */
import { BLOCK } from './decode.js'

/** A write of one block. `Fact` is what the checker knows of its contents. */
export interface Version<Fact> {
  readonly block: number
  readonly bytes: Uint8Array
  readonly fact: Fact
  /** When it ended; 0 while it is under way. */
  ended: number
  isLost: boolean
}

interface BlockHistory<Fact> {
  stable: Version<Fact> | null
  /** Writes since, in the order of their beginnings. */
  readonly since: Version<Fact>[]
}

interface UnderWay<Fact> {
  readonly versions: readonly Version<Fact>[]
  readonly began: number
}

const ZEROS = new Uint8Array(BLOCK)

export class StableDisk<Fact> {
  now = 0
  /** When the newest of the flushes that have ended began. */
  flushedUpTo = 0
  /** When the flush began that ended last. */
  lastFlushBegan = 0
  private readonly blocks = new Map<number, BlockHistory<Fact>>()
  private readonly underWay = new Map<number, UnderWay<Fact>>()
  /** Writes that have ended and wait for a flush, oldest end first. */
  private waiting: Version<Fact>[] = []

  /** `onEnded` and `onStable` hear of each block of a write. */
  constructor(
    private readonly onEnded: (version: Version<Fact>) => void,
    private readonly onStable: (version: Version<Fact>) => void,
  ) {}

  beginWrite(request: number, versions: readonly Version<Fact>[]): void {
    this.underWay.set(request, { versions, began: ++this.now })
    for (const version of versions) this.history(version.block).since.push(version)
  }

  beginFlush(request: number): void {
    this.underWay.set(request, { versions: [], began: ++this.now })
  }

  /** A request that began before anyone listened is none of ours. */
  end(request: number, isDone: boolean): void {
    this.now++
    const ended = this.underWay.get(request)
    if (ended === undefined) return
    this.underWay.delete(request)
    if (ended.versions.length > 0) this.endWrite(ended.versions, isDone)
    else this.endFlush(ended.began, isDone)
  }

  /** Takes what lies on the disk for stable. */
  adopt(version: Version<Fact>): void {
    this.history(version.block).stable = version
  }

  /** Nothing is under way, and every write that has ended is stable or lost. */
  get isSettled(): boolean {
    return this.underWay.size === 0 && this.waiting.length === 0
  }

  /** The bytes that every later write of the block begins with. */
  newest(block: number): Uint8Array {
    const history = this.blocks.get(block)
    return history?.since.at(-1)?.bytes ?? history?.stable?.bytes ?? ZEROS
  }

  stable(block: number): Version<Fact> | null {
    return this.blocks.get(block)?.stable ?? null
  }

  /** Writes of the block that the disk may have or not. */
  unstable(block: number): readonly Version<Fact>[] {
    return this.blocks.get(block)?.since ?? []
  }

  /** Everything that a crash may leave in the block, but for what it tears. */
  *possible(block: number): Generator<Version<Fact>> {
    const history = this.blocks.get(block)
    if (history === undefined) return
    if (history.stable !== null) yield history.stable
    yield* history.since
  }

  private endWrite(versions: readonly Version<Fact>[], isDone: boolean): void {
    for (const version of versions) {
      version.ended = this.now
      version.isLost = !isDone
      if (isDone) this.waiting.push(version)
      this.onEnded(version)
    }
  }

  private endFlush(began: number, isDone: boolean): void {
    const covered = this.waiting.filter(({ ended }) => !isDone || ended < began)
    this.waiting = isDone ? this.waiting.filter(({ ended }) => ended >= began) : []
    if (isDone) {
      this.flushedUpTo = Math.max(this.flushedUpTo, began)
      this.lastFlushBegan = began
    }
    for (const version of covered) {
      if (isDone) this.makeStable(version)
      else version.isLost = true
    }
  }

  private makeStable(version: Version<Fact>): void {
    const history = this.history(version.block)
    const at = history.since.indexOf(version)
    // A write that began later may be stable already.
    if (at < 0) return
    history.since.splice(0, at + 1)
    history.stable = version
    this.onStable(version)
  }

  private history(block: number): BlockHistory<Fact> {
    let history = this.blocks.get(block)
    if (history === undefined) {
      history = { stable: null, since: [] }
      this.blocks.set(block, history)
    }
    return history
  }
}
