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
import { WASM_PAGE_BYTES } from '../engine/arena.js'
import type { EngineConfig } from '../engine/assemble.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { FormatError } from '../format/format-error.js'
import { type SuperBlock, VolumeState } from '../format/super-block.js'
import type { AuditResult, ProblemCode } from '../repair/audit-report.js'
import { ROW_WORDS } from '../vio/marks.js'
import { AdminCommand } from '../vio/opcodes.js'
import { LoadKind } from '../vio/volume.js'
import { drawConfig, redrawConfig } from './draw-config.js'
import { administer, drain, readBack, requireRest, work } from './drive.js'
import { auditFound, isBlank, markState } from './found-volume.js'
import { Fault, flipBits, LyingStore } from './lying-store.js'
import { Oracle, type ReadHandle } from './oracle.js'
import { type Unpack, unpackerOn } from './read-mapped.js'
import { keptWithin, type Reduction, type Trouble, WHOLE } from './reduction.js'
import type { ScenarioOptions } from './scenario.js'
import { runOrFail } from './scenario-failure.js'
import { noneOf, type ScenarioReport, TALLIED } from './scenario-report.js'
import { Simulator } from './simulator.js'
import { meaningfulBytes, Structure, structureOf } from './structures.js'
import { TraceKind } from './trace.js'
import { told, traceSession } from './traced.js'
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

/** What a disk does, and to which of its blocks. */
export interface Harm {
  readonly structure: Structure
  readonly fault: Fault
}

export interface DamageResult {
  readonly report: ScenarioReport
  readonly finders: ReadonlySet<Finder>
  /** A client read what no write can explain. */
  readonly isMisread: boolean
  /** It did before anyone had found that something is wrong. */
  readonly isMisreadFirst: boolean
}

export interface DamageOptions extends Omit<ScenarioOptions, 'makeStore'>, Harm {}

/** Runs one seed; throws a `ScenarioFailure` if the engine does what it never may. */
export function runDamage(options: DamageOptions): DamageResult {
  return runOrFail(options.seed, () => new Damage(options))
}

/** What is worked on while the disk harms it, then as it was left, then when it was rebuilt. */
const SESSIONS = 3
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

  constructor(
    private readonly readFailed: () => void,
    private readonly misread: () => void,
  ) {
    super()
  }

  override endRead(read: ReadHandle, bytes: Uint8Array, isDoubtful?: boolean): null {
    const complaint = super.endRead(read, bytes, isDoubtful)
    if (complaint === null || this.isDeaf) return null
    this.complaints.push(complaint)
    this.misread()
    return null
  }

  override dropRead(read: ReadHandle): void {
    super.dropRead(read)
    this.readFailed()
  }
}

class Damage {
  /** Each session draws from a generator of its own, whatever happened in the one before. */
  private readonly sessions: Prng
  private prng: Prng
  private readonly reduction: Reduction
  /** The number of the next session's first request. */
  private firstRequest = 0
  private readonly finders = new Set<Finder>()
  private readonly words: string[] = []
  private readonly witness = new Witness(
    () => {
      if (!this.isReadOnly) this.found(Finder.Read, 'a read is answered with an error')
    },
    () => {
      this.isMisreadFirst ||= this.finders.size === 0
    },
  )
  private isMisreadFirst = false
  private readonly native: Native
  private readonly unpack: Unpack
  private config: EngineConfig
  private store: LyingStore
  private simulator: Simulator | null = null
  private wasReadOnly = false
  private readonly tally = noneOf(TALLIED)
  private readonly counters = Array.from({ length: ROW_WORDS }, () => 0)
  private traceHash = ''
  /** The power failed, and what the blocks hold is not known yet. */
  private isUnsettled = false

  constructor(private readonly options: DamageOptions) {
    this.reduction = options.reduction ?? WHOLE
    this.sessions = new Prng(options.seed)
    this.prng = this.sessions.fork()
    this.config = drawConfig(this.prng)
    const lent = options.lend(2 * WASM_PAGE_BYTES)
    this.native = lent.native
    this.unpack = unpackerOn(lent)
    this.store = new LyingStore(this.config.volume.physicalBlocks)
  }

  run(): DamageResult {
    this.firstSession()
    this.look()
    this.prng = this.sessions.fork()
    if (this.reopen()) this.session()
    this.look()
    this.prng = this.sessions.fork()
    this.rebuild()
    this.take()
    return this.result()
  }

  private result(): DamageResult {
    const { counters, finders, isMisreadFirst, options, tally, traceHash, witness, words } = this
    const isMisread = witness.complaints.length > 0
    if (finders.size > 0) tally.foundOut++
    else if (isMisread) tally.misread++
    const { seed, structure, fault } = options
    const reports = [`${Structure[structure]}, ${Fault[fault]}`, ...words, ...witness.complaints]
    const report = { seed, traceHash, ...tally, crashes: 0, recoveries: 0, counters, reports }
    return { report, finders, isMisread, isMisreadFirst }
  }

  /** Numbers of the client's requests in all sessions up to now. */
  get requests(): readonly number[] {
    return keptWithin(this.reduction, 0, this.firstRequest)
  }

  /** The session on the disk that lies, or after which its blocks are spoilt. */
  private firstSession(): void {
    const { config, prng, store, tally } = this
    const { structure, fault, trace } = this.options
    trace?.(`the disk: ${Structure[structure]}, ${Fault[fault]}`, TraceKind.Note)
    const isChosen = (block: number, bytes: Uint8Array) => structureOf(config, block, bytes) === structure
    const isSpared = this.isLeftOut('damage')
    const fate = prng.fork()
    if (fault === Fault.Flipped || fault === Fault.Unreadable) {
      this.session()
      if (!isSpared) this.spoil(fate, fault, isChosen)
      return
    }
    const chance = structure === Structure.SuperBlock ? LIE_CHANCE_OF_SUPER_BLOCK : fate.pick(LIE_CHANCES)
    store.lies = { fault, concerns: isChosen, chance: isSpared ? 0 : chance, prng: fate }
    this.session()
    store.lies = null
    tally.faults += store.told
  }

  private spoil(
    prng: Prng,
    fault: Fault.Flipped | Fault.Unreadable,
    isChosen: (block: number, bytes: Uint8Array) => boolean,
  ): void {
    const { config, store } = this
    const isFlip = fault === Fault.Flipped
    const blocks = store
      .usedBlocks()
      .filter((block) => isChosen(block, store.blockAt(block)))
      .filter((block) => !isFlip || meaningfulBytes(config, block) > 0)
    for (let left = prng.between(1, MOST_SPOILT_BLOCKS); left > 0 && blocks.length > 0; left--) {
      const [block] = blocks.splice(prng.below(blocks.length), 1)
      if (isFlip) flipBits(store, block, meaningfulBytes(config, block), prng, MOST_FLIPPED_BITS)
      else store.spoil(block)
      this.tally.faults++
    }
  }

  /** Loads the volume, reads all of it, works, and closes it, or lets the power fail. */
  private session(): void {
    const { prng } = this
    const steps = Math.ceil(this.options.steps / SESSIONS)
    const requests = keptWithin(this.reduction, this.firstRequest, steps)
    this.firstRequest += steps
    const simulator = this.boot()
    const isCut = prng.chance(CUT_CHANCE) && !this.isLeftOut('cuts')
    const fate = prng.fork()
    try {
      if (!this.load(simulator)) return
      this.serve(simulator, requests, () => {
        if (isCut && fate.chance(CUT_CHANCE_OF_EVENT)) throw new PowerCut()
      })
      if (isCut) throw new PowerCut()
      this.close(simulator)
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.tally.powerCuts++
      this.store = this.store.crash(prng)
      this.forget()
      this.options.trace?.('the power fails', TraceKind.Note)
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
    const isLoaded = status === Status.Success
    if (!isLoaded) this.found(Finder.Load, `the load ends with ${Status[status]}`)
    this.hearReason(Finder.Load)
    this.witness.isDeaf = this.isReadOnly
    const { load } = this.config.volume
    if (isLoaded && !this.isReadOnly && load === LoadKind.Recovery) this.tally.engineRecoveries++
    if (isLoaded && !this.isReadOnly && load === LoadKind.Rebuild) this.tally.rebuilds++
    return isLoaded
  }

  private serve(simulator: Simulator, requests: readonly number[], between: () => void): void {
    const { options, prng, tally, witness } = this
    this.readBack(simulator)
    const workload: Workload = new Workload(
      told(options.trace, simulator, simulator.frontEnd, () => `request ${workload.number}`),
      prng.fork(),
      witness,
      prng.between(1, this.config.shape.dataVios),
      () => true,
      () => this.isReadOnly,
    )
    work(simulator, workload, prng, requests, prng.pick(EAGERNESS), between)
    tally.requests += workload.answered
    tally.noSpace += workload.noSpace
  }

  private readBack(simulator: Simulator): void {
    const settles = this.isUnsettled && !this.isReadOnly
    const reader = told(this.options.trace, simulator, simulator.frontEnd, () => 'the read-back')
    const { prng, tally, witness } = this
    tally.requests += readBack(simulator, reader, prng.fork(), witness, settles, () => true)
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
    this.tally.readOnlyEntries++
    this.found(finder, `the volume becomes read-only: ${Status[this.simulator!.arena.boards.readOnlyReason]}`)
  }

  private found(finder: Finder, words: string): void {
    this.finders.add(finder)
    this.words.push(`${Finder[finder]}: ${words}`)
    this.options.trace?.(`found: ${words}`, TraceKind.Note)
  }

  /** The volume as the next program finds it; false if there is none. */
  private reopen(): boolean {
    const { config, prng, store } = this
    if (isBlank(store, config.volume)) return true
    const superBlock = this.superBlock()
    if (superBlock === null) return false
    this.config = redrawConfig(prng, config, superBlock)
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
    this.prng = this.sessions.fork()
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
    this.take()
    const { config, options, prng, reduction, store } = this
    const simulator = new Simulator(
      config,
      store,
      new Prng(prng.below(2 ** 52) + reduction.schedule),
      options.lend,
    )
    this.simulator = simulator
    this.wasReadOnly = config.volume.load === LoadKind.ReadOnly
    simulator.arena.boards.compressing = true
    simulator.arena.boards.deduplicating = true
    traceSession(options.trace, simulator, config)
    simulator.onReport = (sentence) => {
      const isOfDamage = options.structure === Structure.Index && !ORDINARY_REPORT.test(sentence)
      if (isOfDamage) this.found(Finder.Index, sentence)
    }
    return simulator
  }

  /** What the last engine adds to the report. */
  private take(): void {
    const { counters, simulator, tally } = this
    if (simulator === null) return
    this.traceHash += simulator.traceHash
    tally.events += simulator.steps
    tally.messages += simulator.messages
    for (let word = 0; word < ROW_WORDS; word++) counters[word]! += simulator.arena.total(word)
  }

  private isLeftOut(trouble: Trouble): boolean {
    return this.reduction.without.includes(trouble)
  }
}
