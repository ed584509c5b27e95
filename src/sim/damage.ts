/**
 * What becomes of a volume on a disk that cannot be trusted: one session is worked on a disk that loses writes or puts
 * them elsewhere, or on a sound one that is spoilt when it is over; then the volume is looked at, worked with, and
 * rebuilt. Nobody can promise that all of it is found: each run tells who found what was wrong, and whether a client
 * read what it must not. The engine may refuse whatever it likes, but has to go on; and a rebuild gives a volume in
 * which everything agrees.
 */
import { assert } from '../base/assert.js'
import type { Native } from '../base/native.js'
import { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { arenaBytes, WASM_PAGE_BYTES } from '../engine/arena.js'
import { arenaConfig, type EngineConfig } from '../engine/assemble.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { FormatError } from '../format/format-error.js'
import { type SuperBlock, VolumeState } from '../format/super-block.js'
import type { AuditResult, ProblemCode } from '../repair/audit-report.js'
import { AdminCommand } from '../vio/opcodes.js'
import { LoadKind } from '../vio/volume.js'
import { drawConfig, redrawConfig } from './draw-config.js'
import { administer, drain, readBack, requireRest, work } from './drive.js'
import { auditFound, isBlank, markState, volumeOf } from './found-volume.js'
import { Fault, flipBits, LyingStore } from './lying-store.js'
import { Oracle, type ReadHandle } from './oracle.js'
import { type Unpack, unpackerOn } from './read-mapped.js'
import { type LendMemory, Simulator } from './simulator.js'
import { Structure, structureOf } from './structures.js'
import { describeMessage } from './trace.js'
import { Workload } from './workload.js'

/** Who finds that something is wrong. */
export enum Finder {
  /** The super block cannot be read, or decoded. */
  Opening = 0,
  /** The load ends in read-only mode. */
  Load,
  /** The volume becomes read-only while it serves. */
  Service,
  /** A read is answered with an error, by a volume that takes writes. */
  Read,
  /** The index is not taken as it is. */
  Index,
  /** The audit of a closed volume. */
  Audit,
}

export interface DamageReport {
  /** How often the disk lied, or how many of its blocks were spoilt. */
  readonly faults: number
  readonly finders: ReadonlySet<Finder>
  /** A client read what no write can explain. */
  readonly isMisread: boolean
  /** What was found, in words. */
  readonly words: readonly string[]
}

export interface DamageOptions {
  readonly seed: number
  readonly structure: Structure
  readonly fault: Fault
  /** Requests a session. */
  readonly steps: number
  readonly lend: LendMemory
  readonly decodeSuperBlock: (bytes: Uint8Array) => SuperBlock
  /** Hears what happens, a line each. */
  readonly trace?: (line: string) => void
}

/** Runs one seed; throws with the seed in the message if the engine does what it never may. */
export function runDamage(options: DamageOptions): DamageReport {
  const { seed, structure, fault } = options
  try {
    return new Damage(options).run()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const what = `${Structure[structure]}, ${Fault[fault]}`
    throw new Error(`seed ${seed} (${what}): ${message}`, { cause: error })
  }
}

const CUT_CHANCE = 0.5
/** The power fails at any event of a client's work, or at its end. */
const CUT_CHANCE_OF_EVENT = 0.001
/** How likely a lie is: the super block is written twice a session. */
const LIE_CHANCES = [0.1, 0.7]
const LIE_CHANCE_OF_SUPER_BLOCK = 0.5
const MOST_SPOILT_BLOCKS = 4
const MOST_FLIPPED_BITS = 3
/** What a rebuild does not write anew. */
const BEYOND_REPAIR: readonly ProblemCode[] = ['BAD_FRAGMENT', 'UNREADABLE_DATA', 'UNREADABLE_JOURNAL']
/** An index that was never made, and one whose last save a power failure kept from its end. */
const ORDINARY_REPORT = /is there$|it has no save$|does not begin as one$/
const EAGERNESS = [0.02, 0.2, 0.8]
const CLOSED: readonly VolumeState[] = [VolumeState.Clean, VolumeState.Recovering]

/** The power fails. */
class PowerCut extends Error {}

/** An oracle that writes down what is wrong and lets it pass. */
class Witness extends Oracle {
  readonly complaints: string[] = []
  /** What a volume reads that is read-only from the start proves nothing: its journal is not replayed. */
  isDeaf = false

  constructor(private readonly readFailed: () => void) {
    super()
  }

  override endRead(read: ReadHandle, bytes: Uint8Array, isDoubtful?: boolean): null {
    const complaint = super.endRead(read, bytes, isDoubtful)
    if (complaint !== null && !this.isDeaf) this.complaints.push(complaint)
    return null
  }

  override dropRead(read: ReadHandle): void {
    super.dropRead(read)
    this.readFailed()
  }
}

class Damage {
  private readonly prng: Prng
  private readonly finders = new Set<Finder>()
  private readonly words: string[] = []
  private readonly witness = new Witness(() => {
    if (!this.isReadOnly) this.found(Finder.Read, 'a read is answered with an error')
  })
  private readonly native: Native
  private readonly unpack: Unpack
  private config: EngineConfig
  private store: LyingStore
  private simulator: Simulator | null = null
  private wasReadOnly = false
  private faults = 0
  /** The power failed, and what the blocks hold is not known yet. */
  private isUnsettled = false

  constructor(private readonly options: DamageOptions) {
    this.prng = new Prng(options.seed)
    this.config = drawConfig(this.prng)
    const lent = options.lend(2 * WASM_PAGE_BYTES)
    this.native = lent.native
    this.unpack = unpackerOn(lent)
    this.store = new LyingStore(this.config.volume.physicalBlocks)
  }

  run(): DamageReport {
    this.firstSession()
    this.look()
    if (this.reopen()) this.session()
    this.look()
    this.rebuild()
    const { faults, finders, witness, words } = this
    const isMisread = witness.complaints.length > 0
    return { faults, finders, isMisread, words: [...words, ...witness.complaints] }
  }

  /** The session on the disk that lies, or after which its blocks are spoilt. */
  private firstSession(): void {
    const { config, prng, store } = this
    const { structure, fault } = this.options
    const isChosen = (block: number, bytes: Uint8Array) => structureOf(config, block, bytes) === structure
    const isAtRest = fault === Fault.Flipped || fault === Fault.Unreadable
    if (!isAtRest) {
      const chance = structure === Structure.SuperBlock ? LIE_CHANCE_OF_SUPER_BLOCK : prng.pick(LIE_CHANCES)
      store.lies = { fault, concerns: isChosen, chance, prng: prng.fork() }
    }
    this.session()
    store.lies = null
    this.faults = store.told
    if (isAtRest) this.spoil(fault, isChosen)
  }

  private spoil(
    fault: Fault.Flipped | Fault.Unreadable,
    isChosen: (block: number, bytes: Uint8Array) => boolean,
  ): void {
    const { prng, store } = this
    const blocks = store.usedBlocks().filter((block) => isChosen(block, store.blockAt(block)))
    for (let left = prng.between(1, MOST_SPOILT_BLOCKS); left > 0 && blocks.length > 0; left--) {
      const [block] = blocks.splice(prng.below(blocks.length), 1)
      if (fault === Fault.Flipped) flipBits(store, block, prng, MOST_FLIPPED_BITS)
      else store.spoil(block)
      this.faults++
    }
  }

  /** Loads the volume, reads all of it, works, and closes it, or lets the power fail. */
  private session(): void {
    const { prng } = this
    const simulator = this.boot()
    const isCut = prng.chance(CUT_CHANCE)
    try {
      if (!this.load(simulator)) return
      this.serve(simulator, () => {
        if (isCut && prng.chance(CUT_CHANCE_OF_EVENT)) throw new PowerCut()
      })
      if (isCut) throw new PowerCut()
      this.close(simulator)
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.store = this.store.crash(prng)
      this.forget()
      this.options.trace?.('the power fails')
    } finally {
      this.hearReason(Finder.Service)
    }
    if (this.isReadOnly) this.forget()
  }

  /** Whatever was not durable may be lost. */
  private forget(): void {
    this.witness.powerFailed()
    this.isUnsettled = true
  }

  /** False if the volume is not served. */
  private load(simulator: Simulator): boolean {
    const status = administer(simulator, AdminCommand.Load)
    if (status !== Status.Success) this.found(Finder.Load, `the load ends with ${Status[status]}`)
    this.hearReason(Finder.Load)
    this.witness.isDeaf = this.isReadOnly
    return status === Status.Success
  }

  private serve(simulator: Simulator, between: () => void): void {
    const { options, prng, witness } = this
    this.readBack(simulator)
    const workload = new Workload(
      simulator.frontEnd,
      prng.fork(),
      witness,
      prng.between(1, this.config.shape.dataVios),
      () => true,
      () => this.isReadOnly,
    )
    const requests = Array.from({ length: options.steps }, (_, number) => number)
    work(simulator, workload, prng, requests, prng.pick(EAGERNESS), between)
  }

  private readBack(simulator: Simulator): void {
    const settles = this.isUnsettled && !this.isReadOnly
    readBack(simulator, simulator.frontEnd, this.prng.fork(), this.witness, settles, () => true)
    if (!this.isReadOnly) this.isUnsettled = false
  }

  private close(simulator: Simulator): void {
    drain(simulator, false)
    const status = administer(simulator, AdminCommand.Save)
    assert(status === Status.Success, 'a volume that serves can be closed')
    requireRest(simulator, this.store)
  }

  private get isReadOnly(): boolean {
    return this.simulator!.arena.boards.readOnlyReason !== Status.Success
  }

  /** Notes it when the volume has become read-only since this was last asked. */
  private hearReason(finder: Finder): void {
    if (!this.isReadOnly || this.wasReadOnly) return
    this.wasReadOnly = true
    this.found(finder, `the volume becomes read-only: ${Status[this.simulator!.arena.boards.readOnlyReason]}`)
  }

  private found(finder: Finder, words: string): void {
    this.finders.add(finder)
    this.words.push(`${Finder[finder]}: ${words}`)
  }

  /** The volume as the next program finds it; false if there is none. */
  private reopen(): boolean {
    const { config, prng, store } = this
    if (isBlank(store, config.volume)) return true
    const superBlock = this.superBlock()
    if (superBlock === null) return false
    this.config = redrawConfig(prng, config, volumeOf(superBlock, config.volume.superBlockPbn), superBlock)
    return true
  }

  private superBlock(): SuperBlock | null {
    const bytes = new Uint8Array(BLOCK_SIZE)
    if (!this.store.read(this.config.volume.superBlockPbn, 1, bytes)) {
      this.found(Finder.Opening, 'the super block cannot be read')
      return null
    }
    try {
      return this.options.decodeSuperBlock(bytes)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      this.found(Finder.Opening, error.message)
      return null
    }
  }

  /** An audit of the volume, if it was closed. */
  private look(): void {
    const superBlock = isBlank(this.store, this.config.volume) ? null : this.superBlock()
    if (superBlock === null || !CLOSED.includes(superBlock.state)) return
    const { consistent, problemCounts } = this.auditOf(superBlock)
    if (!consistent) this.found(Finder.Audit, JSON.stringify(problemCounts))
  }

  private auditOf(superBlock: SuperBlock): AuditResult {
    return auditFound(this.store, superBlock, this.config, this.unpack)
  }

  /**
   * Whatever is wrong, a rebuild gives a volume in which everything agrees, but for what fragments hold. What it cannot
   * read of the map is lost; a journal that it cannot read ends it, and it can be begun again. The volume serves; but a
   * map page that was lost before may come back with a block that is given out again.
   */
  private rebuild(): void {
    const { config, native, store } = this
    const superBlock = isBlank(store, config.volume) ? null : this.superBlock()
    if (superBlock === null) return
    markState(store, superBlock, config.volume.superBlockPbn, VolumeState.ForceRebuild, native)
    this.reopen()
    if (!this.load(this.boot())) {
      assert(this.options.fault === Fault.Unreadable, 'a volume on a disk that can be read is rebuilt')
      store.heal()
      this.reopen()
      const isRebuilt = this.load(this.boot())
      assert(isRebuilt, 'a rebuild that could not read is begun again')
    }
    const simulator = this.simulator!
    this.readBack(simulator)
    this.close(simulator)
    if (!this.isReadOnly) this.requireAgreement(this.auditOf(this.superBlock()!))
    else assert(this.options.fault === Fault.Unreadable, 'a volume that was rebuilt takes writes')
    this.reopen()
    this.session()
  }

  private requireAgreement({ problems }: AuditResult): void {
    const sentences = problems
      .filter(({ code }) => !BEYOND_REPAIR.includes(code))
      .map(({ sentence }) => sentence)
    if (sentences.length > 0) throw new Error(`after a rebuild the audit finds: ${sentences.join('; ')}`)
  }

  private boot(): Simulator {
    const { config, options, prng, store } = this
    const simulator = new Simulator(config, store, prng.fork(), options.lend, arenaBytes(arenaConfig(config)))
    this.simulator = simulator
    this.wasReadOnly = config.volume.load === LoadKind.ReadOnly
    simulator.arena.boards.compressing = true
    simulator.arena.boards.deduplicating = true
    const { trace } = options
    if (trace !== undefined) {
      trace(`session with ${JSON.stringify({ ...config, superBlock: undefined })}`)
      simulator.onMessage = (step, thread, word) => trace(describeMessage(step, thread, word))
    }
    simulator.onReport = (sentence) => {
      const isOfDamage = options.structure === Structure.Index && !ORDINARY_REPORT.test(sentence)
      if (isOfDamage) this.found(Finder.Index, sentence)
    }
    return simulator
  }
}
