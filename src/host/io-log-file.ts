/**
 * The log of a store's writes and flushes as a file, so that another thread, or a later program, can look at it.
 * Each event is appended with one call while it happens: a process that is killed leaves a log that lacks nothing
 * but its last event.
 *
 * | offset | size      | field                                                         |
 * |--------|-----------|---------------------------------------------------------------|
 * | 0      | 4         | kind: 1 write begins, 2 flush begins, 3 done, 4 failed         |
 * | 4      | 4         | blocks that follow the header (of a write)                    |
 * | 8      | 8         | number of the request, a float                                |
 * | 16     | 8         | first block on the store (of a write), a float                |
 * | 24     | 4096 × n  | the blocks                                                    |
 *
 * Little-endian. This is not a part of the volume's format.
 */
import { closeSync, openSync, readSync, writevSync } from 'node:fs'
import { DEVICE_BLOCK_BYTES } from '../device/block-device.js'
import type { IoLog } from '../device/logging-device.js'

enum Kind {
  Write = 1,
  Flush = 2,
  Done = 3,
  Failed = 4,
}

const HEADER_BYTES = 24
const NO_BYTES = new Uint8Array(0)

export class IoLogFile implements IoLog {
  private descriptor = -1
  private readonly header = new Uint8Array(HEADER_BYTES)
  private readonly view = new DataView(this.header.buffer)

  /** The file is opened, and made if need be, with the first event: whoever only reads never touches it. */
  constructor(private readonly path: string) {}

  writeBegun(request: number, block: number, bytes: Uint8Array): void {
    this.append(Kind.Write, request, block, bytes)
  }

  flushBegun(request: number): void {
    this.append(Kind.Flush, request, 0, NO_BYTES)
  }

  ended(request: number, isDone: boolean): void {
    this.append(isDone ? Kind.Done : Kind.Failed, request, 0, NO_BYTES)
  }

  private append(kind: Kind, request: number, block: number, bytes: Uint8Array): void {
    if (this.descriptor < 0) this.descriptor = openSync(this.path, 'a')
    const { view, header } = this
    view.setUint32(0, kind, true)
    view.setUint32(4, bytes.length / DEVICE_BLOCK_BYTES, true)
    view.setFloat64(8, request, true)
    view.setFloat64(16, block, true)
    const written = writevSync(this.descriptor, [header, bytes])
    if (written !== HEADER_BYTES + bytes.length) throw new Error(`Cannot append to ${this.path}: it is full`)
  }
}

/** Tells `log` all events of a file in their order. Gives how many there were; one that is cut off is left out. */
export function replayLog(path: string, log: IoLog): number {
  let events = 0
  for (const _ of stepThroughLog(path, log)) events++
  return events
}

/** As `replayLog`, an event at each step, which gives where in the file the event ends: so many bytes from its start. */
export function* stepThroughLog(path: string, log: IoLog): Generator<number, void> {
  const descriptor = openSync(path, 'r')
  try {
    const header = new Uint8Array(HEADER_BYTES)
    const view = new DataView(header.buffer)
    for (let at = 0; ; ) {
      if (readSync(descriptor, header, 0, HEADER_BYTES, at) < HEADER_BYTES) return
      const bytes = new Uint8Array(view.getUint32(4, true) * DEVICE_BLOCK_BYTES)
      at += HEADER_BYTES
      if (readSync(descriptor, bytes, 0, bytes.length, at) < bytes.length) return
      at += bytes.length
      tell(log, view.getUint32(0, true), view.getFloat64(8, true), view.getFloat64(16, true), bytes)
      yield at
    }
  } finally {
    closeSync(descriptor)
  }
}

function tell(log: IoLog, kind: Kind, request: number, block: number, bytes: Uint8Array): void {
  switch (kind) {
    case Kind.Write:
      return log.writeBegun(request, block, bytes)
    case Kind.Flush:
      return log.flushBegun(request)
    case Kind.Done:
    case Kind.Failed:
      return log.ended(request, kind === Kind.Done)
    default:
      throw new Error(`Cannot read a log of writes: there is no event ${String(kind)}`)
  }
}
