/**
 * What the commands make of an image that may be anything: each opens it, refuses it with an error that says why, or
 * goes read-only. Everything else throws: a broken invariant, an error without a code, a request without an answer,
 * memory that was not configured, a volume that was closed well and cannot be opened again.
 */
import { crc32 } from 'node:zlib'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { describeVolume } from '../../src/engine/describe-volume.js'
import { statusError } from '../../src/engine/status-error.js'
import { encodeSuperBlock, reversedPartitions, VolumeState } from '../../src/format/super-block.js'
import { Lz4 } from '../../src/host/lz4.js'
import { readVolumeHead } from '../../src/host/read-volume.js'
import { findSignatures } from '../../src/host/signatures.js'
import { audit } from '../../src/repair/audit.js'
import type { AuditResult } from '../../src/repair/audit-report.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { AdminCommand } from '../../src/vio/opcodes.js'
import type { BaseImage } from './base-images.js'
import { type Image, ImageStore } from './image-store.js'
import { LOST_DATA, type Outcomes, refusal, requireSaying } from './outcome.js'
import { readable, SimulatedVolume } from './simulated-volume.js'

const BLOCK = 4096

/** More logical blocks, from one of their leaves on, than a small volume has data blocks. */
const FILL_FROM = 7 * 812
const FILL_BLOCKS = 600
const FILL_CHANCE = 0.1
const PAUSE_CHANCE = 0.2

export function judgeImage(image: Image, base: BaseImage, seed: number, lend: LendMemory): Outcomes {
  const judge = new Judge(base, new Prng(seed), lend)
  const marked = new ImageStore(image)
  return {
    audit: judge.audit(new ImageStore(image)),
    format: judge.format(new ImageStore(image)),
    serve: judge.serveTwice(new ImageStore(image)),
    'read-only': refusedOr(() => judge.readOnly(marked)),
    'force-rebuild': refusedOr(() => judge.rebuild(marked)),
  }
}

class Judge {
  constructor(
    private readonly base: BaseImage,
    private readonly prng: Prng,
    private readonly lend: LendMemory,
  ) {}

  audit(store: ImageStore): string {
    return refusedOr(() => (auditOf(store).consistent ? 'is consistent' : 'has problems'))
  }

  /** Without force a formatter overwrites no volume that anyone could take for one. */
  format(store: ImageStore): string {
    const { read, sizeBytes } = readable(store)
    const found = findSignatures(read, sizeBytes)
    const isVdo = new TextDecoder().decode(store.bytesAt(0, 8)) === 'dmvdo001'
    if (isVdo && !found.includes('a VDO volume')) throw new Error('a formatter does not see the volume')
    return found.length === 0 ? 'formats' : 'refused: VDO_IN_THE_WAY'
  }

  /** Opened, used and closed; and then once more, which must not be refused. */
  serveTwice(store: ImageStore): string {
    let outcome: string
    try {
      outcome = this.serve(store)
    } catch (error) {
      return refusal(error)
    }
    if (outcome !== 'cannot be loaded') this.serve(store)
    return outcome
  }

  readOnly(store: ImageStore): string {
    mark(store, VolumeState.ReadOnly)
    const { written } = store
    const outcome = this.serve(store)
    if (outcome !== 'is read-only') throw new Error(`a volume that is marked read-only ${outcome}`)
    if (store.written !== written) throw new Error('a read-only volume is written to')
    return outcome
  }

  /** What was rebuilt agrees with itself. */
  rebuild(store: ImageStore): string {
    mark(store, VolumeState.ForceRebuild)
    const volume = this.open(store)
    if (volume.load() !== Status.Success) return 'cannot be loaded'
    if (volume.readOnlyReason !== Status.Success) return this.end(store, volume)
    volume.save()
    const { problems } = auditOf(store)
    const [left] = problems.filter(({ code }) => !LOST_DATA.has(code))
    if (left !== undefined) throw new Error(`after a rebuild the audit finds: ${left.sentence}`)
    return this.serve(store)
  }

  private serve(store: ImageStore): string {
    const volume = this.open(store)
    const status = volume.load()
    if (status !== Status.Success) {
      requireSaying(statusError('Cannot load volume', status))
      return 'cannot be loaded'
    }
    const { written } = store
    const isReadOnly = this.stateOf(store) === VolumeState.ReadOnly
    this.use(volume)
    const outcome = this.end(store, volume)
    if (isReadOnly && store.written !== written) throw new Error('a read-only volume is written to')
    return outcome
  }

  private open(store: ImageStore): SimulatedVolume {
    const { base, prng, lend } = this
    return new SimulatedVolume(store, base.shape, lend, prng.below(2 ** 31))
  }

  /** Whatever a client asks is answered. */
  private use(volume: SimulatedVolume): void {
    const { prng, base } = this
    const { logicalBlocks } = volume
    const places = [...base.lbns, 0, logicalBlocks - 1, prng.below(logicalBlocks)].filter(
      (lbn) => lbn < logicalBlocks,
    )
    const read = (lbn: number) => {
      volume.begin((frontEnd, done) => frontEnd.read(lbn * BLOCK, new Uint8Array(BLOCK), done))
    }
    for (const lbn of places) read(lbn)
    volume.answered()
    for (let i = 0; i < 12; i++) {
      const lbn = prng.pick(places)
      const bytes = new Uint8Array(prng.pick([BLOCK, BLOCK, 512, 3 * BLOCK]))
      new Prng(prng.below(20)).fill(bytes.subarray(0, prng.pick([bytes.length, 500])))
      const roll = prng.below(6)
      if (roll === 0) volume.begin((frontEnd, done) => frontEnd.zero(lbn * BLOCK, 2 * BLOCK, false, done))
      else volume.begin((frontEnd, done) => frontEnd.write(lbn * BLOCK, bytes, roll === 1, done))
    }
    volume.begin((frontEnd, done) => frontEnd.flush(done))
    volume.answered()
    if (prng.chance(PAUSE_CHANCE)) volume.pause(prng.pick([AdminCommand.Suspend, AdminCommand.Save]))
    if (prng.chance(FILL_CHANCE)) this.fill(volume)
    for (let i = 0; i < 8; i++) read(prng.pick(places))
    volume.answered()
  }

  /** Takes every block that slabs have to give, and more. */
  private fill(volume: SimulatedVolume): void {
    const bytes = new Uint8Array(FILL_BLOCKS * BLOCK)
    new Prng(this.prng.below(2 ** 31)).fill(bytes)
    volume.begin((frontEnd, done) => frontEnd.write(FILL_FROM * BLOCK, bytes, false, done))
    volume.answered()
  }

  /** Closes; what the disk says of the volume then is true. */
  private end(store: ImageStore, volume: SimulatedVolume): string {
    const wasRebuilding = this.stateOf(store) === VolumeState.ForceRebuild
    volume.save()
    const state = this.stateOf(store)
    if (volume.readOnlyReason === Status.Success) {
      if (state !== VolumeState.Clean && state !== VolumeState.Recovering)
        throw new Error(`a volume that was closed is ${VolumeState[state]} on the disk`)
      return 'serves'
    }
    if (state !== VolumeState.ReadOnly && !wasRebuilding)
      throw new Error(`a read-only volume is ${VolumeState[state]} on the disk`)
    return 'is read-only'
  }

  private stateOf(store: ImageStore): VolumeState {
    return readVolumeHead('Cannot look at', readable(store)).superBlock.state
  }
}

function auditOf(store: ImageStore): AuditResult {
  const { geometry, superBlock, superBlockPbn } = readVolumeHead('Cannot audit', readable(store))
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  return audit({ disk: store, volume, state: superBlock.state, expand })
}

const expanding = new Uint8Array(2 * BLOCK)
const lz4 = new Lz4(expanding)

function expand(bytes: Uint8Array, at: number, size: number): boolean {
  expanding.set(bytes.subarray(at, at + size), 0)
  return lz4.decompress(0, size, BLOCK, BLOCK)
}

/** As `vdo read-only` and `vdo force-rebuild` do on a file. */
function mark(store: ImageStore, state: VolumeState): void {
  const { geometry, superBlock, superBlockPbn } = readVolumeHead('Cannot mark', readable(store))
  const partitions = reversedPartitions(superBlock)
  store.write(
    superBlockPbn - geometry.bioOffset,
    encodeSuperBlock({ ...superBlock, state, partitions }, crc32),
  )
}

/** The outcome, or that it was refused. */
function refusedOr(act: () => string): string {
  try {
    return act()
  } catch (error) {
    return refusal(error)
  }
}
