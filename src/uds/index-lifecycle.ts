/**
 * Opens and closes an index as it is told, while the volume serves: after the volume is loaded, and by VDO's messages
 * `index-create`, `index-close`, `index-enable` and `index-disable`. What is wanted may change at any time; whatever
 * is under way is finished first, then the next thing is done that leads there.
 *
 * ```
 *              open                     opened
 *   Closed ───────────────► Opening ────────────► Open
 *     ▲  ▲                     │                   │ close, or a new one is wanted
 *     │  └──── failed ─────────┘                   ▼
 *     └──────────────────────────────────────── Closing
 * ```
 *
 * An index that fails, at any time, is closed and says so until it is opened again. Owned by index zone 0.
 */
import { assert, unreachable } from '../base/assert.js'
import { IndexStage } from '../vio/boards.js'
import { FrontOp, hop, IndexControl } from '../vio/opcodes.js'
import type { ZoneContext } from '../vio/zone-context.js'

/** What can be opened and closed. Each answers later, or at once. */
export interface Openable {
  /** Opens what is there, or makes a new one. Answered by `opened`, or `failed`. */
  open(create: boolean): void
  /** Saves and closes. Answered by `closed`. */
  close(): void
}

export class IndexLifecycle {
  private wantsOpen = false
  private wantsNew = false
  private isFirst: boolean
  /** The volume is at rest: nothing is begun. */
  private resting = false

  constructor(
    private readonly context: ZoneContext,
    private readonly index: Openable,
  ) {
    this.isFirst = context.volume.isNew
  }

  get stage(): IndexStage {
    return this.context.boards.indexStage
  }

  /** The volume is loaded. An index that is not to be used is not opened either. */
  begin(): void {
    if (!this.context.boards.deduplicating) return
    this.wantsOpen = true
    this.advance()
  }

  control(control: IndexControl): void {
    const { boards } = this.context
    switch (control) {
      case IndexControl.Create:
        this.wantsOpen = true
        this.wantsNew = true
        break
      case IndexControl.Close:
        this.wantsOpen = false
        this.wantsNew = false
        break
      case IndexControl.Enable:
        this.wantsOpen = true
        boards.deduplicating = true
        break
      case IndexControl.Disable:
        this.wantsOpen = true
        boards.deduplicating = false
        break
      default:
        unreachable('the index knows its controls', control)
    }
    boards.indexControls++
    this.advance()
  }

  /** Begins nothing more until `goOn`. */
  rest(): void {
    this.resting = true
  }

  goOn(): void {
    this.resting = false
    this.advance()
  }

  opened(): void {
    assert(this.stage === IndexStage.Opening, 'only what is being opened gets open')
    this.enter(IndexStage.Open)
    this.advance()
  }

  closed(): void {
    assert(this.stage === IndexStage.Closing, 'only what is being closed gets closed')
    this.enter(IndexStage.Closed)
    this.advance()
  }

  /** The index cannot go on and is being closed; `failed` follows. */
  failing(): void {
    this.enter(IndexStage.Closing)
  }

  /** The index cannot be opened, or cannot go on. What is wanted is forgotten with it. */
  failed(sentence: string): void {
    const { boards } = this.context
    boards.indexProblem = sentence
    boards.indexFailed = true
    this.wantsOpen = false
    this.wantsNew = false
    this.enter(IndexStage.Closed)
    this.advance()
  }

  private advance(): void {
    if (this.resting) return
    const { stage } = this
    if (stage === IndexStage.Open && (this.wantsNew || !this.wantsOpen)) {
      this.enter(IndexStage.Closing)
      return this.index.close()
    }
    if (stage === IndexStage.Closed && this.wantsOpen) {
      // A volume that was never loaded has no index to look for.
      const create = this.wantsNew || this.isFirst
      this.wantsNew = false
      this.isFirst = false
      this.context.boards.indexFailed = false
      this.enter(IndexStage.Opening)
      return this.index.open(create)
    }
    if (stage === IndexStage.Open || stage === IndexStage.Closed) {
      this.context.post.send(hop(FrontOp.IndexSettled, 0), 0)
    }
  }

  private enter(stage: IndexStage): void {
    this.context.boards.indexStage = stage
  }
}
