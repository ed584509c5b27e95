/**
 * The library: open a volume, read, write, discard and flush at any offset and length, close.
 *
 * ```ts
 * const volume = await openVolume({ device: 'vdo0.img', threads: 'default' })
 * await volume.write(offset, bytes, { fua: true })
 * await volume.close()
 * ```
 */

import { readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { VdoError } from '../base/errors.js'
import { STATUS_FACTS, Status } from '../base/status.js'
import { requireRunnable } from '../engine/check-shape.js'
import { describeVolume, refuseUnlessLoadable } from '../engine/describe-volume.js'
import type { ExportTarget } from '../engine/export-target.js'
import { collectStatistics, type VdoStatistics } from '../engine/statistics.js'
import { statusError } from '../engine/status-error.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { decodeGeometry } from '../format/geometry-block.js'
import { decodeSuperBlock, validateSuperBlock } from '../format/super-block.js'
import { AdminCommand } from '../vio/opcodes.js'
import { VDO_SHAPE, type VolumeShape } from '../vio/volume-shape.js'
import { closeBackingFile, openBackingFile } from './backing-file.js'
import { EngineHost } from './engine-host.js'
import { loadProfile } from './profile.js'
import { type SoundStore, type Store, soundStoreOf } from './store.js'
import { lockStore } from './volume-lock.js'

export interface OpenOptions {
  /** Path of the backing file or block device, or shared memory that holds a formatted volume. */
  readonly device: string | readonly SharedArrayBuffer[]
  /** A thread profile: `default`, `tiny`, `wide`, or the path of a YAML file. */
  readonly threads?: string
  /** Never sync the backing store: a crash of the machine may lose anything. For experiments. */
  readonly unsafe?: boolean
  /** Pack compressed fragments. Default: true. */
  readonly compression?: boolean
  /** Ask the index for duplicates. Default: true. */
  readonly deduplication?: boolean
  /** Sizes other than VDO's own, for experiments. */
  readonly shape?: Partial<VolumeShape>
}

/** Opens a volume and serves it until `close`. Rejects with a VdoError whose `code` is stable. */
export async function openVolume({ device, unsafe = false, ...options }: OpenOptions): Promise<VdoVolume> {
  const unlock = await lockStore(device)
  let release = unlock
  try {
    if (typeof device !== 'string') {
      return await openVolumeOn({ kind: 'memory', segments: device }, options, release)
    }
    const file = openBackingFile(device)
    release = () => {
      closeBackingFile(file)
      unlock()
    }
    return await openVolumeOn({ kind: 'file', ...file, unsafe }, options, release)
  } catch (error) {
    release()
    throw error
  }
}

/** Opens the volume on a store that is there already; `release` is called once the volume needs it no more. */
export async function openVolumeOn(
  store: Store,
  options: Omit<OpenOptions, 'device' | 'unsafe'>,
  release: () => void,
): Promise<VdoVolume> {
  const plan = loadProfile(options.threads ?? 'default')
  const sound = soundStoreOf(store)
  const readBlock = blockReader(sound)
  const geometry = decodeGeometry(readBlock(0), crc32)
  const superBlockPbn = geometry.dataRegionStart
  const superBlock = decodeSuperBlock(readBlock(superBlockPbn - geometry.bioOffset), crc32)
  validateSuperBlock(superBlock, geometry)
  refuseUnlessLoadable(superBlock)
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  requireBlocks(sound, volume.physicalBlocks - volume.bioOffset)
  if (plan.counts.physical > volume.slabCount) {
    throw new VdoError(
      'VDO_TOO_MANY_PHYSICAL_ZONES',
      `Cannot open volume: the profile has ${plan.counts.physical} physical zones, the volume only ${volume.slabCount} slabs`,
    )
  }
  const shape = { ...VDO_SHAPE, ...options.shape }
  requireRunnable(shape, volume, plan.counts)
  const host = await EngineHost.start({ plan, shape, volume, superBlock }, store)
  host.arena.boards.compressing = options.compression ?? true
  host.arena.boards.deduplicating = options.deduplication ?? true
  try {
    await host.administer(AdminCommand.Load, 'load volume')
  } catch (error) {
    await host.halt(error as VdoError)
    throw error
  }
  return new VdoVolume(host, release)
}

export interface WriteOptions {
  /** Durable before the promise resolves. */
  readonly fua?: boolean
}

export interface SuspendOptions {
  /**
   * Also writes what is dirty and marks the volume clean on its store, as `close` does: a copy of the store that is
   * made before `resume` is a volume of its own. Without it the store is as after a power cut.
   */
  readonly save?: boolean
}

/** An open volume. All offsets and lengths are in bytes, of any alignment. */
export class VdoVolume {
  /** For front ends that submit and complete instead of awaiting. */
  readonly target: ExportTarget
  /** Resolves if the engine stops by itself: a thread died or an invariant broke. Nothing was saved then. */
  readonly halted: Promise<VdoError>
  private closing: Promise<void> | null = null
  private hasLetGo = false
  private suspended = false
  /** The last of the administrative acts, which wait for each other. */
  private lastAct: Promise<unknown> = Promise.resolve()

  /** Use `openVolume`. */
  constructor(
    readonly host: EngineHost,
    private readonly release: () => void,
  ) {
    this.target = host.frontEnd
    this.halted = host.halted
  }

  /** Bytes that clients may address. */
  get logicalSize(): number {
    return this.target.sizeBytes
  }

  /** Bytes of the backing store that the volume spans. */
  get physicalSize(): number {
    return this.host.config.volume.physicalBlocks * BLOCK_SIZE
  }

  /** Reads `length` bytes. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    await this.run('read', (done) => this.target.read(offset, bytes, done))
    return bytes
  }

  /** Writes all of `bytes`, which must not change until the promise settles. */
  write(offset: number, bytes: Uint8Array, { fua = false }: WriteOptions = {}): Promise<void> {
    return this.run('write', (done) => this.target.write(offset, bytes, fua, done))
  }

  /** Makes the range read as zeros and gives its whole blocks back. */
  discard(offset: number, length: number): Promise<void> {
    return this.run('discard', (done) => this.target.zero(offset, length, false, done))
  }

  /** Makes every write that was answered durable. */
  flush(): Promise<void> {
    return this.run('flush', (done) => this.target.flush(done))
  }

  /** What VDO's `stats` message says, by the same names. */
  statistics(): VdoStatistics {
    return collectStatistics(this.host.config, this.host.arena)
  }

  /**
   * Brings the volume to rest: what is in flight ends, and nothing is written to the store until `resume`. Requests
   * that come meanwhile wait. A volume that is suspended already stays as it is.
   */
  suspend({ save = false }: SuspendOptions = {}): Promise<void> {
    if (this.closing !== null) return this.refuse('suspend volume')
    return this.inTurn(async () => {
      if (this.suspended) return
      await this.host.hold()
      this.suspended = true
      try {
        await this.host.administer(save ? AdminCommand.Save : AdminCommand.Suspend, 'suspend volume')
      } catch (error) {
        // Its clients must not wait for a resume of what was never suspended.
        await this.goOn().catch(() => {})
        throw error
      }
    })
  }

  /** Ends `suspend`: what waits goes on. A volume that is not suspended stays as it is. */
  resume(): Promise<void> {
    if (this.closing !== null) return this.refuse('resume volume')
    return this.inTurn(() => this.goOn())
  }

  /**
   * Answers what is in flight, saves everything, marks the volume clean and ends its threads. A suspended volume is
   * resumed for it. Rejects, with all of it ended, if the volume has become read-only: not everything is saved.
   */
  close(): Promise<void> {
    this.closing ??= this.inTurn(() => this.save())
    return this.closing
  }

  /** Stops at once and saves nothing: the volume stays dirty. */
  async halt(): Promise<void> {
    await this.end(new VdoError('VDO_ENGINE_HALTED', 'The volume was halted on request'))
  }

  private async goOn(): Promise<void> {
    if (!this.suspended) return
    this.suspended = false
    try {
      await this.host.administer(AdminCommand.Resume, 'resume volume')
    } finally {
      this.host.letGo()
    }
  }

  private inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.lastAct.then(act)
    this.lastAct = turn.catch(() => {})
    return turn
  }

  private async save(): Promise<void> {
    try {
      await this.goOn()
      await this.host.drain()
      await this.host.administer(AdminCommand.Save, 'save volume')
      await this.host.leave()
    } catch (error) {
      await this.end(error as VdoError)
      throw this.host.haltedBy ?? error
    }
    this.letGo()
    const why = this.host.arena.boards.readOnlyReason
    if (why === Status.Success) return
    throw new VdoError(
      'VDO_READ_ONLY',
      `The volume ended in read-only mode (${STATUS_FACTS[why].sentence}): what was written since the last flush may be lost`,
    )
  }

  /** The store is let go when nobody can touch it any more. */
  private async end(error: VdoError): Promise<void> {
    await this.host.halt(error)
    this.letGo()
  }

  private letGo(): void {
    if (this.hasLetGo) return
    this.hasLetGo = true
    this.release()
  }

  private refuse(what: string): Promise<never> {
    return Promise.reject(new VdoError('VDO_CLOSED', `Cannot ${what}: the volume is closed`))
  }

  private run(what: string, start: (done: (status: Status) => void) => void): Promise<void> {
    if (this.closing !== null) return this.refuse(what)
    return new Promise((resolve, reject) => {
      start((status) =>
        status === Status.Success ? resolve() : reject(statusError(`Cannot ${what}`, status)),
      )
    })
  }
}

function blockReader(store: SoundStore): (block: number) => Uint8Array {
  return (block) => {
    requireBlocks(store, block + 1)
    const bytes = new Uint8Array(BLOCK_SIZE)
    if (store.kind === 'file') {
      readSync(store.descriptor, bytes, 0, BLOCK_SIZE, block * BLOCK_SIZE)
      return bytes
    }
    const at = block * BLOCK_SIZE
    const segmentBytes = store.segments[0].byteLength
    const segment = store.segments[Math.floor(at / segmentBytes)]
    bytes.set(new Uint8Array(segment, at % segmentBytes, BLOCK_SIZE))
    return bytes
  }
}

function requireBlocks(store: SoundStore, blocks: number): void {
  const has =
    store.kind === 'file'
      ? store.blockCount
      : store.segments.reduce((sum, { byteLength }) => sum + byteLength / BLOCK_SIZE, 0)
  if (has >= blocks) return
  throw new VdoError(
    'VDO_STORE_TOO_SMALL',
    `Cannot open volume: the backing store has ${has * BLOCK_SIZE} bytes, the volume needs ${blocks * BLOCK_SIZE}`,
  )
}
