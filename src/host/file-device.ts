/**
 * A file or block device as a store: positional synchronous calls on views of the arena, made by the one thread
 * that owns this object. Short transfers are continued, interrupted ones repeated; any other failure is an I/O
 * error whose reason goes to `report`, since a status has no room for one.
 */
import { fdatasyncSync, readSync, writeSync, writevSync } from 'node:fs'
import { Status } from '../base/status.js'
import { DEVICE_BLOCK_BYTES, isOnDevice, type SynchronousDevice } from '../device/block-device.js'
import type { BackingFile } from './backing-file.js'
import { codeOf, isPassing } from './system-reason.js'

/** The calls of the machine, all positional. Tests hand in others that fail or stop short. */
export interface FileCalls {
  read(descriptor: number, bytes: Uint8Array, position: number): number
  write(descriptor: number, bytes: Uint8Array, position: number): number
  writev(descriptor: number, pieces: Uint8Array[], position: number): number
  sync(descriptor: number): void
}

const MACHINE: FileCalls = {
  read: (descriptor, bytes, position) => readSync(descriptor, bytes, 0, bytes.length, position),
  write: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.length, position),
  writev: (descriptor, pieces, position) => writevSync(descriptor, pieces, position),
  sync: (descriptor) => fdatasyncSync(descriptor),
}

interface FileDeviceOptions {
  /** Hears in a sentence why a call failed. */
  readonly report?: (sentence: string) => void
  /** Never syncs: what was acknowledged may be lost with the machine. */
  readonly unsafe?: boolean
  readonly calls?: FileCalls
}

export class FileDevice implements SynchronousDevice {
  readonly blockCount: number
  private readonly descriptor: number
  private readonly path: string
  private readonly report: (sentence: string) => void
  private readonly unsafe: boolean
  private readonly calls: FileCalls
  /** The views of a joined write: emptied after each, so that it keeps its room. */
  private readonly pieces: Uint8Array[] = []

  constructor(
    { path, descriptor, blockCount }: BackingFile,
    private readonly arena: Uint8Array,
    { report = () => {}, unsafe = false, calls = MACHINE }: FileDeviceOptions = {},
  ) {
    this.path = path
    this.descriptor = descriptor
    this.blockCount = blockCount
    this.report = report
    this.unsafe = unsafe
    this.calls = calls
  }

  read(block: number, count: number, at: number): Status {
    if (!isOnDevice(this.blockCount, block, count)) return this.outside('read', block, count)
    const bytes = count * DEVICE_BLOCK_BYTES
    const position = block * DEVICE_BLOCK_BYTES
    for (let done = 0; done < bytes; ) {
      try {
        const view = this.arena.subarray(at + done, at + bytes)
        const moved = this.calls.read(this.descriptor, view, position + done)
        if (moved === 0) return this.failed('read', block, count, 'the file ends before the block')
        done += moved
      } catch (error) {
        if (!isPassing(error)) return this.failed('read', block, count, reasonOf(error))
      }
    }
    return Status.Success
  }

  write(block: number, count: number, at: number): Status {
    if (!isOnDevice(this.blockCount, block, count)) return this.outside('write', block, count)
    const bytes = count * DEVICE_BLOCK_BYTES
    const position = block * DEVICE_BLOCK_BYTES
    for (let done = 0; done < bytes; ) {
      try {
        const view = this.arena.subarray(at + done, at + bytes)
        const moved = this.calls.write(this.descriptor, view, position + done)
        if (moved === 0) return this.failed('write', block, count, 'nothing more was taken')
        done += moved
      } catch (error) {
        if (!isPassing(error)) return this.failed('write', block, count, reasonOf(error))
      }
    }
    return Status.Success
  }

  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status {
    const { pieces, arena } = this
    let blocks = 0
    for (let i = first; i < end; ) {
      // Pieces that are neighbours in the arena too are one view.
      const at = ats[i]!
      let after = at
      do {
        after += counts[i]! * DEVICE_BLOCK_BYTES
        blocks += counts[i]!
        i++
      } while (i < end && ats[i] === after)
      pieces.push(arena.subarray(at, after))
    }
    const status = isOnDevice(this.blockCount, block, blocks)
      ? this.writePieces(block, blocks)
      : this.outside('write', block, blocks)
    pieces.length = 0
    return status
  }

  sync(): Status {
    if (this.unsafe) return Status.Success
    for (;;) {
      try {
        this.calls.sync(this.descriptor)
        return Status.Success
      } catch (error) {
        // The machine may forget a failed write once it has told of it: only an interruption is tried again.
        if (codeOf(error) === 'EINTR') continue
        this.report(`Cannot sync ${this.path}: ${reasonOf(error)}`)
        return Status.IoError
      }
    }
  }

  /** Writes all of `pieces` from `block` on. */
  private writePieces(block: number, blocks: number): Status {
    const { pieces } = this
    let position = block * DEVICE_BLOCK_BYTES
    while (pieces.length > 0) {
      try {
        let moved = this.calls.writev(this.descriptor, pieces, position)
        if (moved === 0) return this.failed('write', block, blocks, 'nothing more was taken')
        position += moved
        let whole = 0
        while (whole < pieces.length && moved >= pieces[whole]!.length) moved -= pieces[whole++]!.length
        if (whole === pieces.length) return Status.Success
        pieces.splice(0, whole)
        if (moved > 0) pieces[0] = pieces[0]!.subarray(moved)
      } catch (error) {
        if (!isPassing(error)) return this.failed('write', block, blocks, reasonOf(error))
      }
    }
    return Status.Success
  }

  private outside(action: string, block: number, count: number): Status {
    return this.failed(action, block, count, `the device has ${this.blockCount} blocks`)
  }

  private failed(action: string, block: number, count: number, reason: string): Status {
    this.report(`Cannot ${action} ${count} block(s) from block ${block} of ${this.path}: ${reason}`)
    return Status.IoError
  }
}

function reasonOf(error: unknown): string {
  return codeOf(error) === 'ENOSPC'
    ? 'the file system that holds the backing file is full'
    : (error as Error).message
}
