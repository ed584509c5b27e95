/**
 * An export as a client over the wire has it, behind the contract of a volume: what drives the one can drive the
 * other. When the server is gone, what it had answered until then still counts, and the rest ends as it does on an
 * engine that has halted.
 */

import { Status } from '../../../src/base/status.js'
import type { Completion, ExportTarget } from '../../../src/engine/export-target.js'
import { CMD, E, FLAG, RawClient } from './raw-client.js'

interface Asked {
  readonly into: Uint8Array | null
  readonly done: Completion
}

export class NbdTarget implements ExportTarget {
  private cookie = 0n
  private hasEnded = false
  /** In the order in which they were sent. */
  private readonly asked = new Map<bigint, Asked>()

  private constructor(
    private readonly client: RawClient,
    readonly sizeBytes: number,
  ) {}

  static async attach(uri: string, sizeBytes: number): Promise<NbdTarget> {
    const target = new NbdTarget(await RawClient.attach(uri), sizeBytes)
    void target.listen()
    return target
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.post(CMD.read, offset, into.length, 0, done, { into })
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    this.post(CMD.write, offset, bytes.length, fua ? FLAG.fua : 0, done, { payload: bytes })
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.post(CMD.trim, offset, length, fua ? FLAG.fua : 0, done)
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.post(CMD.zeroes, offset, length, fua ? FLAG.fua : 0, done)
  }

  flush(done: Completion): void {
    this.post(CMD.flush, 0, 0, 0, done)
  }

  forClient(): ExportTarget {
    return this
  }

  /** Leaves as a client does that is done. */
  detach(): void {
    this.client.destroy()
  }

  private post(
    command: number,
    offset: number,
    length: number,
    flags: number,
    done: Completion,
    { into = null, payload }: { into?: Uint8Array | null; payload?: Uint8Array } = {},
  ): void {
    const cookie = this.cookie++
    this.asked.set(cookie, { into, done })
    if (this.hasEnded) queueMicrotask(() => this.answer(cookie, Status.EngineHalted))
    else this.client.post(command, cookie, offset, length, flags, payload)
  }

  private async listen(): Promise<void> {
    for (;;) {
      const reply = await this.client.reply().catch(() => null)
      if (reply === null) break
      this.asked.get(reply.cookie)?.into?.set(reply.data)
      this.answer(reply.cookie, statusOf(reply.error))
    }
    this.hasEnded = true
    for (const cookie of this.asked.keys()) this.answer(cookie, Status.EngineHalted)
  }

  private answer(cookie: bigint, status: Status): void {
    const { done } = this.asked.get(cookie)!
    this.asked.delete(cookie)
    done(status)
  }
}

function statusOf(error: number): Status {
  if (error === 0) return Status.Success
  return error === E.noSpace ? Status.NoSpace : Status.IoError
}
