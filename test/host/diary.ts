/**
 * What clients asked and were answered, kept beside a log of the store's writes: each entry says how long the log was
 * by then. So an oracle can be told later what was promised when the log was only so long.
 *
 * The log's writer runs on a thread of its own. What was answered when the log had a length must hold for every power
 * failure after the event that ends there.
 */

import { statSync } from 'node:fs'
import { type FlushHandle, Oracle, Outcome, type WriteHandle } from '../../src/sim/oracle.js'

interface Entry {
  readonly at: number
  readonly tell: (oracle: Oracle) => void
}

export class Diary extends Oracle {
  /** Where the log ended when something was promised to be durable. */
  readonly promisedAt: number[] = []
  private readonly entries: Entry[] = []
  private told = 0
  /** From the handles of this oracle to those of the one that is told. */
  private readonly twins = new Map<WriteHandle | FlushHandle, WriteHandle | FlushHandle>()

  constructor(private readonly log: string) {
    super()
  }

  override beginWrite(offset: number, bytes: Uint8Array): WriteHandle {
    return this.begun(super.beginWrite(offset, bytes), (oracle) => oracle.beginWrite(offset, bytes))
  }

  override beginZero(offset: number, length: number): WriteHandle {
    return this.begun(super.beginZero(offset, length), (oracle) => oracle.beginZero(offset, length))
  }

  override endWrite(write: WriteHandle, outcome: Outcome, fua = false): string | null {
    const at = this.note((oracle) => void oracle.endWrite(this.twin(write), outcome, fua))
    if (fua && outcome === Outcome.Succeeded) this.promisedAt.push(at)
    return super.endWrite(write, outcome, fua)
  }

  override beginFlush(): FlushHandle {
    return this.begun(super.beginFlush(), (oracle) => oracle.beginFlush())
  }

  override endFlush(flush: FlushHandle): void {
    this.promisedAt.push(this.note((oracle) => oracle.endFlush(this.twin(flush))))
    super.endFlush(flush)
  }

  /** Goes on telling what happened while the log was at most so long. */
  tell(oracle: Oracle, length: number): void {
    const { entries } = this
    while (this.told < entries.length && entries[this.told].at <= length) entries[this.told++].tell(oracle)
  }

  private begun<Handle extends WriteHandle | FlushHandle>(
    handle: Handle,
    begin: (oracle: Oracle) => Handle,
  ): Handle {
    this.note((oracle) => void this.twins.set(handle, begin(oracle)))
    return handle
  }

  private twin<Handle extends WriteHandle | FlushHandle>(handle: Handle): Handle {
    return this.twins.get(handle) as Handle
  }

  private note(tell: Entry['tell']): number {
    const at = statSync(this.log, { throwIfNoEntry: false })?.size ?? 0
    this.entries.push({ at, tell })
    return at
  }
}
