/**
 * The library: open a volume, read, write, discard and flush at any offset and length, close.
 *
 * ```ts
 * const volume = await openVolume({ device: 'vdo0.img', threads: 'default' })
 * await volume.write(offset, bytes, { fua: true })
 * await volume.close()
 * ```
 */

import { VdoError } from '../base/errors.js'
import { STATUS_FACTS, Status } from '../base/status.js'
import type { ExportTarget } from '../engine/export-target.js'
import { collectStatistics, type VdoStatistics } from '../engine/statistics.js'
import { statusError } from '../engine/status-error.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { IndexState } from '../vio/boards.js'
import { AdminCommand, IndexControl } from '../vio/opcodes.js'
import { LoadKind } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import { closeBackingFile, openBackingFile } from './backing-file.js'
import { show } from './check-options.js'
import { configureEngine, requireIndexFits } from './configure-engine.js'
import { EngineHost } from './engine-host.js'
import { requireOpenOptions } from './open-options.js'
import { loadProfile } from './profile.js'
import { readableStore, readVolumeHead } from './read-volume.js'
import { type Store, soundStoreOf } from './store.js'
import { lockStore } from './volume-lock.js'

export { VdoError } from '../base/errors.js'
export { Status } from '../base/status.js'
export type { Completion, ExportTarget } from '../engine/export-target.js'
export type { VdoStatistics } from '../engine/statistics.js'

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
  /**
   * Hears in a sentence what goes wrong behind the volume: a call of the backing store that failed, a journal that
   * cannot be replayed, an index that is rebuilt or made anew. Left out: it is said on standard error.
   */
  readonly report?: (sentence: string) => void
}

/** Opens a volume and serves it until `close`. Rejects with a VdoError whose `code` is stable. */
export async function openVolume(how: OpenOptions): Promise<VdoVolume> {
  requireOpenOptions(how)
  const { device, unsafe = false, ...options } = how
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
  const { threads = 'default', compression = true, deduplication = true, shape } = options
  const profile = loadProfile(threads)
  const head = readVolumeHead('Cannot open', readableStore(soundStoreOf(store)))
  const config = configureEngine(head, { profile, deduplication, shape })
  const host = await EngineHost.start(config, store, options.report)
  host.arena.boards.compressing = compression
  host.arena.boards.deduplicating = deduplication
  try {
    await host.administer(AdminCommand.Load, 'load volume')
  } catch (error) {
    // A thread that died is a better reason than that nobody answered.
    const reason = host.haltedBy ?? error
    await host.halt(error as VdoError)
    throw reason
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
  /** Whether it never took a write. */
  private readonly cameUpReadOnly: boolean
  /** The last of the administrative acts, which wait for each other. */
  private lastAct: Promise<unknown> = Promise.resolve()

  /** Use `openVolume`. */
  constructor(
    readonly host: EngineHost,
    private readonly release: () => void,
  ) {
    this.target = host.frontEnd
    this.halted = host.halted
    this.cameUpReadOnly = this.readOnlyReason !== null
  }

  /** Bytes that clients may address. */
  get logicalSize(): number {
    return this.target.sizeBytes
  }

  /** Bytes of the backing store that the volume spans. */
  get physicalSize(): number {
    return this.host.config.volume.physicalBlocks * BLOCK_SIZE
  }

  /** Why the volume is in read-only mode, in a sentence; null while it takes writes. */
  get readOnlyReason(): string | null {
    const why = this.host.arena.boards.readOnlyReason
    return why === Status.Success ? null : STATUS_FACTS[why].sentence
  }

  /** Reads `length` bytes. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    requireRange('read', offset, length)
    this.requireInside('read', offset, length)
    const bytes = new Uint8Array(length)
    await this.run('read', (done) => this.target.read(offset, bytes, done))
    return bytes
  }

  /** Writes all of `bytes`, which must not change until the promise settles. */
  async write(offset: number, bytes: Uint8Array, { fua = false }: WriteOptions = {}): Promise<void> {
    if (!(bytes instanceof Uint8Array)) {
      throw new VdoError('VDO_BAD_ARGUMENT', `Cannot write: the data are ${show(bytes)}, wanted a Uint8Array`)
    }
    requireRange('write', offset, bytes.length)
    return this.run('write', (done) => this.target.write(offset, bytes, fua, done))
  }

  /** Makes the range read as zeros and gives its whole blocks back. */
  async discard(offset: number, length: number): Promise<void> {
    requireRange('discard', offset, length)
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

  /** How VDO would call the state of the deduplication index now. */
  get indexState(): IndexState {
    return this.host.arena.boards.indexState
  }

  /** Closes the index, if it is open, and makes a new one: what was known of the volume's blocks is forgotten. */
  createIndex(): Promise<void> {
    return this.controlIndex(IndexControl.Create, 'create index')
  }

  /** Saves the index and closes it. The volume serves on, without deduplication. */
  closeIndex(): Promise<void> {
    return this.controlIndex(IndexControl.Close, 'close index')
  }

  /** Opens the index, if it is closed, and uses it. */
  enableIndex(): Promise<void> {
    return this.controlIndex(IndexControl.Enable, 'enable index')
  }

  /** Opens the index, if it is closed, and does not use it. */
  disableIndex(): Promise<void> {
    return this.controlIndex(IndexControl.Disable, 'disable index')
  }

  /** Resolves when the index is neither being opened nor closed; rejects with VDO_INDEX_ERROR if it has failed. */
  indexSettled(): Promise<void> {
    return this.host.indexSettled('Cannot use index')
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

  /** An index that was not to be used when the volume was opened may be too large to be opened now. */
  private async controlIndex(control: IndexControl, what: string): Promise<void> {
    if (this.closing !== null) return this.refuse(what)
    if (control !== IndexControl.Close) requireIndexFits(`Cannot ${what}`, this.host.config)
    return this.host.controlIndex(control, `Cannot ${what}`)
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
    const why = this.readOnlyReason
    if (why === null || this.host.config.volume.load === LoadKind.ReadOnly) return
    const lost = this.cameUpReadOnly
      ? 'it could not be brought up, and has taken no writes since'
      : 'what was written since the last flush that succeeded may be lost'
    throw new VdoError('VDO_READ_ONLY', `The volume ended in read-only mode (${why}): ${lost}`)
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

  /** Before memory is taken for an answer that cannot come. */
  private requireInside(what: string, offset: number, length: number): void {
    if (offset + length > this.logicalSize) throw statusError(`Cannot ${what}`, Status.OutOfRange)
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

/** Offsets and lengths come from callers without a compiler as well. */
function requireRange(what: string, offset: number, length: number): void {
  for (const [name, value] of [
    ['offset', offset],
    ['length', length],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= 0) continue
    throw new VdoError(
      'VDO_BAD_ARGUMENT',
      `Cannot ${what}: the ${name} is ${show(value)}, wanted a whole number from 0`,
    )
  }
}
