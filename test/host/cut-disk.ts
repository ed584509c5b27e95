/**
 * A store as a power failure may leave it, told from the log of its writes and syncs: what was synced is there; every
 * write since then may be there or not, whole or sector by sector, whatever came after it: often just the newest ones
 * are, without what they may rest on.
 */

import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { assert } from '../../src/base/assert.js'
import type { Prng } from '../../src/base/prng.js'
import { DEVICE_BLOCK_BYTES as BLOCK } from '../../src/device/block-device.js'
import type { IoLog } from '../../src/device/logging-device.js'
import { stepThroughLog } from '../../src/host/io-log-file.js'
import { StableDisk, type Version } from '../../src/sim/order/stable-disk.js'
import { copyImage } from '../kernel/images.js'

/** What a disk never tears. */
const SECTOR = 512

/** A moment between two events of a log. */
export interface Moment {
  /** Where in the log: so many bytes from its start. */
  readonly at: number
  /** Blocks that were written since the last sync ended, each as often as it was. */
  readonly unsynced: number
  /** A sync is under way: what it covers may be there already, in any part. */
  readonly isSyncing: boolean
}

/** Which of the writes of a block that are not synced is there; null for none. */
type DrawVersion = (since: readonly Version<number>[]) => Version<number> | null

/** All moments of a log, each after an event. */
export function momentsOf(log: string): Moment[] {
  let unsynced = 0
  const flushes = new Set<number>()
  const counter: IoLog = {
    writeBegun(_, __, { length }) {
      unsynced += length / BLOCK
    },
    flushBegun: (request) => void flushes.add(request),
    ended(request) {
      if (flushes.delete(request)) unsynced = 0
    },
  }
  return Array.from(stepThroughLog(log, counter), (at) => ({ at, unsynced, isSyncing: flushes.size > 0 }))
}

export class CutDisk implements IoLog {
  /** Blocks that a cut has kept from holding what was written to them last. */
  spoiled = 0
  /** Where in the log the power would fail now. */
  at = 0
  private readonly events: Generator<number, void>
  private readonly file: number
  /** Of each write it knows which one it was. */
  private readonly disk: StableDisk<number>
  private begun = 0
  /** Blocks with writes that a power failure may lose. */
  private readonly open = new Set<number>()

  /** `image` is the store as it was before the log; it becomes what is synced. */
  constructor(
    private readonly image: string,
    log: string,
  ) {
    this.events = stepThroughLog(log, this)
    this.file = openSync(image, 'r+')
    this.disk = new StableDisk(
      () => {},
      ({ block, bytes }) => writeSync(this.file, bytes, 0, BLOCK, block * BLOCK),
    )
  }

  /** Goes on in the log until it is so long. */
  advance(length: number): void {
    while (this.at < length) {
      const { value } = this.events.next()
      assert(value !== undefined, 'the log is as long as it was')
      this.at = value
    }
  }

  close(): void {
    this.events.return()
    closeSync(this.file)
  }

  writeBegun(request: number, block: number, bytes: Uint8Array): void {
    const versions = Array.from({ length: bytes.length / BLOCK }, (_, i) => ({
      block: block + i,
      bytes: bytes.slice(i * BLOCK, (i + 1) * BLOCK),
      fact: this.begun,
      ended: 0,
      isLost: false,
    }))
    this.begun++
    for (const version of versions) this.open.add(version.block)
    this.disk.beginWrite(request, versions)
  }

  flushBegun(request: number): void {
    this.disk.beginFlush(request)
  }

  ended(request: number, isDone: boolean): void {
    this.disk.end(request, isDone)
  }

  /** The power fails: what is left, in a file beside the image; gives its path. */
  async cut(name: string, prng: Prng): Promise<string> {
    const path = await copyImage(this.image, name)
    const file = openSync(path, 'r+')
    for (const block of this.open) if (this.disk.unstable(block).length === 0) this.open.delete(block)
    const draw = this.drawVersions(prng)
    try {
      for (const block of this.open) writeSync(file, this.remains(block, prng, draw), 0, BLOCK, block * BLOCK)
    } finally {
      closeSync(file)
    }
    return path
  }

  /** How one is drawn of the writes of a block that are not synced: any with some chance, or what was written late. */
  private drawVersions(prng: Prng): DrawVersion {
    if (prng.chance(0.5)) {
      // From nothing of what was not synced to nearly all of it.
      const kept = prng.pick([0, 0.1, 0.5, 0.9])
      return (since) => (prng.chance(kept) ? prng.pick(since) : null)
    }
    const begun = [...this.open].flatMap((block) => this.disk.unstable(block).map(({ fact }) => fact))
    const first = begun.length === 0 ? 0 : prng.pick(begun)
    return (since) => (since.at(-1)!.fact >= first ? since.at(-1)! : null)
  }

  /** A version of the block, or in each sector one. */
  private remains(block: number, prng: Prng, draw: DrawVersion): Uint8Array {
    const synced = new Uint8Array(BLOCK)
    readSync(this.file, synced, 0, BLOCK, block * BLOCK)
    const since = this.disk.unstable(block)
    const drawn = (): Uint8Array => draw(since)?.bytes ?? synced
    const whole = drawn()
    if (whole !== since.at(-1)?.bytes) this.spoiled++
    if (prng.chance(0.5)) return whole
    const torn = whole.slice()
    for (let at = 0; at < BLOCK; at += SECTOR) torn.set(drawn().subarray(at, at + SECTOR), at)
    return torn
  }
}
